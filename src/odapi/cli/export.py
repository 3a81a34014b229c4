"""`odapi export`."""

import os
import pathlib
from typing import Annotated

import typer

from odapi.cli.options import Set


def export(
    checkpoint: Annotated[
        pathlib.Path,
        typer.Argument(
            help="Folder of a training (its best checkpoint), of one checkpoint, or "
            "of an export.",
            show_default=False,
        ),
    ],
    output: Annotated[
        pathlib.Path,
        typer.Argument(help="Folder to write to.", show_default=False),
    ],
    input_type: Annotated[
        str,
        typer.Option(
            help="What the model takes: image_tensor, float_image_tensor, "
            "encoded_image_string_tensor or tf_example; of DeepMAC also "
            "image_and_boxes_tensor."
        ),
    ] = "image_tensor",
    overrides: Set = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images a call.  [default: any number]")
    ] = None,
    untrained: Annotated[
        bool,
        typer.Option("--untrained", help="Also a detector that was never trained."),
    ] = False,
    check_image: Annotated[
        list[pathlib.Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Image to compare export and detector on, besides a made one. "
            "Repeatable.",
        ),
    ] = None,
) -> None:
    """Write a SavedModel, as the original's exporter does, and compare it.

    The folder also gets pipeline.config, label map and weights.
    """
    # Only TensorFlow writes SavedModels, whatever the training ran on.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from odapi import export as run
    from odapi.progress import console, duration

    shown = console()
    with shown.status("exporting, then comparing with the detector ..."):
        done = run(
            checkpoint,
            output,
            input_type,
            overrides or (),
            batch_size=batch_size,
            untrained=untrained,
            check_images=check_image or (),
        )
    shown.print(
        f"{done.saved_model} ({done.megabytes:.1f} MB) gives what the detector gives, "
        f"to {done.difference:.1g}.\n"
        f"It loads in {duration(done.load_seconds)}; the first prediction takes "
        f"{duration(done.first_seconds)}, the next {done.second_seconds * 1e3:.0f} ms."
    )
    shown.print(f"\nNext: odapi eval {output}")
    if input_type == "image_tensor":
        load = f"tf.saved_model.load('{done.saved_model}')"
        shown.print(f"Serve: {load}(images)  # uint8 [b, h, w, 3]")
