"""`odapi export`."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from odapi.cli.backend import Backend, select_export_backend
from odapi.cli.options import Json, Set
from odapi.cli.output import next_step, print_json, print_table, quoted, table
from odapi.wording import counted

if TYPE_CHECKING:
    from odapi.exporters.exported import Exported

_FEW_EQUAL = 0.9  # Share of equal detections below which there is a warning.


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
    format: Annotated[
        list[str] | None,
        typer.Option(
            help="saved_model, tflite, onnx or openvino. Repeatable, or separated by "
            "commas.  [default: saved_model]"
        ),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            help="float32, float16, dynamic (8-bit weights) or int8. Repeatable, or "
            "separated by commas: each format is written in those that it has.  "
            "[default: float32]"
        ),
    ] = None,
    input_type: Annotated[
        str,
        typer.Option(
            help="Input of the model: image_tensor or float_image_tensor; of a "
            "SavedModel also encoded_image_string_tensor or tf_example, and of DeepMAC "
            "image_and_boxes_tensor."
        ),
    ] = "image_tensor",
    tflite_nms: Annotated[
        str,
        typer.Option(
            help="NMS of TFLite files: graph, equal to the detector; fast or regular, "
            "in the operator TFLite_Detection_PostProcess."
        ),
    ] = "graph",
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
            help="Image on which files and detector are compared. Repeatable. Default: "
            "images of --verify-data; in float32 also a synthetic one.",
        ),
    ] = None,
    calibration_data: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET",
            help="Dataset on which int8 measures the ranges of activations. Default: "
            "the training data.",
        ),
    ] = None,
    calibration_images: Annotated[
        int, typer.Option(min=1, help="Number of its images that are used.")
    ] = 100,
    verify_data: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET",
            help="Dataset, such as coco:val.json, on which the mAP of the detector and "
            "of each file is measured.",
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Largest loss of mAP on --verify-data.  [default: 0.01; int8: 0.02]",
        ),
    ] = None,
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Export a model for serving and devices, and verify each file.

    The folder also holds pipeline.config, label map, weights and export.json.
    """
    select_export_backend(backend)
    from odapi import export as run
    from odapi.console import console, waiting

    shown = console()
    with waiting("Exporting and verifying"):
        done = run(
            checkpoint,
            output,
            input_type,
            overrides or (),
            format=format or "saved_model",
            precision=precision or "float32",
            tflite_nms=tflite_nms,
            batch_size=batch_size,
            untrained=untrained,
            check_images=check_image or (),
            calibration_data=calibration_data,
            calibration_images=calibration_images,
            verify_data=verify_data,
            max_drop=max_drop,
        )
    if as_json:
        print_json(dataclasses.asdict(done))
        return
    _print_files(done)
    model = output if len(done.files) == 1 else done.files[0].path
    next_step(f"odapi eval {quoted(model)}", f"odapi predict {quoted(model)} IMAGES")
    if input_type == "image_tensor" and done.files[0].format == "saved_model":
        load = f"tf.saved_model.load('{done.saved_model}')"
        shown.print(f"Serve: {load}(images)  # uint8 [b, h, w, 3]")


def _print_files(done: "Exported") -> None:
    """Prints one row per exported file."""
    from odapi.console import console
    from odapi.progress import duration

    measured = any(file.drop is not None for file in done.files)
    columns = ["file", "format", "MB", "load", "first", "next", "difference", "equal"]
    shown = table(*columns, *(["mAP", "detector"] if measured else []))
    for file in done.files:
        row = [
            file.path.name,
            file.title,
            f"{file.megabytes:.1f}",
            duration(file.load_seconds),
            duration(file.first_seconds),
            f"{file.second_seconds * 1e3:.0f} ms",
            f"{file.difference:.1g}",
            f"{file.equal_detections:.1%}",
        ]
        if measured:
            row += [f"{file.map_exported:.3f}", f"{file.map_detector:.3f}"]
        shown.add_row(*row)
    console().print(f"Exported to {done.folder}:")
    print_table(shown)
    number = counted(done.files[0].images, "image")
    console().print(
        f"Compared with the detector on {number}: largest relative difference of a "
        "score or raw box, and share of equal detections (class, IoU 0.9)."
    )
    for file in done.files:
        if file.equal_detections < _FEW_EQUAL and file.drop is None:
            console().print(
                f"warning: {file.path.name}: only {file.equal_detections:.0%} of its "
                "detections equal the detector's; measure its mAP with --verify-data"
            )
