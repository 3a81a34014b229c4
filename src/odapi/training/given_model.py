"""Models that `odapi.train` takes instead of a config."""

from typing import Any, NamedTuple

from odapi.checkpoints.load_detector import LoadedDetector
from odapi.config.load import Config, load_config
from odapi.errors import ConfigError
from odapi.labels import LabelMap
from odapi.models.detector import Detector


class GivenModel(NamedTuple):
    """A model to train further, with its config."""

    config: Config
    detector: Detector
    label_map: LabelMap | None


def given_model(model: Any) -> GivenModel | None:
    """Returns the model if it is one; None for a config in any form.

    Args:
        model: A `LoadedDetector`, an `ObjectDetector`, a `Detector` that was built
            from a config, or a config.

    Raises:
        ConfigError: It is a model without a config.
    """
    if isinstance(model, Detector):
        return GivenModel(_config_of(model), model, model.label_map)
    if isinstance(model, LoadedDetector):
        return GivenModel(model.config, model.detector, model.label_map)
    detector = getattr(model, "keras_model", None)  # Of an ObjectDetector.
    if isinstance(detector, Detector):
        return GivenModel(model.config, detector, model.label_map)
    return None


def _config_of(detector: Detector) -> Config:
    if not detector.pipeline_config:
        raise ConfigError(
            type(detector).__name__,
            "was assembled from parts and has no pipeline config to train with",
            hint="build it by odapi.build_detector(config) or a constructor of "
            "odapi.models",
        )
    return load_config(detector.pipeline_config)
