"""An evaluation as people read it: tables, explanations, pictures."""

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from odapi.draw.file import save_image
from odapi.draw.image import Style
from odapi.draw.mosaic import mosaic
from odapi.draw.plots import precision_recall_plot
from odapi.draw.side_by_side import side_by_side
from odapi.evaluation.loop import EvaluationResult, Picture
from odapi.evaluation.metric_files import as_json, write_categories
from odapi.files import write_json
from odapi.metrics.coco import RECALLS, CategoryResult

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MOST_ROWS = 30  # Classes in the table; of more, the best and the worst half.
_MOST_SKIPPED = 5  # Names of skipped images that are shown.


def metrics_table(result: EvaluationResult) -> "Table":
    """Returns the metrics by the original's names; a dash stands for -1."""
    from rich.table import Table

    table = Table(title=_headline(result), title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    # Metrics of single classes have their own table.
    for name, value in result.metrics.items():
        if not _of_class(name):
            table.add_row(name, _number(value))
    return table


def categories_table(categories: Sequence[CategoryResult]) -> "Table":
    """Returns a row a class, best first; those without groundtruth at the end."""
    from rich.table import Table

    table = Table(title="by class, best first", title_justify="left")
    names = ("class", "objects", "AP", "AP50", "AP75", "AR100", "best F1", "at score")
    for name in names:
        table.add_column(name, justify="left" if name == "class" else "right")
    ordered = sorted(categories, key=lambda row: (-row.ap, row.id))
    half = _MOST_ROWS // 2
    for n, row in enumerate(ordered):
        if len(ordered) > _MOST_ROWS and half <= n < len(ordered) - half:
            if n == half:
                left_out = len(ordered) - 2 * half
                table.add_row(f"... {left_out} classes between ...")
            continue
        numbers = (row.ap, row.ap50, row.ap75, row.ar, row.f1, row.threshold)
        table.add_row(row.name, f"{row.num_objects}", *(_number(v) for v in numbers))
    return table


def notes(result: EvaluationResult) -> list[str]:
    """Returns lines that explain the numbers: dashes, skipped images, hints."""
    lines = [f"- {name}: {reason}" for name, reason in _explained(result).items()]
    if lines:
        lines.insert(0, "A dash is a metric with nothing to measure (-1 in files):")
    if result.skipped:
        first = list(result.skipped.items())[:_MOST_SKIPPED]
        lines.append(f"{_count(len(result.skipped))} NOT evaluated, such as")
        lines += [f"- {image_id}: {reason}" for image_id, reason in first]
    return lines + [f"Hint: {hint}" for hint in result.hints]


def show(result: EvaluationResult, console: "Console") -> None:
    """Prints the tables and the notes."""
    from rich.text import Text

    console.print(metrics_table(result))
    console.print(categories_table(result.categories))
    for line in notes(result):
        console.print(Text(line))
    if result.problems:
        console.print(result.problems.table())


def draw_picture(
    result: EvaluationResult, picture: Picture, min_score: float, max_boxes: int
) -> np.ndarray:
    """Returns detections left, groundtruth right, as `[h, w, 3]` uint8."""
    return side_by_side(
        picture.image,
        picture.detections,
        picture.groundtruth,
        result.label_map,
        min_score=min_score,
        max_objects=max_boxes,
        title=picture.image_id,
        style=Style(edges=result.keypoint_edges),
    )


def write_report(
    folder: str | os.PathLike,
    result: EvaluationResult,
    min_score: float = 0.5,
    max_boxes: int = 20,
) -> list[pathlib.Path]:
    """Writes an evaluation into a folder and returns the files.

    `metrics.json`, `categories.csv`, `precision_recall.png`, `mosaic.png` and, in
    `side_by_side/`, each picture on its own.

    Raises:
        DataError: The folder cannot be written.
    """
    folder = pathlib.Path(folder)
    files = [
        write_json(folder / "metrics.json", as_json(result)),
        write_categories(folder / "categories.csv", result),
    ]
    if result.curves:
        average = {row.name: row.ap50 for row in result.categories}
        indices = {row.name: row.id - 1 for row in result.categories}
        plot = precision_recall_plot(result.curves, average, RECALLS, indices)
        files.append(save_image(folder / "precision_recall.png", plot))
    drawn = [draw_picture(result, p, min_score, max_boxes) for p in result.pictures]
    if drawn:
        files.append(save_image(folder / "mosaic.png", mosaic(drawn, cell=960)))
    for n, image in enumerate(drawn):
        files.append(save_image(folder / "side_by_side" / f"{n:03d}.jpg", image))
    return files


def _headline(result: EvaluationResult) -> str:
    step = "" if result.step is None else f"step {result.step}, "
    return (
        f"{step}{result.num_images} images, {result.num_objects} objects, "
        f"{result.images_per_second:.1f} images/s"
    )


def _count(images: int) -> str:
    return "1 image was" if images == 1 else f"{images} images were"


def _number(value: float) -> str:
    return "-" if value == -1 else f"{value:.4f}"


def _explained(result: EvaluationResult) -> dict[str, str]:
    """Reasons, each once: those of single classes stand behind one name."""
    reasons: dict[str, list[str]] = {}
    told = {n: r for n, r in result.explanations.items() if not _of_class(n)}
    kinds = {name.split("_", 1)[0] for name in told}
    for name, reason in told.items():
        short = name.split("_", 1)[-1] if len(kinds) == 1 else name
        reasons.setdefault(reason, []).append(short)
    lines = {", ".join(names): reason for reason, names in reasons.items()}
    absent = [row.name for row in result.categories if row.ap == -1]
    if absent and len(absent) < len(result.categories):
        shown = ", ".join(absent[:10]) + (", ..." if len(absent) > 10 else "")
        lines[shown] = f"no groundtruth object of {_classes(len(absent))}"
    return lines


def _of_class(name: str) -> bool:
    """Whether a metric is of a single class, and stands in the table of classes.

    Those of keypoints are all of a class, and stand nowhere else.
    """
    return "ByCategory/" in name and name.startswith("Detection")


def _classes(number: int) -> str:
    return "this class" if number == 1 else f"these {number} classes"
