"""`odapi quickstart`."""

import pathlib
from typing import Annotated, Any

import typer

from odapi.cli.options import Device, Json, Set, select_device
from odapi.cli.output import print_json
from odapi.wording import counted


def quickstart(
    output: Annotated[
        pathlib.Path,
        typer.Option(help="Output folder; an earlier quick start is replaced."),
    ] = pathlib.Path("runs/quickstart"),
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of images, weights and order.")
    ] = 0,
    objects: Annotated[
        str | None,
        typer.Option(
            help="digits or shapes.  [default: digits, if scikit-learn is installed]",
            show_default=False,
        ),
    ] = None,
    device: Device = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Make a dataset, train on it, evaluate, export and predict, in minutes."""
    select_device(device)
    from odapi.quickstart.quickstart import as_json as to_json
    from odapi.quickstart.quickstart import quickstart as run

    summary = run(output, seed, objects, tuple(overrides or ()))
    if as_json:
        print_json(to_json(summary))
    else:
        _show(summary)


def _show(summary: Any) -> None:
    from rich.table import Table

    from odapi.progress import console, duration

    table = Table(title="Quick start", show_header=False, title_justify="left")
    images = summary.images
    kinds = f"{counted(len(summary.classes), 'class', 'classes')} of {summary.objects}"
    table.add_row("Data", f"{images['train']} + {images['val']} images, {kinds}")
    table.add_row("Training", f"{counted(summary.steps, 'step')} from random weights")
    for name, label in (
        ("DetectionBoxes_Precision/mAP@.50IOU", "mAP@.50 on held-out objects"),
        ("DetectionBoxes_Precision/mAP", "mAP on held-out objects"),
    ):
        table.add_row(label, f"{summary.metrics[name]:.3f}")
    table.add_row("Export", f"differs from the detector by {summary.difference:.1g}")
    seconds = [f"{k} {duration(v)}" for k, v in summary.seconds.items()]
    table.add_row("Time", ", ".join(seconds))
    table.add_row("Images", str(summary.mosaic))
    table.add_row("Summary", str(summary.folder / "summary.json"))
    shown = console(stderr=False)
    shown.print(table)
    shown.print(f"\nNext: {summary.next_command}")
