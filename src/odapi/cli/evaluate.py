"""`odapi eval`."""

import pathlib
from typing import Annotated

import typer

from odapi.cli.backend import Backend, select_backend
from odapi.cli.options import (
    Device,
    EvalData,
    Json,
    LabelMapFile,
    Set,
    Tracker,
    select_device,
)
from odapi.cli.output import next_step, print_json, quoted
from odapi.cli.tile_options import OVERLAP, Tile, TileOverlap, TileWhole, tiling
from odapi.console import write_line


def evaluate(
    checkpoint: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Run folder (its best checkpoint), checkpoint folder, export (its "
            "weights), or a SavedModel, .tflite, .onnx or OpenVINO .xml file, "
            "which is run.",
            show_default=False,
        ),
    ],
    eval_data: EvalData = None,
    device: Device = None,
    overrides: Set = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Images per batch. Default: from the config."),
    ] = None,
    output: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="Folder for metrics.json, detections.json (COCO results), tables "
            "and images."
        ),
    ] = None,
    losses: Annotated[bool, typer.Option(help="Also compute the losses.")] = False,
    label_map: LabelMapFile = None,
    tile: Tile = None,
    tile_overlap: TileOverlap = OVERLAP,
    tile_whole: TileWhole = True,
    max_images: Annotated[
        int, typer.Option(min=0, help="Maximum number of images; 0: all.")
    ] = 0,
    tracker: Tracker = None,
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Evaluate a trained detector: COCO metrics, tables, images."""
    select_backend(backend)
    select_device(device)
    from odapi import evaluate as run

    result = run(
        checkpoint,
        eval_data,
        overrides or (),
        batch_size=batch_size,
        output=output,
        with_losses=losses,
        max_images=max_images,
        label_map=label_map,
        tile=tiling(tile, tile_overlap, tile_whole),
        trackers=tracker or (),
    )
    if as_json:
        from odapi.evaluation.metric_files import as_json as to_json

        print_json(to_json(result))
        return
    from odapi.console import console
    from odapi.evaluation.result_report import show

    show(result, console(stderr=False))
    _next_step(checkpoint, output, can_export=result.step is not None)


def _next_step(
    checkpoint: pathlib.Path, output: pathlib.Path | None, can_export: bool
) -> None:
    model = quoted(checkpoint)
    steps = [f"odapi predict {model} IMAGES --output found"]
    if can_export:
        steps.append(f"odapi export {model} exported")
    if output is None:
        steps.append(f"odapi eval {model} --output evaluation writes tables and images")
    else:
        write_line(f"Saved tables and images to {output}", stderr=True)
    next_step(*steps)
