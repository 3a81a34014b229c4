"""`odapi predict`."""

import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from odapi.cli.backend import Backend, select_backend
from odapi.cli.options import (
    ClassNames,
    Device,
    Json,
    LabelMapFile,
    MaxDetections,
    MinScore,
    ModelBatch,
    Set,
    select_device,
)
from odapi.cli.output import next_step, print_json, quoted
from odapi.cli.tile_options import OVERLAP, Tile, TileOverlap, TileWhole, tiling
from odapi.wording import counted

if TYPE_CHECKING:
    from odapi.inference.predictions import Predictions

_MAX_ROWS = 20  # Images in the table.


def predict(
    model: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="MODEL",
            help="Run folder (its best checkpoint), checkpoint folder, exported folder "
            "(its SavedModel is run), or a SavedModel, .tflite, .onnx or OpenVINO .xml "
            "file.",
            show_default=False,
        ),
    ],
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Files, folders, globs; - reads names from standard input.",
            show_default=False,
        ),
    ],
    output: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder for drawn images and detections.json."),
    ] = None,
    min_score: MinScore = 0.5,
    classes: ClassNames = None,
    max_detections: MaxDetections = None,
    batch_size: ModelBatch = 8,
    draw: Annotated[
        bool, typer.Option("--draw/--no-draw", help="Draw images into --output.")
    ] = True,
    coco_results: Annotated[
        pathlib.Path | None,
        typer.Option(
            metavar="FILE",
            help="File for COCO results.  [default: detections.json in --output]",
        ),
    ] = None,
    save_txt: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="DIR", help="Write a YOLO dataset (txt, data.yaml)."),
    ] = None,
    save_voc: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="DIR", help="Write a Pascal VOC dataset (XML)."),
    ] = None,
    save_coco: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="DIR", help="Write a COCO dataset (JSON)."),
    ] = None,
    save_csv: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="FILE", help="Write a CSV file, one row per object."),
    ] = None,
    save_crop: Annotated[
        pathlib.Path | None,
        typer.Option(
            metavar="DIR", help="Write the part of the image within each box."
        ),
    ] = None,
    label_map: LabelMapFile = None,
    tile: Tile = None,
    tile_overlap: TileOverlap = OVERLAP,
    tile_whole: TileWhole = True,
    as_json: Json = False,
    context: Annotated[
        pathlib.Path | None,
        typer.Option(
            metavar="FILE",
            help="Memory bank of a Context R-CNN for all images: a .npy file.",
        ),
    ] = None,
    device: Device = None,
    overrides: Set = None,
    backend: Backend = None,
) -> None:
    """Find objects in images: drawn images, COCO results, datasets to train on."""
    select_backend(backend)
    select_device(device)
    from odapi import predict as run

    found = run(
        model,
        source,
        min_score,
        classes=classes,
        max_detections=max_detections,
        batch_size=batch_size,
        tile=tiling(tile, tile_overlap, tile_whole),
        label_map=label_map,
        overrides=overrides or (),
        context=context,
        output=output,
        draw=draw,
        coco_results=coco_results,
        save_txt=save_txt,
        save_voc=save_voc,
        save_coco=save_coco,
        save_csv=save_csv,
        save_crop=save_crop,
    )
    if as_json:
        print_json(found.to_json())
        return
    _show(found, min_score)
    _next_steps(model, found, {"yolo": save_txt, "voc": save_voc, "coco": save_coco})


def _show(found: "Predictions", min_score: float) -> None:
    """Prints one row per image; all results are in the files."""
    from rich.table import Table

    from odapi.console import console
    from odapi.inference.image_files import ignored_files

    number = sum(len(row) for row in found)
    objects = counted(number, "object")
    images = counted(len(found), "image")
    table = Table(
        title=f"{objects} in {images}, score {min_score:g} or more",
        title_justify="left",
    )
    table.add_column("image", overflow="fold")
    table.add_column("found")
    for row in found[:_MAX_ROWS]:
        summary = row.summary() if len(row) else ""
        table.add_row(str(row.path or row.image_id), summary)
    if len(found) > _MAX_ROWS:
        table.add_row(f"... {len(found) - _MAX_ROWS} more images", "")
    output = console(stderr=False)
    output.print(table)
    if not number:
        output.print(_nothing(found.best_score))
    if found.skipped:
        output.print(f"Skipped {counted(len(found.skipped), 'image')}:")
        for name, reason in list(found.skipped.items())[:_MAX_ROWS]:
            output.print(f"- {name}: {reason}")
    if found.ignored:
        output.print(f"not looked at: {ignored_files(found.ignored)}")
    for path in _places(found.files):
        output.print(f"Wrote {path}")


def _next_steps(
    model: pathlib.Path,
    found: "Predictions",
    datasets: dict[str, pathlib.Path | None],
) -> None:
    """Prints commands for the datasets written; without files, how to get them."""
    written = {kind: path for kind, path in datasets.items() if path is not None}
    steps = [
        f"odapi data inspect {quoted(f'{k}:{path}')}" for k, path in written.items()
    ]
    if not found.files:
        steps.append(
            f"odapi predict {quoted(model)} ... --output found writes drawn images and "
            "COCO results"
        )
    next_step(*steps)


def _nothing(best: float) -> str:
    if best <= 0:
        return "Hint: no object has a score above 0; evaluate the model: odapi eval"
    return (
        f"Hint: the best score is {best:.2g}; --min-score {0.9 * best:.1g} shows more"
    )


def _places(files: list[pathlib.Path]) -> list[str]:
    """Returns the files written; drawn images by their folder."""
    drawn = [f for f in files if f.suffix in (".jpg", ".png")]
    places = [f"{drawn[0].parent} ({counted(len(drawn), 'image')})"] if drawn else []
    return places + [str(f) for f in files if f not in drawn]
