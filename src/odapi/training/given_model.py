"""Models that `odapi.train` takes instead of a config."""

from typing import Any, NamedTuple

from odapi.checkpoints.load_detector import LoadedDetector
from odapi.config.load import Config, load_config
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
        model: A `LoadedDetector`, a `Detector` that was built from a config, or a
            config. `odapi.train` passes the `LoadedDetector` of an `ObjectDetector`.

    Raises:
        ConfigError: It is a model without a config.
    """
    if isinstance(model, Detector):
        config = load_config(model.require_config(" to train with"))
        return GivenModel(config, model, model.label_map)
    if isinstance(model, LoadedDetector):
        return GivenModel(model.config, model.detector, model.label_map)
    return None
