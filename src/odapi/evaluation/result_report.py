"""Evaluation results for people: tables, explanations, drawn images."""

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from odapi.draw.file import save_image
from odapi.draw.image import Style
from odapi.draw.mosaic import mosaic
from odapi.draw.plots import precision_recall_plot
from odapi.draw.side_by_side import side_by_side
from odapi.evaluation.metric_files import as_json, write_categories
from odapi.evaluation.result import EvaluationExample, EvaluationResult
from odapi.files import write_json
from odapi.metrics.evaluator import RECALLS, ClassResult
from odapi.trackers.class_metrics import CLASS, OBJECTS
from odapi.wording import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MAX_ROWS = 30  # Of the table of classes: the best and the worst half.
_MAX_SKIPPED = 5  # Number of skipped images to name.


def metrics_table(result: EvaluationResult) -> "Table":
    """Returns a table of metrics by the original's names; a dash stands for -1."""
    from rich.table import Table

    table = Table(title=_headline(result), title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    # Metrics of single classes have their own table.
    for name, value in result.metrics.items():
        if not _of_class(name):
            table.add_row(name, _number(value))
    return table


def categories_table(categories: Sequence[ClassResult]) -> "Table":
    """Returns a table with one row per class, sorted by the first metric.

    Classes without groundtruth are at the end.
    """
    from rich.table import Table

    table = Table(title="Metrics per class, best first", title_justify="left")
    table.add_column("class")
    for title in ("objects", *(categories[0].columns() if categories else ())):
        table.add_column(title, justify="right")
    ordered = sorted(categories, key=_rank)
    half = _MAX_ROWS // 2
    for n, row in enumerate(ordered):
        if len(ordered) > _MAX_ROWS and half <= n < len(ordered) - half:
            if n == half:
                table.add_row(f"... {len(ordered) - 2 * half} more classes ...")
            continue
        values = (_number(value) for value in row.columns().values())
        table.add_row(row.name, f"{row.num_objects}", *values)
    return table


def _rank(row: ClassResult) -> tuple[float, int]:
    return -next(iter(row.columns().values()), 0.0), row.id


def notes(result: EvaluationResult) -> list[str]:
    """Returns lines about the metrics: undefined ones, skipped images, hints."""
    lines = [f"- {name}: {reason}" for name, reason in _explained(result).items()]
    if lines:
        lines.insert(0, "A dash is a metric without anything to measure (-1 in files):")
    if result.skipped:
        first = list(result.skipped.items())[:_MAX_SKIPPED]
        lines.append(f"Skipped {counted(len(result.skipped), 'image')}, for example:")
        lines += [f"- {image_id}: {reason}" for image_id, reason in first]
    return lines + [f"Hint: {hint}" for hint in result.hints]


def show(result: EvaluationResult, console: "Console") -> None:
    """Prints the tables and the notes."""
    from rich.text import Text

    console.print(metrics_table(result))
    if result.categories:
        console.print(categories_table(result.categories))
    for line in notes(result):
        console.print(Text(line))
    if result.problems:
        console.print(result.problems.table())


def drawing_threshold(result: EvaluationResult, min_score: float) -> float:
    """Returns the score from which detections are drawn.

    This is `min_score`, or half of the best score if no detection reaches it: images
    without any box would show nothing.
    """
    if not 0 < result.best_score < min_score:
        return min_score
    return 0.5 * result.best_score


def low_score_hints(result: EvaluationResult, min_score: float) -> list[str]:
    """Returns a message if no detection reaches the score from which boxes are drawn.

    Args:
        result: The result.
        min_score: `eval_config.min_score_threshold`.
    """
    lower = drawing_threshold(result, min_score)
    if lower == min_score:
        return []
    return [
        f"no detection has a score of {min_score:.2g} or more, the best has "
        f"{result.best_score:.2g}: drawn images show those of {lower:.2g} or more; "
        f"odapi predict shows them with --min-score {lower:.2g}"
    ]


def draw_example(
    result: EvaluationResult,
    example: EvaluationExample,
    min_score: float,
    max_boxes: int,
) -> np.ndarray:
    """Draws detections (left) and groundtruth (right), `[h, w, 3]` uint8.

    If no detection of the evaluation reaches `min_score`, the best ones are drawn.
    """
    return side_by_side(
        example.image,
        example.detections,
        example.groundtruth,
        result.label_map,
        min_score=drawing_threshold(result, min_score),
        max_objects=max_boxes,
        title=example.image_id,
        style=Style(edges=result.keypoint_edges),
    )


def class_rows(result: EvaluationResult) -> list[dict[str, Any]]:
    """Returns one dict per class for trackers: name, number of objects, metrics."""
    return [
        {CLASS: row.name, OBJECTS: row.num_objects, **row.columns()}
        for row in result.categories
    ]


def write_report(
    folder: str | os.PathLike,
    result: EvaluationResult,
    min_score: float = 0.5,
    max_boxes: int = 20,
) -> list[pathlib.Path]:
    """Writes an evaluation result into a folder and returns the files.

    These are `metrics.json`, `categories.csv`, `precision_recall.png`, `mosaic.png`
    and one file per drawn image in `side_by_side/`.

    Raises:
        DataError: The folder cannot be written.
    """
    folder = pathlib.Path(folder)
    files = [
        write_json(folder / "metrics.json", as_json(result)),
        write_categories(folder / "categories.csv", result),
    ]
    if result.curves:
        average = {name: float(np.mean(c)) for name, c in result.curves.items()}
        indices = {row.name: row.id - 1 for row in result.categories}
        plot = precision_recall_plot(result.curves, average, RECALLS, indices)
        files.append(save_image(folder / "precision_recall.png", plot))
    drawn = [draw_example(result, e, min_score, max_boxes) for e in result.examples]
    if drawn:
        files.append(save_image(folder / "mosaic.png", mosaic(drawn, cell=960)))
    for n, image in enumerate(drawn):
        files.append(save_image(folder / "side_by_side" / f"{n:03d}.jpg", image))
    return files


def _headline(result: EvaluationResult) -> str:
    step = "" if result.step is None else f"step {result.step}, "
    return (
        f"{step}{counted(result.num_images, 'image')}, "
        f"{counted(result.num_objects, 'object')}, "
        f"{result.images_per_second:.1f} images/s"
    )


def _number(value: float) -> str:
    return "-" if value == -1 else f"{value:.4f}"


def _explained(result: EvaluationResult) -> dict[str, str]:
    """Returns each reason once, by the names of the metrics it explains."""
    reasons: dict[str, list[str]] = {}
    shared = {n: r for n, r in result.explanations.items() if not _of_class(n)}
    kinds = {name.split("_", 1)[0] for name in shared}
    for name, reason in shared.items():
        short = name.split("_", 1)[-1] if len(kinds) == 1 else name
        reasons.setdefault(reason, []).append(short)
    lines = {", ".join(names): reason for reason, names in reasons.items()}
    absent = [row.name for row in result.categories if not row.num_objects]
    if absent and len(absent) < len(result.categories):
        shown = ", ".join(absent[:10]) + (", ..." if len(absent) > 10 else "")
        lines[shown] = f"no groundtruth object of {_classes(len(absent))}"
    return lines


def _of_class(name: str) -> bool:
    """Returns whether a metric is of one class and shown in the table of classes.

    Keypoint metrics are all of one class, and not in that table.
    """
    return "ByCategory/" in name and name.startswith("Detection")


def _classes(number: int) -> str:
    return (
        "this class" if number == 1 else f"these {counted(number, 'class', 'classes')}"
    )
