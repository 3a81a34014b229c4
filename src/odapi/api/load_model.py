"""Loads and builds the models that an `ObjectDetector` holds."""

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from odapi.api.model_path import ModelPath
from odapi.api.shared_models import SHARED_MODELS, Model, key_of
from odapi.config.label_map import load_label_map
from odapi.console import console
from odapi.errors import CheckpointError, ConfigError, OdapiError
from odapi.exporters.formats import missing_packages
from odapi.labels import LabelMap, label_map_of
from odapi.runtime import backend

if TYPE_CHECKING:
    from odapi.config.load import Config
    from odapi.models.detector import Detector


def as_label_map(
    given: "LabelMap | Sequence[str] | os.PathLike[str] | None",
) -> LabelMap | None:
    """Returns a label map that is given as such, as a file or as a list of names.

    Raises:
        DataError: The file cannot be read, or a name appears twice.
    """
    if given is None or isinstance(given, LabelMap):
        return given
    if isinstance(given, str | os.PathLike):
        return load_label_map(pathlib.Path(given).expanduser())
    return label_map_of(list(given))


def check_overrides(place: ModelPath, overrides: Sequence[str]) -> None:
    """Raises ConfigError if there are overrides and the model cannot be changed."""
    if not overrides:
        return
    if place.exported is not None:
        raise ConfigError(
            overrides[0],
            "an exported model cannot be changed",
            hint=f"load its weights: {place.weights}, or export again with the override"
            if place.weights
            else "export again with the override",
        )
    if place.keras_file is not None:
        raise ConfigError(
            overrides[0],
            "a .keras file holds its own config and cannot be changed",
            hint="ObjectDetector.from_config(config, overrides) builds another",
        )


def shared_model(
    place: ModelPath,
    overrides: Sequence[str] = (),
    label_map: LabelMap | None = None,
) -> Model:
    """Returns a model, loaded once per process; see `SharedModels`.

    Raises:
        CheckpointError: The model is damaged, or does not fit its config.
        ConfigError: An override is wrong.
    """
    folder = place.exported or place.weights or place.keras_file
    if folder is None:
        raise CheckpointError(str(place.path), "is no model")
    key = (key_of(folder, overrides, place.format), label_map)
    return SHARED_MODELS.get(key, lambda: load_model(place, overrides, label_map))


def load_model(
    place: ModelPath,
    overrides: Sequence[str] = (),
    label_map: LabelMap | None = None,
) -> Model:
    """Loads a model from its files, as `shared_model` does at the first call.

    Without the package that runs an exported program, the weights beside it are used.
    """
    if place.exported is not None and not _falls_back(place):
        return Model(place.load_exported(label_map))
    backend.load()
    if place.keras_file is not None:
        model = _load_keras(place.keras_file)
    else:
        model = _load_weights(place, overrides)
    return model if label_map is None else _renamed(model, label_map)


def _falls_back(place: ModelPath) -> bool:
    missing = missing_packages(place.format)
    if not missing or place.weights is None:
        return False
    console().print(
        f"note: {missing[0]} is not installed, so the weights in {place.weights} are "
        f"used instead of the {place.title}"
    )
    return True


def _load_weights(place: ModelPath, overrides: Sequence[str]) -> Model:
    from odapi.checkpoints.load_detector import load_detector
    from odapi.inference.detector_predictor import predictor_of

    loaded = load_detector(place.weights or place.path, overrides)
    return Model(predictor_of(loaded), loaded)


def _renamed(model: Model, label_map: LabelMap) -> Model:
    """Returns a model with other names of its classes."""
    from odapi.inference.detector_predictor import predictor_of

    if model.loaded is None:
        raise CheckpointError("the model", "has no classes to name")
    number = model.loaded.detector.num_classes
    if label_map.num_classes > number:
        raise CheckpointError(
            label_map.source,
            f"has ids up to {label_map.num_classes}, the model has {number}",
            hint="use the label map of the training",
        )
    model.loaded.detector.label_map = label_map
    loaded = model.loaded._replace(label_map=label_map)
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
    label_map: "LabelMap | Sequence[str] | os.PathLike[str] | None" = None,
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
    classes = as_label_map(label_map)
    if classes is None:
        classes = config_label_map(loaded_config, detector.num_classes)
    detector.label_map = classes
    loaded = LoadedDetector(detector, loaded_config, classes, 0, pathlib.Path())
    return Model(predictor_of(loaded), loaded)
