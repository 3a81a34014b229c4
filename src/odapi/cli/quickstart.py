"""`odapi quickstart`."""

import pathlib
from typing import Annotated, Any

import typer

from odapi.cli.backend import Backend, select_backend
from odapi.cli.options import Device, Json, Set, select_device
from odapi.cli.output import next_step, print_json
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
    train_images: Annotated[
        int, typer.Option(min=1, help="Number of images to train on.")
    ] = 2000,
    eval_images: Annotated[
        int, typer.Option(min=1, help="Number of held-out images.")
    ] = 150,
    device: Device = None,
    overrides: Set = None,
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Make a dataset, train on it, evaluate, export and predict, in minutes.

    Export needs TensorFlow; without it the trained detector predicts.
    """
    select_backend(backend)
    select_device(device)
    from odapi.quickstart.quickstart import as_json as to_json
    from odapi.quickstart.quickstart import quickstart as run

    summary = run(
        output, seed, objects, tuple(overrides or ()), train_images, eval_images
    )
    if as_json:
        print_json(to_json(summary))
    else:
        _show(summary)


def _show(summary: Any) -> None:
    from rich.table import Table

    from odapi.console import console
    from odapi.progress import duration

    table = Table(title="Quick start", show_header=False, title_justify="left")
    images = summary.images
    kinds = f"{counted(len(summary.classes), 'class', 'classes')} of {summary.objects}"
    table.add_row("Data", f"{images['train']} + {images['val']} images, {kinds}")
    steps = counted(summary.steps, "step")
    table.add_row("Training", f"{steps} from random weights on {summary.backend}")
    for name, label in (
        ("DetectionBoxes_Precision/mAP@.50IOU", "mAP@.50 on held-out objects"),
        ("DetectionBoxes_Precision/mAP", "mAP on held-out objects"),
    ):
        table.add_row(label, f"{summary.metrics[name]:.3f}")
    table.add_row("Export", _export(summary))
    seconds = [f"{k} {duration(v)}" for k, v in summary.seconds.items()]
    table.add_row("Time", ", ".join(seconds))
    table.add_row("Images", str(summary.mosaic))
    table.add_row("Summary", str(summary.folder / "summary.json"))
    shown = console(stderr=False)
    shown.print(table)
    next_step(summary.next_command)


def _export(summary: Any) -> str:
    if summary.difference is None:
        return 'skipped: needs TensorFlow: pip install "odapi[tensorflow]"'
    return f"differs from the detector by {summary.difference:.1g}"
