"""`odapi.ObjectDetector`: one object for a model, whatever form it has."""

import pathlib
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from odapi.api.held_model import HeldModel, as_held
from odapi.api.load_model import (
    as_label_map,
    build_model,
    check_overrides,
    shared_model,
    wrap_detector,
)
from odapi.api.model_path import locate
from odapi.api.zoo_models import zoo_model
from odapi.files import Pathlike
from odapi.inference.predict import Classes as Selected
from odapi.inference.predict import collect, open_stream
from odapi.inference.predictions import Predictions
from odapi.inference.predictor import Predictor
from odapi.inference.stream import PredictionStream
from odapi.inference.tiling import Tiling
from odapi.labels import LabelMap
from odapi.outputs.folder import OutputFolder, check_folder
from odapi.outputs.kinds import CHECKPOINT, EXPORT
from odapi.wording import counted

if TYPE_CHECKING:
    from odapi.checkpoints.load_detector import LoadedDetector
    from odapi.config.load import Config
    from odapi.evaluation.result import EvaluationResult
    from odapi.exporters.exported import Exported
    from odapi.metrics.evaluator import Evaluator
    from odapi.models.detector import Detector
    from odapi.trackers.tracker import Tracker
    from odapi.training.plan import Outcome

Context = Pathlike | np.ndarray | None
Classes = LabelMap | Sequence[str] | Pathlike | None


class ObjectDetector:
    """A detector: a trained model, an exported program, or a model of random weights.

        detector = odapi.ObjectDetector.load("runs/first")
        for found in detector.predict("photos/"):
            print(found.path, found.labels, found.scores, found.xyxy)

    Made by `load`, `from_config`, `from_keras` and `from_zoo`.
    """

    def __init__(self, held: HeldModel):
        self._held = as_held(held)

    @classmethod
    def load(
        cls, path: Pathlike, overrides: Sequence[str] = (), label_map: Classes = None
    ) -> "ObjectDetector":
        """Loads a model from a path.

        The files are read once per process: a second object of the same unchanged
        path shares the model and its compiled functions, until one of them hands out
        its `keras_model`.

        Args:
            path: A run folder (its best checkpoint, else the last), a checkpoint
                folder, a folder written by `export`, a SavedModel, or a .keras file.
            overrides: Of its config, such as
                "model.ssd.post_processing.batch_non_max_suppression.iou_threshold=0.5".
            label_map: The classes: a `LabelMap`, its file, or a list of names; None:
                those of the model. SavedModels of the TF2 zoo have COCO's.

        Raises:
            CheckpointError: There is no model, it is damaged, or it does not fit its
                config.
            ConfigError: An override is wrong, or is given for an exported model or a
                .keras file.
        """
        place = locate(path)
        check_overrides(place, overrides)
        classes = as_label_map(label_map)
        model = shared_model(place, overrides, classes)
        return cls(HeldModel(model, place, overrides, classes))

    @classmethod
    def from_config(
        cls,
        config: "Pathlike | Config",
        overrides: Sequence[str] = (),
        label_map: Classes = None,
    ) -> "ObjectDetector":
        """Builds a model with random weights from a pipeline config.

        Args:
            config: A `pipeline.config`, its folder, its text, or a loaded config.
            overrides: Of the config, such as "model.ssd.num_classes=3".
            label_map: The classes, or their names; None reads the label map that the
                config names, if the file exists.

        Raises:
            ConfigError: The config asks for a model that cannot be built.
        """
        return cls(HeldModel(build_model(config, overrides, label_map), None))

    @classmethod
    def from_keras(cls, model: "Detector") -> "ObjectDetector":
        """Returns the object of a Keras model: of `odapi.models` or of a .keras file.

        Raises:
            ConfigError: The model was assembled from parts and has no config.
        """
        return cls(HeldModel(wrap_detector(model), None))

    @classmethod
    def from_zoo(
        cls, name: str, overrides: Sequence[str] = (), cache: Pathlike | None = None
    ) -> "ObjectDetector":
        """Loads a model of the TF2 zoo, downloading it at the first call.

        Args:
            name: As `odapi zoo list` prints it, such as
                "ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8".
            overrides: Of its config.
            cache: Folder for downloads; None: `$ODAPI_HOME`, else `~/.cache/odapi`.

        Raises:
            ConfigError: There is no such model.
            CheckpointError: The model cannot be downloaded, or is damaged.
        """
        return cls.load(zoo_model(name, cache), overrides)

    def __repr__(self) -> str:
        return (
            f"<ObjectDetector {self._held.origin}: "
            f"{counted(len(self.label_map), 'class', 'classes')}>"
        )

    @property
    def path(self) -> pathlib.Path | None:
        """Where the model was loaded from; None: built from a config."""
        return self._held.place.path if self._held.place else None

    @property
    def is_exported(self) -> bool:
        """True for an exported program, False for weights."""
        return self._held.model.loaded is None

    @property
    def label_map(self) -> LabelMap:
        """The classes."""
        return self._held.model.predictor.label_map

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their ids."""
        categories = sorted(self.label_map, key=lambda category: category.id)
        return tuple(category.label for category in categories)

    @property
    def step(self) -> int | None:
        """Number of training steps, where known."""
        return self._held.model.loaded.step if self._held.model.loaded else None

    @property
    def config(self) -> "Config":
        """A copy of the pipeline config.

        Raises:
            CheckpointError: The model is an exported program without one.
        """
        from odapi.config.load import load_config

        if self._held.model.loaded is not None:
            return load_config(self._held.model.loaded.config)
        if self._held.place is not None and self._held.place.weights is not None:
            return load_config(self._held.place.weights)
        raise self._held.refused("has no config")

    @property
    def keras_model(self) -> "Detector":
        """The `keras.Model`, to inspect or to change.

        Raises:
            CheckpointError: The model is an exported program.
        """
        return self._held.own()

    # fmt: off
    @overload
    def predict(
        self, source: Any, min_score: float = ..., *, stream: Literal[False] = ...,
        batch_size: int = ..., context: Context = ..., classes: Selected = ...,
        max_detections: int | None = ..., tile: int | Tiling | None = ...,
    ) -> Predictions: ...

    @overload
    def predict(
        self, source: Any, min_score: float = ..., *, stream: Literal[True],
        batch_size: int = ..., context: Context = ..., classes: Selected = ...,
        max_detections: int | None = ..., tile: int | Tiling | None = ...,
    ) -> PredictionStream: ...
    # fmt: on

    def predict(
        self,
        source: Any,
        min_score: float = 0.5,
        *,
        stream: bool = False,
        batch_size: int = 8,
        context: Context = None,
        classes: Selected = None,
        max_detections: int | None = None,
        tile: int | Tiling | None = None,
    ) -> Predictions | PredictionStream:
        """Finds objects in images.

        The model is compiled once per image size for `batch_size` images, and once
        for single images.

        Args:
            source: A file, folder or glob, a NumPy array `[h, w, 3]` uint8 RGB or a
                batch of them, a PIL image, the bytes of an image file, an open file,
                or a list or iterator of these.
            min_score: Objects with a lower score are left out.
            stream: Return an iterator that predicts while it is consumed, instead of
                a list. Memory then does not grow with the number of images.
            batch_size: Images per call of the model; 1 for a live source, which would
                wait until a batch is full.
            context: Memory bank `[n, d]` of a Context R-CNN, the same for all images,
                or a .npy file that holds it; None: an empty one.
            classes: Names or ids of the classes to keep; None: all.
            max_detections: Maximum number of objects per image; None: all.
            tile: Side in pixels of overlapping tiles that larger images are divided
                into, for small objects, or a `Tiling` with more options.

        Returns:
            One `Prediction` per image that could be read, in their order.

        Raises:
            DataError: The source is no image, no image of it could be read, or the
                model has no such class.
        """
        found = open_stream(
            self.predictor, source, min_score, batch_size, context,
            classes=classes, max_detections=max_detections, tile=tile,
        )  # fmt: skip
        return found if stream else collect(found)

    def evaluate(
        self,
        data: str | None = None,
        *,
        batch_size: int | None = None,
        output: Pathlike | None = None,
        with_losses: bool = False,
        max_images: int = 0,
        evaluators: "Sequence[Evaluator]" = (),
        tile: int | Tiling | None = None,
        trackers: "Sequence[Tracker | str]" = (),
    ) -> "EvaluationResult":
        """Computes the metrics of the model on a dataset.

        The folder of an export is evaluated with its weights, which the export was
        compared with; a SavedModel without weights, or named itself, by running it.

        Args:
            data: Such as "coco:val.json", "voc:PATH?split=val", "yolo:PATH",
                "csv:PATH" or "tfrecord:GLOB"; None: the evaluation data of the config.
            batch_size: Images per batch; None takes `eval_config.batch_size`.
            output: Folder for `metrics.json`, `detections.json` (COCO results), tables
                and images, new or of an earlier evaluation; None writes nothing.
            with_losses: Also compute the losses, as `Loss/...`.
            max_images: Stop after so many images; 0: all.
            evaluators: Evaluators besides those of the config.
            tile: As for `predict`; losses cannot be computed then.
            trackers: Experiment trackers: "clearml", "mlflow" or "wandb" with the
                settings of `options.trackers`, or objects like those for `odapi.train`.

        Raises:
            ConfigError: The config cannot be evaluated.
            DataError: The dataset cannot be read, or has no image.
            OutputError: `output` has other files, or cannot be written.
            MissingPackageError: The package of a tracker is not installed.
        """
        from odapi.api.evaluate_model import evaluate_held

        return evaluate_held(
            self._held, data, batch_size, with_losses,
            output=output, max_images=max_images, evaluators=evaluators, tile=tile,
            trackers=trackers,
        )  # fmt: skip

    def export(
        self,
        output_dir: Pathlike,
        input_type: str = "image_tensor",
        *,
        format: str | Sequence[str] = "saved_model",
        precision: str | Sequence[str] = "float32",
        **options: Any,
    ) -> "Exported":
        """Writes the model in one or several formats, compared with the model before.

        Args:
            output_dir: Folder for the files, config, label map and weights: a new one,
                or that of an earlier export, which is replaced.
            input_type, format, precision: As for `odapi.export`.
            options: As for `odapi.export`: `tflite_nms`, `batch_size`, `untrained`,
                `check_images`, `calibration_data`, `calibration_images`, `verify_data`,
                `max_drop`.

        Raises:
            CheckpointError: The model was never trained.
            ConfigError: The model cannot be exported.
            OutputError: The folder has other files, or cannot be written.
            ExportError: An exported file gives other results than the model.
            MissingPackageError: A package that a format needs is not installed.
        """
        from odapi.exporters.export import export

        options |= {"format": format, "precision": precision}
        if self.checkpoint is not None:
            return export(
                self.checkpoint, output_dir, input_type, self._held.overrides, **options
            )
        check_folder(output_dir, EXPORT)
        self.with_weights("export")
        with tempfile.TemporaryDirectory() as folder:
            saved = self.save(pathlib.Path(folder) / "model")
            return export(saved, output_dir, input_type, **options)

    def train(self, model_dir: Pathlike, **options: Any) -> "Outcome":
        """Trains the model, and continues with the weights of the best checkpoint.

        Training starts from the present weights; a run in `model_dir` is resumed.

        Args:
            model_dir: Run folder: checkpoints, metrics, event files.
            options: As for `odapi.train`, such as `train_data="coco:train.json"`,
                `eval_data`, `num_steps`, `batch_size`, `overrides`.

        Raises:
            ConfigError: The config cannot be trained.
            DataError: A dataset cannot be used.
            DivergedError: A loss became NaN or exploded.
        """
        from odapi.api.functions import train

        outcome: Outcome = train(self, model_dir, **options)
        if not options.get("dry_run"):
            self._held = type(self).load(model_dir)._held
        return outcome

    def save(self, path: Pathlike) -> pathlib.Path:
        """Writes a checkpoint folder, which `load` reads: weights, config, label map.

        Args:
            path: A new folder, or one that `save` wrote, which is replaced.

        Raises:
            CheckpointError: The model is an exported program without weights.
            OutputError: The folder has other files, or cannot be written.
        """
        from odapi.api.save import save_checkpoint

        output = OutputFolder(pathlib.Path(path).expanduser(), CHECKPOINT)
        return save_checkpoint(self.with_weights("save"), output)

    @property
    def checkpoint(self) -> pathlib.Path | None:
        """The checkpoint folder with exactly these weights; None if there is none."""
        return self._held.checkpoint

    @property
    def predictor(self) -> Predictor:
        """Callable from images to arrays that `predict` runs."""
        return self._held.model.predictor

    def with_weights(self, verb: str) -> "LoadedDetector":
        """Returns the detector with its config; of an exported program, the one in
        its folder.

        Args:
            verb: Its use, for the message if there is none.

        Raises:
            CheckpointError: The model is an exported program without weights.
        """
        return self._held.with_weights(verb)
