"""`odapi.train`, `evaluate`, `predict`, `export`: functions around `ObjectDetector`."""

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from odapi.api.object_detector import Classes, ObjectDetector
from odapi.api.predictors import predictor_of_model
from odapi.errors import ConfigError
from odapi.files import Pathlike
from odapi.inference.crops import Crops
from odapi.inference.predict import Classes as Selected
from odapi.inference.predict import collect, open_stream, save_outputs
from odapi.inference.prediction_outputs import PredictionOutputs
from odapi.inference.predictions import Drawings, Predictions
from odapi.inference.predictor import Predictor
from odapi.inference.tiling import Tiling
from odapi.outputs.folder import OutputFolder, check_folder
from odapi.outputs.kinds import EVALUATION, EXPORT, ORIGINAL_CHECKPOINT
from odapi.runtime import backend

if TYPE_CHECKING:
    from odapi.checkpoints.load_detector import LoadedDetector
    from odapi.config.load import Config
    from odapi.evaluation.result import EvaluationResult
    from odapi.exporters.exported import Exported
    from odapi.metrics.evaluator import Evaluator
    from odapi.models.detector import Detector
    from odapi.trackers.tracker import Tracker
    from odapi.training.dry_run import DryRun
    from odapi.training.plan import Outcome
    from odapi.zoo.export_checkpoint import ExportedCheckpoint


@overload
def train(
    config: "Pathlike | Config | ObjectDetector",
    model_dir: Pathlike,
    overrides: Sequence[str] = (),
    *,
    dry_run: Literal[True],
    **options: Any,
) -> "DryRun": ...


@overload
def train(
    config: "Pathlike | Config | ObjectDetector",
    model_dir: Pathlike,
    overrides: Sequence[str] = (),
    **options: Any,
) -> "Outcome": ...


def train(
    config: "Pathlike | Config | ObjectDetector",
    model_dir: Pathlike,
    overrides: Sequence[str] = (),
    **options: Any,
) -> "Outcome | DryRun":
    """Trains a detector, or resumes a training.

        odapi.train("pipeline.config", "runs/first", ["train_config.batch_size=8"])

    If `model_dir` has a checkpoint, training resumes from the last one exactly.
    Ctrl-C and SIGTERM save and return; a second Ctrl-C raises KeyboardInterrupt.

    Args:
        config: A `pipeline.config`, its folder, its text, a loaded config, or an
            `ObjectDetector`, whose weights training starts from.
        model_dir: Run folder: checkpoints, config, label map, event files for
            TensorBoard, `metrics.jsonl` and `training.json`. A new folder, one with a
            config or label map of yours, which are kept, or a run to resume.
        overrides: Of the config, such as "train_config.batch_size=8".
        options: See `odapi.training.train.train`: `train_data`, `eval_data`,
            `classes`, `callbacks`, `augmentations`, `trackers`, `num_steps`,
            `epochs`, `batch_size`, `seed`, `max_hours`,
            `dry_run`, `devices`, `cluster`.

    Raises:
        ConfigError: The config cannot be trained, or differs too much from that of
            the run in `model_dir`.
        DataError: A dataset cannot be used.
        CheckpointError: A checkpoint cannot be read or written.
        DivergedError: A loss became NaN or exploded.
        OutputError: `model_dir` has files that odapi did not write, such as a
            checkpoint of the TF Object Detection API, or cannot be written.
    """
    from odapi.training.model_dir import check_model_dir

    check_model_dir(model_dir, config)
    backend.load()
    from odapi.training.train import train as run

    if isinstance(config, ObjectDetector):
        return run(config.with_weights("train"), model_dir, overrides, **options)
    return run(config, model_dir, overrides, **options)


def evaluate(  # noqa: PLR0913 (keyword arguments of the public API)
    model: Pathlike | ObjectDetector,
    eval_data: str | None = None,
    overrides: Sequence[str] = (),
    *,
    batch_size: int | None = None,
    output: Pathlike | None = None,
    with_losses: bool = False,
    max_images: int = 0,
    evaluators: "Sequence[Evaluator]" = (),
    label_map: Classes = None,
    tile: int | Tiling | None = None,
    trackers: "Sequence[Tracker | str]" = (),
) -> "EvaluationResult":
    """Computes the metrics of a model on a dataset.

        result = odapi.evaluate("runs/first", "coco:val.json")
        result.metrics["DetectionBoxes_Precision/mAP"]

    Args:
        model: A run folder (its best checkpoint, else the last), a checkpoint
            folder, a folder written by `odapi export` (its weights are evaluated), a
            SavedModel (it is run), or an `ObjectDetector`.
        eval_data: Such as `coco:PATH`, `voc:PATH?split=val`, `yolo:PATH`, `csv:PATH`
            or `tfrecord:GLOB`; None: the evaluation data of the config.
        overrides: Of the config, such as "eval_config.batch_size=8"; for a path only.
        batch_size, output, with_losses, max_images, evaluators, tile, trackers: See
            `ObjectDetector.evaluate`.
        label_map: The classes of the model; see `ObjectDetector.load`. For a path only.

    Raises:
        CheckpointError: There is no model, or it does not fit its config.
        ConfigError: An override or the config is wrong.
        DataError: The dataset cannot be read, or has no image.
        OutputError: `output` has files that odapi did not write, or cannot be written.
        MissingPackageError: The package of a tracker is not installed.
    """
    if output is not None:
        check_folder(output, EVALUATION)
    return _to_evaluate(model, overrides, label_map).evaluate(
        eval_data,
        batch_size=batch_size,
        output=output,
        with_losses=with_losses,
        max_images=max_images,
        evaluators=evaluators,
        tile=tile,
        trackers=trackers,
    )


def export(  # noqa: PLR0913 (keyword arguments of the public API)
    model: Pathlike | ObjectDetector,
    output_dir: Pathlike,
    input_type: str = "image_tensor",
    overrides: Sequence[str] = (),
    *,
    format: str | Sequence[str] = "saved_model",
    precision: str | Sequence[str] = "float32",
    tflite_nms: str = "graph",
    batch_size: int | None = None,
    untrained: bool = False,
    check_images: Sequence[Pathlike] = (),
    calibration_data: str | None = None,
    calibration_images: int = 100,
    verify_data: str | None = None,
    max_drop: float | None = None,
) -> "Exported":
    """Exports a model for serving and devices.

        odapi.export("runs/first", "exported", format=["saved_model", "onnx"])
        found = tf.saved_model.load("exported/saved_model")(images)

    Each file is compared with the model before anything appears in `output_dir`. If
    Keras runs on another backend than TensorFlow, the export runs in another process.

    Args:
        model: As for `evaluate`.
        output_dir: A new folder, or that of an earlier export, which is replaced.
        input_type: "image_tensor" (uint8) or "float_image_tensor" (0 to 255); of a
            SavedModel also "encoded_image_string_tensor" or "tf_example", and of
            DeepMAC "image_and_boxes_tensor".
        overrides: Of the config, such as
            "model.ssd.post_processing.batch_non_max_suppression.score_threshold=0.3".
        format: "saved_model", "tflite", "onnx" or "openvino", or several.
        precision: "float32", "float16", "dynamic" (8-bit weights) or "int8", or
            several; each format is written in those that it has.
        tflite_nms: NMS of TFLite files: "graph", equal to the model; or, in the custom
            operator TFLite_Detection_PostProcess, "fast", where boxes compete across
            classes, or "regular".
        batch_size: Images per call; None: any number.
        untrained: Also export a model that was never trained.
        check_images: Image files for the comparison; none: images of `verify_data`.
            In float32 a generated image is added.
        calibration_data: Dataset on which int8 measures the ranges of activations;
            None: the training data of the config.
        calibration_images: Number of its images that are used.
        verify_data: Dataset on which the mAP of the model and of each file is measured.
        max_drop: Largest loss of mAP; None: 0.01, and 0.02 in int8.

    Raises:
        CheckpointError: There is no model, or it was never trained.
        ConfigError: An override is wrong, or the model cannot be exported.
        DataError: An image or `verify_data` cannot be read.
        OutputError: The folder has files that odapi did not write, or cannot be
            written.
        ExportError: A file gives other results than the model, or loses more mAP than
            is allowed.
        MissingPackageError: A package that a format needs is not installed.
    """
    options: dict[str, Any] = {
        "format": format,
        "precision": precision,
        "tflite_nms": tflite_nms,
        "batch_size": batch_size,
        "untrained": untrained,
        "check_images": check_images,
        "calibration_data": calibration_data,
        "calibration_images": calibration_images,
        "verify_data": verify_data,
        "max_drop": max_drop,
    }
    if isinstance(model, ObjectDetector):
        _not_for_loaded(overrides)
        return model.export(output_dir, input_type, **options)
    check_folder(output_dir, EXPORT)
    from odapi.api.model_path import locate_weights
    from odapi.exporters.export import export as run

    return run(locate_weights(model), output_dir, input_type, overrides, **options)


def export_checkpoint(
    model: Pathlike | ObjectDetector,
    output_dir: Pathlike,
    overrides: Sequence[str] = (),
) -> "ExportedCheckpoint":
    """Writes a model as a TF2 checkpoint of the TF Object Detection API.

        odapi.export_checkpoint("runs/first", "for_the_original")

    The folder has the form of an archive of its zoo: `checkpoint/ckpt-0`,
    `pipeline.config` and `label_map.pbtxt`. Its programs train, evaluate and export
    it, and `import_checkpoint` reads it back. TensorFlow is not needed.

    Args:
        model: As for `evaluate`.
        output_dir: A new folder, or that of an earlier call, which is replaced.
        overrides: Of the config, such as "train_config.batch_size=8".

    Raises:
        CheckpointError: There is no model, or a part of it does not exist in the
            original.
        ConfigError: An override is wrong.
        OutputError: The folder has files that odapi did not write, or cannot be
            written.
    """
    from odapi.zoo.export_checkpoint import export_checkpoint as run

    output = OutputFolder(output_dir, ORIGINAL_CHECKPOINT)
    if isinstance(model, ObjectDetector):
        _not_for_loaded(overrides)
        return run(model.with_weights("be written as a checkpoint"), output)
    return run(ObjectDetector.load(model, overrides).with_weights("export"), output)


def predict(  # noqa: PLR0913 (keyword arguments of the public API)
    model: "Pathlike | ObjectDetector | Predictor | LoadedDetector | Detector",
    source: Any,
    min_score: float = 0.5,
    *,
    classes: Selected = None,
    max_detections: int | None = None,
    batch_size: int = 8,
    tile: int | Tiling | None = None,
    overrides: Sequence[str] = (),
    label_map: Classes = None,
    context: Pathlike | np.ndarray | None = None,
    output: Pathlike | None = None,
    draw: bool = True,
    coco_results: Pathlike | None = None,
    save_txt: Pathlike | None = None,
    save_voc: Pathlike | None = None,
    save_coco: Pathlike | None = None,
    save_csv: Pathlike | None = None,
    save_crop: Pathlike | None = None,
) -> Predictions:
    """Finds objects in images, and writes them to files on request.

        for found in odapi.predict("runs/first", "photos/", output="found"):
            print(found.path, found.labels, found.xyxy)

    Args:
        model: A run folder, a checkpoint folder, a folder written by `odapi export`
            (its SavedModel is run), a SavedModel, an `ObjectDetector`, what
            `load_detector` or `build_detector` returned, or any `Predictor`.
        source: Images, as for `ObjectDetector.predict`.
        min_score: Objects with a lower score are left out everywhere.
        classes: Names or ids of the classes to keep; None: all.
        max_detections: Maximum number of objects per image; None: all.
        batch_size: Images per call of the model.
        tile: Side of the tiles of larger images; see `ObjectDetector.predict`.
        overrides: Of the config; for a path with weights only.
        label_map: The classes of the model; see `ObjectDetector.load`. For a path only.
        context: Memory bank of a Context R-CNN; see `ObjectDetector.predict`.
        output: Folder for drawn images and `detections.json`: a new one, or that of an
            earlier call, which is replaced.
        draw: Whether to draw images into `output`.
        coco_results: File for COCO results; None: `detections.json` in `output`.
        save_txt, save_voc, save_coco: New folder for a YOLO, Pascal VOC or COCO
            dataset to train on.
        save_csv: CSV file with one row per object.
        save_crop: New folder for the part of the image within each box.

    Raises:
        CheckpointError: There is no model, or it does not fit its config.
        DataError: The source is no image, no image could be read, the model has no
            such class, or a result cannot be written.
        OutputError: An output has files that odapi did not write, or cannot be written.
    """
    datasets = {"save_txt": save_txt, "save_voc": save_voc, "save_coco": save_coco}
    outputs = PredictionOutputs(output, coco_results, datasets, save_csv, save_crop)
    if isinstance(model, str | os.PathLike):
        model = ObjectDetector.load(model, overrides, label_map)
    else:
        _not_for_loaded(overrides, label_map)
    stream = open_stream(
        predictor_of_model(model), source, min_score, batch_size, context,
        classes=classes, max_detections=max_detections, tile=tile,
    )  # fmt: skip
    if output is not None and coco_results is None:
        coco_results = pathlib.Path(output) / "detections.json"
    drawings = None
    if output is not None and draw:
        drawings = Drawings(pathlib.Path(output) / "images")
    outputs.begin()
    crops = None if save_crop is None else Crops(save_crop)
    found = collect(stream, drawings, crops)
    save_outputs(found, coco_results, save_txt, save_voc, save_coco, save_csv)
    outputs.finish(found.files)
    return found


def _to_evaluate(
    model: Pathlike | ObjectDetector, overrides: Sequence[str], label_map: Classes
) -> ObjectDetector:
    """Returns the object of a model: its weights, or a program that has none."""
    if isinstance(model, ObjectDetector):
        _not_for_loaded(overrides, label_map)
        return model
    from odapi.api.model_path import locate, locate_weights

    place = locate(model)
    path = model if place.is_program else locate_weights(model)
    return ObjectDetector.load(path, overrides, label_map)


def _not_for_loaded(overrides: Sequence[str], label_map: Classes = None) -> None:
    if overrides:
        raise ConfigError(
            overrides[0],
            "the model is loaded already; overrides apply while it is loaded",
            hint="ObjectDetector.load(path, overrides)",
        )
    if label_map is not None:
        raise ConfigError(
            "label_map",
            "the model is loaded already; its classes are named while it is loaded",
            hint="ObjectDetector.load(path, label_map=...)",
        )
