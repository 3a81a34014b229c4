"""`odapi.export`: a checkpoint as a SavedModel, compared before it is handed out."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

from odapi.errors import CheckpointError, DataError, MissingPackageError
from odapi.exporters.saved_model import serving
from odapi.files import move_into_place, unfinished_path

_PARTS = ("saved_model", "checkpoint", "pipeline.config", "label_map.pbtxt")
_KEYPOINTS = "keypoint_label_map.pbtxt"  # Of models that find some.


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        folder: With `saved_model/`, `checkpoint/`, `pipeline.config` and
            `label_map.pbtxt`.
        checkpoint: What it was made from.
        input_type: What `serving_default` takes.
        megabytes: Size of the SavedModel.
        difference: Largest difference from the detector's raw boxes and scores, of
            their largest value.
        load_seconds, first_seconds, second_seconds: Loading it, its first call, and
            a call after that.
    """

    folder: pathlib.Path
    checkpoint: pathlib.Path
    input_type: str
    megabytes: float
    difference: float
    load_seconds: float
    first_seconds: float
    second_seconds: float

    @property
    def saved_model(self) -> pathlib.Path:
        """The SavedModel: what `tf.saved_model.load` and TensorFlow Serving take."""
        return self.folder / "saved_model"


def export(
    checkpoint: str | os.PathLike,
    output_dir: str | os.PathLike,
    input_type: str = "image_tensor",
    overrides: Sequence[str] = (),
    *,
    batch_size: int | None = None,
    untrained: bool = False,
    check_images: Sequence[str | os.PathLike] = (),
) -> Exported:
    """Exports a trained detector for serving.

        odapi.export("runs/first", "exported")
        found = tf.saved_model.load("exported/saved_model")(images)

    The SavedModel has the names, types and shapes of the original's exporter, and
    needs TensorFlow alone. It is loaded and compared with the detector before
    anything appears in `output_dir`. Under another backend than TensorFlow this
    runs in a process of its own.

    Args:
        checkpoint: A model_dir (its best checkpoint, else the last), a checkpoint
            folder, or a folder made by this function.
        output_dir: Where to; what an earlier export wrote there is replaced.
        input_type: "image_tensor" (uint8 images), "float_image_tensor",
            "encoded_image_string_tensor" (image files) or "tf_example"; of DeepMAC
            also "image_and_boxes_tensor", which takes boxes as well.
        overrides: Of the config, such as
            "model.ssd.post_processing.batch_non_max_suppression.score_threshold=0.3".
        batch_size: Images a call; None: any number.
        untrained: Also export a detector that was trained for no step.
        check_images: Image files to compare on, besides a made one.

    Raises:
        CheckpointError: There is no checkpoint, or it was never trained.
        ConfigError: An override is wrong, or the config cannot be exported.
        ExportError: The SavedModel does not do what the detector does.
        MissingPackageError: TensorFlow is not installed.
    """
    output = _usable(pathlib.Path(output_dir))
    arguments: dict[str, Any] = {
        "checkpoint": os.fspath(checkpoint),
        "output_dir": os.fspath(output),
        "input_type": input_type,
        "overrides": list(overrides),
        "batch_size": batch_size,
        "untrained": untrained,
        "check_images": [os.fspath(path) for path in check_images],
    }
    serving.check_input_type(input_type)
    _need_tensorflow()
    import keras

    if keras.backend.backend() != "tensorflow":
        from odapi.exporters.export_process import export_in_process

        return Exported(**export_in_process(arguments))
    return _export(**arguments)


def _need_tensorflow() -> None:
    import importlib.util

    if importlib.util.find_spec("tensorflow") is None:
        raise MissingPackageError("odapi export", "tensorflow", "tensorflow")


def _export(
    checkpoint: str,
    output_dir: str,
    input_type: str,
    overrides: list[str],
    batch_size: int | None,
    untrained: bool,
    check_images: list[str],
) -> Exported:
    from odapi.build.resizer import model_resizer
    from odapi.checkpoints.load_detector import load_detector
    from odapi.exporters.saved_model.saved_model import write_saved_model
    from odapi.exporters.verify import verify

    images = [_read(path) for path in check_images]
    loaded = load_detector(checkpoint, overrides)
    if loaded.step == 0 and not untrained:
        raise CheckpointError(
            str(loaded.folder),
            "was never trained: it was saved at step 0",
            hint="train first, or export it all the same with --untrained",
        )
    resizer = model_resizer(loaded.config)
    output = pathlib.Path(output_dir)
    writing = unfinished_path(output / "export")
    try:
        saved_model = writing / "saved_model"
        write_saved_model(loaded.detector, resizer, saved_model, input_type, batch_size)
        done = verify(saved_model, loaded.detector, resizer, input_type, images)
        _write_rest(loaded, writing)
        megabytes = sum(f.stat().st_size for f in saved_model.rglob("*")) / 1e6
        _move(writing, output)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    return Exported(
        folder=output,
        checkpoint=loaded.folder,
        input_type=input_type,
        megabytes=megabytes,
        **dataclasses.asdict(done),
    )


def _usable(output: pathlib.Path) -> pathlib.Path:
    """Checks where to write before the work is done."""
    if output.exists() and not output.is_dir():
        raise CheckpointError(str(output), "is a file; an export is a folder")
    if (output / "checkpoints").is_dir():
        raise CheckpointError(
            str(output),
            "is the folder of a training; an export needs one of its own",
            hint=f"write to {output / 'export'}",
        )
    return output


def _read(path: str) -> Any:
    from odapi.data.image.decode import decode_image

    try:
        return decode_image(pathlib.Path(path).read_bytes(), path)
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror}") from error


def _write_rest(loaded: Any, folder: pathlib.Path) -> None:
    """Writes config, label map and weights, of which `odapi` rebuilds the detector."""
    from odapi.checkpoints.folder import WEIGHTS
    from odapi.checkpoints.metadata import metadata_writer
    from odapi.checkpoints.weights import save_weights

    checkpoint = folder / "checkpoint"
    checkpoint.mkdir()
    save_weights(loaded.detector, checkpoint / WEIGHTS)
    describe = metadata_writer(loaded.config, loaded.label_map)
    for place in (folder, checkpoint):
        describe(place)


def _move(writing: pathlib.Path, output: pathlib.Path) -> None:
    (output / _KEYPOINTS).unlink(missing_ok=True)
    there = [_KEYPOINTS] if (writing / _KEYPOINTS).exists() else []
    for name in (*_PARTS, *there):
        move_into_place(writing / name, output / name)
