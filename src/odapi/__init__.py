"""The Object Detection API, made new.

    import odapi

    config = odapi.load_config("pipeline.config", ["train_config.batch_size=8"])
    odapi.train(config, "runs/first")
    metrics = odapi.evaluate("runs/first")
    odapi.export("runs/first", "exported")

Names are imported when they are first used: `import odapi` imports no backend.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from odapi.build.detector import build_detector as build_detector
    from odapi.checkpoints.load_detector import load_detector as load_detector
    from odapi.config.load import load_config as load_config
    from odapi.evaluation.evaluate import evaluate as evaluate
    from odapi.exporters.export import export as export
    from odapi.inference.predict import predict as predict
    from odapi.training.train import train as train
    from odapi.zoo.import_checkpoint import import_checkpoint as import_checkpoint

__version__ = "0.1.0"

_HOMES = {
    "load_config": "odapi.config.load",
    "import_checkpoint": "odapi.zoo.import_checkpoint",
    "build_detector": "odapi.build.detector",
    "load_detector": "odapi.checkpoints.load_detector",
    "train": "odapi.training.train",
    "evaluate": "odapi.evaluation.evaluate",
    "predict": "odapi.inference.predict",
    "export": "odapi.exporters.export",
    "ConfigError": "odapi.errors",
    "DataError": "odapi.errors",
    "CheckpointError": "odapi.errors",
}

# What cannot be had without Keras: it is started quietly first.
_WITH_BACKEND = (
    "build_detector", "load_detector", "train", "evaluate", "predict", "export"
)  # fmt: skip

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'odapi' has no attribute {name!r}")
    if name in _WITH_BACKEND:
        importlib.import_module("odapi.runtime.backend").load()
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
