"""Loads and builds the models that an `ObjectDetector` holds."""

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from odapi.api.model_path import ModelPath
from odapi.api.shared_models import SHARED_MODELS, Model, key_of
from odapi.errors import CheckpointError, OdapiError
from odapi.labels import LabelMap, label_map_of
from odapi.runtime import backend

if TYPE_CHECKING:
    from odapi.config.load import Config
    from odapi.models.detector import Detector


def shared_model(place: ModelPath, overrides: Sequence[str] = ()) -> Model:
    """Returns a model, loaded once per process; see `SharedModels`.

    Raises:
        CheckpointError: The model is damaged, or does not fit its config.
        ConfigError: An override is wrong.
    """
    folder = place.exported or place.weights or place.keras_file
    if folder is None:
        raise CheckpointError(str(place.path), "is no model")
    key = key_of(folder, overrides, place.format)
    return SHARED_MODELS.get(key, lambda: load_model(place, overrides))


def load_model(place: ModelPath, overrides: Sequence[str] = ()) -> Model:
    """Loads a model from its files, as `shared_model` does at the first call."""
    if place.exported is not None:
        return Model(place.load_exported())
    backend.load()
    if place.keras_file is not None:
        return _load_keras(place.keras_file)
    from odapi.checkpoints.load_detector import load_detector
    from odapi.inference.detector_predictor import predictor_of

    loaded = load_detector(place.weights or place.path, overrides)
    return Model(predictor_of(loaded), loaded)


def wrap_detector(detector: "Detector") -> Model:
    """Returns the model of a detector that was built from a config.

    Raises:
        ConfigError: The detector was assembled from parts and has no config.
    """
    from odapi.api.config_label_map import config_label_map
    from odapi.checkpoints.load_detector import LoadedDetector
    from odapi.config.load import load_config
    from odapi.inference.detector_predictor import predictor_of

    config = load_config(detector.require_config())
    classes = detector.label_map or config_label_map(config, detector.num_classes)
    loaded = LoadedDetector(detector, config, classes, None, pathlib.Path())
    return Model(predictor_of(loaded), loaded)


def _load_keras(file: pathlib.Path) -> Model:
    import keras

    from odapi.checkpoints.zip_file import check_zip

    check_zip(file, ("config.json", "metadata.json", "model.weights.h5"))
    try:
        return wrap_detector(keras.saving.load_model(file, compile=False))
    except Exception as error:  # A file of another program raises any type of error.
        if isinstance(error, OdapiError):
            raise
        raise CheckpointError(
            str(file), f"is no detector saved by Keras: {error}"
        ) from error


def build_model(
    config: "str | os.PathLike[str] | Config",
    overrides: Sequence[str] = (),
    label_map: LabelMap | Sequence[str] | None = None,
) -> Model:
    """Builds a model with random weights from a config.

    Args:
        config: See `load_config`.
        overrides: Of the config.
        label_map: The classes, or their names; None: see `config_label_map`.

    Raises:
        ConfigError: The config asks for a model that cannot be built.
    """
    backend.load()
    from odapi.api.config_label_map import config_label_map
    from odapi.build.detector import build_detector
    from odapi.checkpoints.load_detector import LoadedDetector
    from odapi.config.load import load_config
    from odapi.inference.detector_predictor import predictor_of

    loaded_config = load_config(config, overrides)
    detector = build_detector(loaded_config)
    if label_map is None:
        label_map = config_label_map(loaded_config, detector.num_classes)
    elif not isinstance(label_map, LabelMap):
        label_map = label_map_of(list(label_map))
    detector.label_map = label_map
    loaded = LoadedDetector(detector, loaded_config, label_map, 0, pathlib.Path())
    return Model(predictor_of(loaded), loaded)
