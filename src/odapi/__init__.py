"""Object detection on Keras 3 with the TensorFlow Object Detection API's configs.

Training, evaluation, inference and export of object detectors, instance segmentation
and keypoint models: SSD, RetinaNet, EfficientDet, CenterNet, Faster R-CNN, Mask R-CNN.

    import odapi

    odapi.train("pipeline.config", "runs/first", ["train_config.batch_size=8"])
    detector = odapi.ObjectDetector.load("runs/first")
    for found in detector.predict("photos/"):
        print(found.path, found.labels, found.xyxy)
    detector.evaluate("coco:val.json").metrics
    detector.export("exported")

Names are imported when they are first used: `import odapi` imports no backend.
"""

import importlib
from typing import TYPE_CHECKING, Any

from odapi.runtime.keras_objects import register_with_keras

if TYPE_CHECKING:
    from odapi.api.functions import evaluate as evaluate
    from odapi.api.functions import export as export
    from odapi.api.functions import export_checkpoint as export_checkpoint
    from odapi.api.functions import predict as predict
    from odapi.api.functions import train as train
    from odapi.api.object_detector import ObjectDetector as ObjectDetector
    from odapi.build.detector import build_detector as build_detector
    from odapi.build.keras_dataset import build_dataset as build_dataset
    from odapi.checkpoints.load_detector import load_detector as load_detector
    from odapi.config.load import load_config as load_config
    from odapi.data.augment.external import from_albumentations as from_albumentations
    from odapi.errors import CheckpointError as CheckpointError
    from odapi.errors import ClusterError as ClusterError
    from odapi.errors import ConfigError as ConfigError
    from odapi.errors import DataError as DataError
    from odapi.errors import DivergedError as DivergedError
    from odapi.errors import ExportError as ExportError
    from odapi.errors import MissingPackageError as MissingPackageError
    from odapi.errors import OdapiError as OdapiError
    from odapi.errors import OutputError as OutputError
    from odapi.inference.prediction import DetectedObject as DetectedObject
    from odapi.inference.prediction import Prediction as Prediction
    from odapi.inference.predictions import Predictions as Predictions
    from odapi.inference.tiling import Tiling as Tiling
    from odapi.labels import Category as Category
    from odapi.labels import LabelMap as LabelMap
    from odapi.runtime.distribution.cluster import Cluster as Cluster
    from odapi.training.divergence.replay import replay as replay
    from odapi.tuning.tune import tune as tune
    from odapi.zoo.import_checkpoint import import_checkpoint as import_checkpoint

__version__ = "0.1.0"

register_with_keras()

_MODULES = {
    "ObjectDetector": "odapi.api.object_detector",
    "Prediction": "odapi.inference.prediction",
    "DetectedObject": "odapi.inference.prediction",
    "Predictions": "odapi.inference.predictions",
    "Tiling": "odapi.inference.tiling",
    "train": "odapi.api.functions",
    "tune": "odapi.tuning.tune",
    "evaluate": "odapi.api.functions",
    "predict": "odapi.api.functions",
    "export": "odapi.api.functions",
    "export_checkpoint": "odapi.api.functions",
    "replay": "odapi.training.divergence.replay",
    "load_config": "odapi.config.load",
    "build_detector": "odapi.build.detector",
    "build_dataset": "odapi.build.keras_dataset",
    "load_detector": "odapi.checkpoints.load_detector",
    "import_checkpoint": "odapi.zoo.import_checkpoint",
    "from_albumentations": "odapi.data.augment.external",
    "Cluster": "odapi.runtime.distribution.cluster",
    "LabelMap": "odapi.labels",
    "Category": "odapi.labels",
    "OdapiError": "odapi.errors",
    "ClusterError": "odapi.errors",
    "ConfigError": "odapi.errors",
    "DataError": "odapi.errors",
    "CheckpointError": "odapi.errors",
    "DivergedError": "odapi.errors",
    "ExportError": "odapi.errors",
    "MissingPackageError": "odapi.errors",
    "OutputError": "odapi.errors",
}

# Names that need Keras, which is then started without its log. The others start it
# when they load weights.
_WITH_BACKEND = (
    "build_detector", "build_dataset", "load_detector", "replay",
)  # fmt: skip

__all__ = ["__version__", "models", *_MODULES]


def __getattr__(name: str) -> Any:
    if name == "models":
        return importlib.import_module("odapi.models")
    if name not in _MODULES:
        raise AttributeError(f"module 'odapi' has no attribute {name!r}")
    if name in _WITH_BACKEND:
        importlib.import_module("odapi.runtime.backend").load()
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
