"""`odapi quickstart`."""

import pathlib
from typing import Annotated, Any

import typer

from odapi.cli.options import Set


def quickstart(
    output: Annotated[
        pathlib.Path,
        typer.Option(help="Folder for everything; an earlier quick start is replaced."),
    ] = pathlib.Path("runs/quickstart"),
    seed: Annotated[
        int, typer.Option(min=0, help="Of pictures, weights and order.")
    ] = 0,
    objects: Annotated[
        str | None,
        typer.Option(
            help="digits or shapes.  [default: digits, if scikit-learn is installed]",
            show_default=False,
        ),
    ] = None,
    overrides: Set = None,
) -> None:
    """Make a data set, train on it, evaluate, export and predict, in minutes."""
    from odapi.quickstart.quickstart import quickstart as run

    summary = run(output, seed, objects, tuple(overrides or ()))
    _show(summary)


def _show(summary: Any) -> None:
    from rich.table import Table

    from odapi.progress import console, duration

    table = Table(title="Quick start", show_header=False, title_justify="left")
    images = summary.images
    kinds = f"{len(summary.classes)} classes of {summary.objects}"
    table.add_row("Data", f"{images['train']} + {images['val']} pictures, {kinds}")
    table.add_row("Training", f"{summary.steps} steps, from nothing")
    for name, label in (
        ("DetectionBoxes_Precision/mAP@.50IOU", "mAP@.50 on held-out objects"),
        ("DetectionBoxes_Precision/mAP", "mAP on held-out objects"),
    ):
        table.add_row(label, f"{summary.metrics[name]:.3f}")
    table.add_row("Export against detector", f"differs by {summary.difference:.1g}")
    seconds = [f"{k} {duration(v)}" for k, v in summary.seconds.items()]
    table.add_row("Time", ", ".join(seconds))
    table.add_row("Pictures", str(summary.picture))
    table.add_row("Summary", str(summary.folder / "summary.json"))
    shown = console(stderr=False)
    shown.print(table, soft_wrap=False)
    shown.print(f"\nNext: {summary.next_command}")
