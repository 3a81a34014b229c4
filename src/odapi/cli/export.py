"""`odapi export`."""

import dataclasses
import pathlib
from typing import Annotated

import typer

from odapi.cli.backend import Backend, select_export_backend
from odapi.cli.options import Json, Set
from odapi.cli.output import next_step, print_json, quoted


def export(
    checkpoint: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Run folder (its best checkpoint), checkpoint folder, or export.",
            show_default=False,
        ),
    ],
    output: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="OUTPUT", help="Folder to write to.", show_default=False
        ),
    ],
    input_type: Annotated[
        str,
        typer.Option(
            help="Input of the model: image_tensor, float_image_tensor, "
            "encoded_image_string_tensor or tf_example; of DeepMAC also "
            "image_and_boxes_tensor."
        ),
    ] = "image_tensor",
    overrides: Set = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images per call.  [default: any number]")
    ] = None,
    untrained: Annotated[
        bool,
        typer.Option("--untrained", help="Allow a detector that was never trained."),
    ] = False,
    check_image: Annotated[
        list[pathlib.Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Image on which export and detector are compared, besides a "
            "synthetic one. Repeatable.",
        ),
    ] = None,
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Export a SavedModel with the original's signatures, and verify it.

    The folder also holds pipeline.config, label map and weights.
    """
    select_export_backend(backend)
    from odapi import export as run
    from odapi.console import console, waiting
    from odapi.progress import duration

    shown = console()
    with waiting("Exporting and verifying"):
        done = run(
            checkpoint,
            output,
            input_type,
            overrides or (),
            batch_size=batch_size,
            untrained=untrained,
            check_images=check_image or (),
        )
    if as_json:
        print_json(dataclasses.asdict(done))
        return
    shown.print(
        f"Exported {done.saved_model} ({done.megabytes:.1f} MB); largest difference "
        f"from the detector: {done.difference:.1g}.\n"
        f"Loading takes {duration(done.load_seconds)}, the first prediction "
        f"{duration(done.first_seconds)}, the next {done.second_seconds * 1e3:.0f} ms."
    )
    next_step(f"odapi eval {quoted(output)}", f"odapi predict {quoted(output)} IMAGES")
    if input_type == "image_tensor":
        load = f"tf.saved_model.load('{done.saved_model}')"
        shown.print(f"Serve: {load}(images)  # uint8 [b, h, w, 3]")
