"""`odapi tools predict` and `odapi tools infer-detections`."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

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
from odapi.console import write_line
from odapi.errors import DataError
from odapi.wording import counted

if TYPE_CHECKING:
    from odapi.labels import LabelMap
    from odapi.tools.predict_images import PredictionRun

_MAX_ROWS = 10  # Skipped images that are listed.
_MODEL: Any = typer.Argument(
    metavar="MODEL",
    help="Run folder (its best checkpoint), checkpoint folder, exported folder (its "
    "SavedModel is run), or a SavedModel.",
    show_default=False,
)


def predict(
    context: typer.Context,
    model: Annotated[str, _MODEL],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder or a glob in quotes; a .txt file with one path per line; a "
            "dataset, such as coco:PATH; or TFRecord files of tf.Example.",
            show_default=False,
        ),
    ],
    output: Annotated[
        pathlib.Path,
        typer.Option(
            metavar="DIR",
            help="Folder for the shards. If it has an interrupted run of the same "
            "command, only the missing shards are computed.",
        ),
    ],
    shards: Annotated[
        int,
        typer.Option(
            "--num-shards", min=0, help="Number of shards; 0: one per 1000 images."
        ),
    ] = 0,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="jsonl or tfrecord; repeatable.  [default: both]",
        ),
    ] = None,
    image_pixels: Annotated[
        bool,
        typer.Option(
            "--image-pixels/--no-image-pixels",
            help="Write the images into the TFRecord files, too.",
        ),
    ] = False,
    min_score: MinScore = 0.5,
    classes: ClassNames = None,
    max_detections: MaxDetections = None,
    batch_size: ModelBatch = 8,
    label_map: LabelMapFile = None,
    tile: Tile = None,
    tile_overlap: TileOverlap = OVERLAP,
    tile_whole: TileWhole = True,
    memory: Annotated[
        pathlib.Path | None,
        typer.Option(
            "--context",
            metavar="FILE",
            help="Memory bank of a Context R-CNN for all images: a .npy file.",
        ),
    ] = None,
    as_json: Json = False,
    device: Device = None,
    overrides: Set = None,
    backend: Backend = None,
) -> None:
    """Predict on millions of images, in shards; an interrupted run is resumed."""
    _check_beam_arguments(context.args)
    select_backend(backend)
    select_device(device)
    from odapi.tools.predict_images import predict_images
    from odapi.tools.prediction_job import FORMATS, PredictionOptions

    options = PredictionOptions(
        min_score=min_score,
        classes=classes,
        max_detections=max_detections,
        batch_size=batch_size,
        tile=tiling(tile, tile_overlap, tile_whole),
        overrides=tuple(overrides or ()),
        label_map=_label_map(label_map),
        context=None if memory is None else str(memory),
        formats=tuple(formats or FORMATS),
        image_pixels=image_pixels,
        device=device,
    )
    run = predict_images(model, source, str(output), options, shards, context.args)
    if as_json:
        print_json(run.to_json())
    else:
        _show(run, min_score, options.formats)
    if run.skipped and not run.images:
        raise typer.Exit(1)


def _check_beam_arguments(arguments: list[str]) -> None:
    """Raises an error for image files where options of Beam are expected."""
    if arguments and not arguments[0].startswith("-"):
        raise DataError(
            "SOURCE",
            f"is one argument, and {arguments[0]!r} follows it",
            hint="quote a glob: 'images/*.jpg'; options of Beam follow after --",
        )


def _label_map(path: pathlib.Path | None) -> "LabelMap | None":
    if path is None:
        return None
    from odapi.config.label_map import load_label_map

    return load_label_map(path.expanduser())


def _show(run: "PredictionRun", min_score: float, formats: Sequence[str]) -> None:
    images, objects = counted(run.images, "image"), counted(run.objects, "object")
    write_line(f"{objects} in {images}, score {min_score:g} or more")
    before = run.shards - run.computed
    resumed = f", {before} of them by an earlier run" if before else ""
    write_line(f"Wrote {counted(run.shards, 'shard')} to {run.folder}{resumed}")
    if run.images and not run.objects:
        write_line(f"Hint: the best score is {run.best_score:.2g}")
    if run.skipped:
        skipped = counted(len(run.skipped), "image")
        write_line(f"Skipped {skipped}, listed in {run.folder / 'skipped.jsonl'}:")
        for image_id, name, reason in run.skipped[:_MAX_ROWS]:
            write_line(f"- {name or image_id}: {reason}")
        if len(run.skipped) > _MAX_ROWS:
            write_line("- ...")
    if "jsonl" in formats and run.images:
        first = run.folder / f"detections-00000-of-{run.shards:05d}.jsonl"
        next_step(f"head -n 1 {quoted(first)}")


def infer(
    paths: Annotated[
        str,
        typer.Option(
            "--input-tfrecord-paths",
            "--input_tfrecord_paths",
            metavar="FILES",
            help="TFRecord files of tf.Example, separated by commas; or globs.",
        ),
    ],
    output: Annotated[
        pathlib.Path,
        typer.Option(
            "--output-tfrecord-path",
            "--output_tfrecord_path",
            metavar="FILE",
            help="TFRecord file to write.",
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--inference-graph",
            "--inference_graph",
            metavar="MODEL",
            help="Run folder, checkpoint folder, exported folder or SavedModel.",
        ),
    ],
    discard: Annotated[
        bool,
        typer.Option(
            "--discard-image-pixels/--no-discard-image-pixels",
            "--discard_image_pixels/--nodiscard_image_pixels",
            help="Leave the images out of the written records.",
        ),
    ] = False,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Images per call of the model.")
    ] = 8,
    as_json: Json = False,
    device: Device = None,
    backend: Backend = None,
) -> None:
    """Add detections to the records of a dataset: image/detection/*, as the original.

    Apache Beam is not needed.
    """
    select_backend(backend)
    select_device(device)
    from odapi.tools.infer_detections import infer_detections

    numbers = infer_detections(
        [part for part in paths.split(",") if part], output, model, discard, batch_size
    )
    if as_json:
        print_json(numbers)
    else:
        write_line(
            f"Read {counted(numbers['read'], 'record')}, wrote {numbers['written']} "
            f"with {counted(numbers['detections'], 'detection')} to {output}"
        )
    if not numbers["written"]:
        raise typer.Exit(1)
    if not as_json and not discard:
        next_step(f"odapi data inspect {quoted(f'tfrecord:{output}')}")
