"""`odapi predict`."""

import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odapi.cli.options import Set

if TYPE_CHECKING:
    from odapi.inference.predict import Predictions

_MOST_ROWS = 20  # Images in the table.


def predict(
    checkpoint: Annotated[
        pathlib.Path,
        typer.Argument(
            help="Folder of a training (its best checkpoint), of one checkpoint, or "
            "of an export (its SavedModel is run).",
            show_default=False,
        ),
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, globs; - reads names from standard input.",
            show_default=False,
        ),
    ],
    output: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder for drawn images and detections.json."),
    ] = None,
    min_score: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Leave out objects below it.")
    ] = 0.5,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at once.")] = 8,
    draw: Annotated[
        bool, typer.Option("--draw/--no-draw", help="Draw images into --output.")
    ] = True,
    json_file: Annotated[
        pathlib.Path | None,
        typer.Option("--json", metavar="FILE", help="Where to write COCO results."),
    ] = None,
    context: Annotated[
        pathlib.Path | None,
        typer.Option(
            metavar="FILE",
            help="Memory bank of a Context R-CNN for all images: a .npy file.",
        ),
    ] = None,
    overrides: Set = None,
) -> None:
    """Find objects in images: drawn pictures, COCO results."""
    from odapi import predict as run

    found = run(
        _model(checkpoint, overrides or []),
        images,
        output=output,
        min_score=min_score,
        batch_size=batch_size,
        draw=draw,
        json_file=json_file,
        overrides=overrides or (),
        context=context,
    )
    _show(found, min_score)
    if output is None and json_file is None:
        from odapi.progress import console

        console().print("Pictures and COCO results: add --output found")


def _model(checkpoint: pathlib.Path, overrides: list[str]) -> Any:
    """The exported model itself where there is one; else the path, for loading."""
    inside = (checkpoint, checkpoint / "saved_model")
    if not any((folder / "saved_model.pb").is_file() for folder in inside):
        return checkpoint
    if overrides:
        from odapi.errors import ConfigError

        raise ConfigError(
            f"--set {overrides[0]}",
            "an exported model cannot be changed",
            hint=f"use its weights: odapi predict {checkpoint / 'checkpoint'} ..., or "
            "export again with --set",
        )
    from odapi.exporters.saved_model.saved_model import SavedModelPredictor

    return SavedModelPredictor(checkpoint)


def _show(found: "Predictions", min_score: float) -> None:
    """Prints what was found, an image a row; the rest is in the files."""
    from rich.markup import escape
    from rich.table import Table

    from odapi.progress import console

    number = sum(len(row.scores) for row in found)
    table = Table(
        title=f"{number} objects in {len(found)} images, score {min_score:g} or more",
        title_justify="left",
    )
    table.add_column("image", overflow="fold")
    table.add_column("found")
    for row in found[:_MOST_ROWS]:
        table.add_row(escape(str(row.path or row.image_id)), escape(_objects(row)))
    if len(found) > _MOST_ROWS:
        table.add_row(f"... {len(found) - _MOST_ROWS} more images", "")
    output = console(stderr=False)
    output.print(table)
    if not number:
        output.print(_nothing(found.best_score))
    if found.skipped:
        number = len(found.skipped)
        output.print(f"{number} image{'s' * (number > 1)} could NOT be read:")
        for name, reason in list(found.skipped.items())[:_MOST_ROWS]:
            output.print(f"- {name}: {reason}", markup=False)
    for path in _places(found.files):
        output.print(f"written: {path}", markup=False)


def _nothing(best: float) -> str:
    if best <= 0:
        return "Hint: no object was found at all; measure the model with `odapi eval`"
    return (
        f"Hint: the best score is {best:.2g}; --min-score {0.9 * best:.1g} shows more"
    )


def _objects(row: Any) -> str:
    """Such as "2 dog 0.93, 1 cat 0.71": how many of each class, and the best score."""
    best: dict[str, list[float]] = {}
    for label, score in zip(row.labels, row.scores, strict=True):
        best.setdefault(label, []).append(float(score))
    return ", ".join(f"{len(s)} {label} {max(s):.2f}" for label, s in best.items())


def _places(files: list[pathlib.Path]) -> list[str]:
    """The files that were written; drawn images by their folder."""
    drawn = [f for f in files if f.suffix in (".jpg", ".png")]
    places = [f"{drawn[0].parent}, {len(drawn)} images"] if drawn else []
    return places + [str(f) for f in files if f not in drawn]
