"""The predictor of anything that a user may hold as a model."""

import sys
from typing import TYPE_CHECKING, Any, cast

from odapi.api.load_model import wrap_detector
from odapi.api.object_detector import ObjectDetector
from odapi.api.shared_models import SHARED_MODELS, Model
from odapi.errors import DataError

if TYPE_CHECKING:
    from odapi.inference.predictor import Predictor

_ACCEPTED = (
    "a path, an ObjectDetector, what odapi.load_detector or odapi.build_detector "
    "returned, or a callable `images -> list of dicts` with a `label_map`"
)


def predictor_of_model(model: Any) -> "Predictor":
    """Returns the predictor of a model.

    That of a detector is kept until another one is used, so that it is compiled once.

    Args:
        model: An `ObjectDetector`, a `LoadedDetector`, a Keras `Detector`, or a
            `Predictor`.

    Raises:
        ConfigError: A Keras detector was assembled from parts and has no config.
        DataError: The model is none of these.
    """
    if isinstance(model, ObjectDetector):
        return model.predictor
    if _is_of("odapi.checkpoints.load_detector", "LoadedDetector", model):
        key = ("given", id(model.detector), model.label_map)
        return SHARED_MODELS.get(key, lambda: _of_loaded(model)).predictor
    if _is_of("odapi.models.detector", "Detector", model):
        key = ("given", id(model), model.label_map)
        return SHARED_MODELS.get(key, lambda: wrap_detector(model)).predictor
    if callable(model) and hasattr(model, "label_map"):
        return cast("Predictor", model)
    what = type(model).__name__
    if callable(model):
        what += " without a label_map"
    raise DataError(
        "model", f"cannot be of type {what}", hint=f"accepted are {_ACCEPTED}"
    )


def _of_loaded(loaded: Any) -> Model:
    from odapi.inference.detector_predictor import predictor_of

    return Model(predictor_of(loaded), loaded)


def _is_of(module: str, name: str, value: Any) -> bool:
    """Returns whether a value is of a class whose module may not be imported yet."""
    imported = sys.modules.get(module)
    return imported is not None and isinstance(value, getattr(imported, name))
