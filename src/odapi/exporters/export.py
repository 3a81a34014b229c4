"""`odapi.export`: exports a checkpoint and verifies the exported files."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from odapi.arguments import check_count
from odapi.errors import CheckpointError, ConfigError, DataError
from odapi.exporters.exported import Exported
from odapi.exporters.exporter import Exporter, ExportOptions
from odapi.exporters.formats import chosen_files
from odapi.exporters.sample_images import CALIBRATION_IMAGES
from odapi.files import read_image_file
from odapi.outputs.folder import OutputFolder
from odapi.outputs.kinds import EXPORT
from odapi.runtime import backend

if TYPE_CHECKING:
    from odapi.checkpoints.load_detector import LoadedDetector

_VERIFY_IMAGES = 8


def export(  # noqa: PLR0913 (keyword arguments of the public API)
    checkpoint: str | os.PathLike,
    output_dir: str | os.PathLike,
    input_type: str = "image_tensor",
    overrides: Sequence[str] = (),
    *,
    format: str | Sequence[str] = "saved_model",
    precision: str | Sequence[str] = "float32",
    tflite_nms: str = "graph",
    batch_size: int | None = None,
    untrained: bool = False,
    check_images: Sequence[str | os.PathLike] = (),
    calibration_data: str | None = None,
    calibration_images: int = CALIBRATION_IMAGES,
    verify_data: str | None = None,
    max_drop: float | None = None,
) -> Exported:
    """Exports a trained detector for serving and devices.

        odapi.export("runs/first", "exported", format=["saved_model", "onnx"])
        detections = tf.saved_model.load("exported/saved_model")(images)

    Each file is loaded and compared with the detector before anything is written to
    `output_dir`. If Keras runs on a backend that cannot export, the export runs in a
    separate process.

    Args:
        checkpoint: A model_dir (its best checkpoint, else the last), a checkpoint
            folder, or a folder written by this function.
        output_dir: A new folder, or that of an earlier export, which is replaced.
        input_type: "image_tensor" (uint8 images) or "float_image_tensor"; SavedModels
            also have "encoded_image_string_tensor" (image files), "tf_example" and, of
            DeepMAC, "image_and_boxes_tensor", with boxes as a second input.
        overrides: Config overrides, for example
            "model.ssd.post_processing.batch_non_max_suppression.score_threshold=0.3".
        format: One of `EXPORTERS`, or several.
        precision: One or several; each format is written in those that it has.
        tflite_nms: NMS of TFLite files: "graph", equal to the detector; or, in the
            custom operator TFLite_Detection_PostProcess, "fast", where boxes compete
            across classes, or "regular".
        batch_size: Images per call; None: any number.
        untrained: Export even if the detector was not trained for a single step.
        check_images: Image files to compare on; none: images of `verify_data`. In
            float32 there is also a synthetic image.
        calibration_data: Dataset on which int8 measures the ranges of activations;
            None: the training data of the config.
        calibration_images: Number of its images that are used.
        verify_data: Dataset on which the mAP of the detector and of each file is
            measured.
        max_drop: Largest loss of mAP; None: 0.01, and 0.02 of int8.

    Raises:
        CheckpointError: There is no checkpoint, or it is not trained.
        ConfigError: A format or a precision is unknown, an override is invalid, or the
            model cannot be exported.
        DataError: An image or `verify_data` cannot be read.
        OutputError: The folder has files that odapi did not write, or cannot be
            written.
        ExportError: The results of an exported file differ from the detector's.
        MissingPackageError: A package that a format needs is not installed.
    """
    chosen = chosen_files(_several(format), _several(precision))
    if batch_size is not None:
        check_count("batch_size", batch_size)
    check_count("calibration_images", calibration_images)
    if max_drop is not None and not 0 <= max_drop <= 1:
        raise ConfigError("max_drop", f"must be in [0, 1], got {max_drop}")
    output = OutputFolder(output_dir, EXPORT)
    arguments: dict[str, Any] = {
        "checkpoint": os.fspath(checkpoint),
        "output_dir": os.fspath(output.path),
        "input_type": input_type,
        "overrides": list(overrides),
        "format": list(_several(format)),
        "precision": list(_several(precision)),
        "tflite_nms": tflite_nms,
        "batch_size": batch_size,
        "untrained": untrained,
        "check_images": [os.fspath(path) for path in check_images],
        "calibration_data": calibration_data,
        "calibration_images": calibration_images,
        "verify_data": verify_data,
        "max_drop": max_drop,
    }
    files = [
        (exporter, ExportOptions(input_type, batch_size, one, tflite_nms))
        for exporter, one in chosen
    ]
    for exporter, options in files:
        exporter.check(options)
    backend.load()
    import keras

    needed = files[0][0].backend
    if keras.backend.backend() != needed:
        from odapi.exporters.export_process import export_in_process

        return export_in_process(arguments, needed)
    loaded = _load(arguments["checkpoint"], arguments["overrides"], untrained)
    return _write(loaded, output, files, arguments)


def _several(value: str | Sequence[str]) -> Sequence[str]:
    """Returns the names in a list, or in a text with commas."""
    parts = [value] if isinstance(value, str) else value
    return [name.strip() for part in parts for name in part.split(",")]


def _load(checkpoint: str, overrides: list[str], untrained: bool) -> "LoadedDetector":
    from odapi.checkpoints.load_detector import load_detector

    loaded = load_detector(checkpoint, overrides)
    if loaded.step == 0 and not untrained:
        raise CheckpointError(
            str(loaded.folder),
            "is not trained: it was saved at step 0",
            hint="train it first, or export it nevertheless with --untrained",
        )
    return loaded


def _write(
    loaded: "LoadedDetector",
    output: OutputFolder,
    files: list[tuple[Exporter, ExportOptions]],
    arguments: dict[str, Any],
) -> Exported:
    from odapi.exporters.export_folder import write_folder
    from odapi.exporters.map_drop import MapDrop
    from odapi.exporters.sample_images import calibration_images

    channels = loaded.detector.num_channels
    images = [_read_image(path, channels) for path in arguments["check_images"]]
    data = arguments["verify_data"]
    drop = MapDrop(loaded, data, arguments["max_drop"]) if data else None
    options = [options for _, options in files]
    calibration = ()
    if any(one.precision == "int8" for one in options):
        calibration = calibration_images(
            loaded.config,
            arguments["calibration_data"],
            arguments["calibration_images"],
        )
    images = images or (drop.images(_VERIFY_IMAGES) if drop else [])
    written = write_folder(loaded, output, files, images, drop, calibration)
    return Exported(output.path, loaded.folder, arguments["input_type"], written)


def _read_image(path: str, channels: int) -> Any:
    from odapi.data.image.decode import decode_image

    try:
        return decode_image(read_image_file(path), path, channels=channels)
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror}") from error
