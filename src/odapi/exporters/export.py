"""`odapi.export`: exports a checkpoint and verifies the exported model."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from odapi.arguments import check_count
from odapi.errors import CheckpointError, DataError
from odapi.exporters.exporter import Exporter, ExportOptions
from odapi.exporters.formats import exporter_of
from odapi.files import (
    move_into_place,
    read_image_file,
    remove_unfinished,
    unfinished_path,
)
from odapi.outputs.folder import OutputFolder
from odapi.outputs.kinds import EXPORT
from odapi.runtime import backend

if TYPE_CHECKING:
    from odapi.checkpoints.load_detector import LoadedDetector
    from odapi.exporters.verify import Verification

_PARTS = ("checkpoint", "pipeline.config", "label_map.pbtxt")
_KEYPOINTS = "keypoint_label_map.pbtxt"  # Of models with keypoints.


@dataclasses.dataclass(frozen=True)
class Exported:
    """Result of an export.

    Args:
        folder: With the exported model, `checkpoint/`, `pipeline.config` and
            `label_map.pbtxt`.
        format: For example "saved_model".
        checkpoint: The checkpoint that was exported.
        input_type: Of the default entry point.
        megabytes: Size of the exported model.
        difference: Largest difference from the detector's raw boxes and scores,
            relative to their largest value.
        load_seconds, first_seconds, second_seconds: Duration of loading, of the first
            call, and of the call after it.
    """

    folder: pathlib.Path
    format: str
    checkpoint: pathlib.Path
    input_type: str
    megabytes: float
    difference: float
    load_seconds: float
    first_seconds: float
    second_seconds: float

    @property
    def model(self) -> pathlib.Path:
        """The exported model: a file or a folder in `folder`."""
        return self.folder / exporter_of(self.format).filename

    @property
    def saved_model(self) -> pathlib.Path:
        """The SavedModel, for `tf.saved_model.load` and TensorFlow Serving."""
        return self.folder / exporter_of("saved_model").filename


def export(
    checkpoint: str | os.PathLike,
    output_dir: str | os.PathLike,
    input_type: str = "image_tensor",
    overrides: Sequence[str] = (),
    *,
    format: str = "saved_model",
    batch_size: int | None = None,
    untrained: bool = False,
    check_images: Sequence[str | os.PathLike] = (),
) -> Exported:
    """Exports a trained detector for serving.

        odapi.export("runs/first", "exported")
        detections = tf.saved_model.load("exported/saved_model")(images)

    The SavedModel has the names, types and shapes of the original's exporter, and
    needs TensorFlow only. The exported model is loaded and compared with the detector
    before anything is written to `output_dir`. If Keras runs on a backend that cannot
    export, the export runs in a separate process.

    Args:
        checkpoint: A model_dir (its best checkpoint, else the last), a checkpoint
            folder, or a folder written by this function.
        output_dir: A new folder, or that of an earlier export, which is replaced.
        input_type: "image_tensor" (uint8 images), "float_image_tensor",
            "encoded_image_string_tensor" (image files) or "tf_example"; DeepMAC also
            supports "image_and_boxes_tensor", with boxes as a second input.
        overrides: Config overrides, for example
            "model.ssd.post_processing.batch_non_max_suppression.score_threshold=0.3".
        format: Only "saved_model" for now.
        batch_size: Images per call; None: any number.
        untrained: Export even if the detector was not trained for a single step.
        check_images: Image files to compare on, in addition to a synthetic image.

    Raises:
        CheckpointError: There is no checkpoint, or it is not trained.
        ConfigError: The format is unknown, an override is invalid, or the model cannot
            be exported.
        OutputError: The folder has files that odapi did not write, or cannot be
            written.
        ExportError: The outputs of the exported model differ from the detector's.
        MissingPackageError: A package that the format needs is not installed.
    """
    exporter = exporter_of(format)
    if batch_size is not None:
        check_count("batch_size", batch_size)
    output = OutputFolder(output_dir, EXPORT)
    arguments: dict[str, Any] = {
        "checkpoint": os.fspath(checkpoint),
        "output_dir": os.fspath(output.path),
        "input_type": input_type,
        "overrides": list(overrides),
        "format": format,
        "batch_size": batch_size,
        "untrained": untrained,
        "check_images": [os.fspath(path) for path in check_images],
    }
    options = ExportOptions(input_type, batch_size)
    exporter.check(options)
    backend.load()
    import keras

    if keras.backend.backend() != exporter.backend:
        from odapi.exporters.export_process import export_in_process

        return Exported(**export_in_process(arguments, exporter.backend))
    loaded = _load(arguments["checkpoint"], arguments["overrides"], untrained)
    channels = loaded.detector.num_channels
    images = [_read_image(path, channels) for path in arguments["check_images"]]
    verification, megabytes = _write(loaded, output, exporter, options, images)
    return Exported(
        folder=output.path,
        format=format,
        checkpoint=loaded.folder,
        input_type=input_type,
        megabytes=megabytes,
        **dataclasses.asdict(verification),
    )


def _read_image(path: str, channels: int) -> Any:
    from odapi.data.image.decode import decode_image

    try:
        return decode_image(read_image_file(path), path, channels=channels)
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror}") from error


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
    exporter: Exporter,
    options: ExportOptions,
    images: list,
) -> tuple["Verification", float]:
    """Writes and verifies an export; returns the verification and the megabytes."""
    from odapi.build.resizer import model_resizer
    from odapi.exporters.verify import verify

    resizer = model_resizer(loaded.config)
    remove_unfinished(output.path, "export")
    writing = unfinished_path(output.path / "export")
    model = writing / exporter.filename
    try:
        writing.mkdir(parents=True)
        exporter.export(loaded.detector, resizer, model, options)
        done = verify(exporter, model, loaded.detector, resizer, options, images)
        _write_checkpoint(loaded, writing)
        files = [model] if model.is_file() else model.rglob("*")
        megabytes = sum(file.stat().st_size for file in files) / 1e6
        _move(writing, output, exporter.filename)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    return done, megabytes


def _write_checkpoint(loaded: "LoadedDetector", folder: pathlib.Path) -> None:
    """Writes config, label map and weights, from which the detector is rebuilt."""
    from odapi.checkpoints import batch_norm
    from odapi.checkpoints.folder import CONFIG, WEIGHTS
    from odapi.checkpoints.metadata import metadata_writer
    from odapi.checkpoints.weights import save_weights
    from odapi.config.load import save_plain_config

    checkpoint = folder / "checkpoint"
    checkpoint.mkdir()
    save_weights(loaded.detector, checkpoint / WEIGHTS)
    batch_norm.save_if_used(checkpoint, loaded.config, loaded.detector)
    write_metadata = metadata_writer(loaded.config, loaded.label_map)
    for place in (folder, checkpoint):
        write_metadata(place)
    # Tools for exports of the original parse it with the original's protos.
    save_plain_config(loaded.config, folder / CONFIG)


def _move(writing: pathlib.Path, output: OutputFolder, model: str) -> None:
    folder = output.begin()
    (folder / _KEYPOINTS).unlink(missing_ok=True)
    optional = [_KEYPOINTS] if (writing / _KEYPOINTS).exists() else []
    for name in (model, *_PARTS, *optional):
        move_into_place(writing / name, folder / name)
    output.finish()
