"""The classes of a SavedModel, which does not contain their names."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from odapi.config.label_map import load_label_map
from odapi.config.load import FILE_NAME, load_config
from odapi.errors import CheckpointError, ConfigError
from odapi.labels import LabelMap
from odapi.zoo.classes import classes_of, coco, num_classes_of

LABEL_MAP = "label_map.pbtxt"
_COCO_CLASSES = 90
_KEYPOINTS = "keypoint"  # In the name of a file with keypoints only.
# Outputs with one score per class, after that of the background.
_WITH_CLASSES = ("detection_multiclass_scores",)


def classes_beside(
    saved_model: pathlib.Path,
    outputs: Mapping[str, Any],
    given: str | os.PathLike[str] | LabelMap | None = None,
) -> LabelMap:
    """Returns the label map of a SavedModel; an empty one if nothing names classes.

    In this order: the given one; a label map beside or in the SavedModel; that of the
    `pipeline.config` beside it; COCO's for models of the zoo, which have 90 classes.

    Args:
        saved_model: The folder.
        outputs: `tf.TensorSpec`s of the default signature by name.
        given: A label map, or its file.

    Raises:
        CheckpointError: The given label map has more classes than the model.
        DataError: A label map cannot be read.
    """
    number = _num_classes(outputs)
    if given is not None:
        classes = given if isinstance(given, LabelMap) else load_label_map(given)
        if number is not None and classes.num_classes > number:
            raise CheckpointError(
                classes.source,
                f"has ids up to {classes.num_classes}, the model has {number}",
                hint="use the label map of the training",
            )
        return classes
    file = _label_map_file(saved_model)
    if file is not None:
        return load_label_map(file)
    config = _config_beside(saved_model)
    if config is not None:
        found, _ = classes_of(config, num_classes_of(config), saved_model.parent)
        return LabelMap(()) if found.is_numbered else found
    return coco() if number == _COCO_CLASSES else LabelMap(())


def _label_map_file(saved_model: pathlib.Path) -> pathlib.Path | None:
    folders = (saved_model.parent, saved_model)
    for folder in folders:
        if (folder / LABEL_MAP).is_file():
            return folder / LABEL_MAP
    for folder in folders:
        names = [
            file
            for file in folder.glob("*label*map*.pbtxt")
            if _KEYPOINTS not in file.name
        ]
        if len(names) == 1:
            return names[0]
    return None


def _config_beside(saved_model: pathlib.Path) -> Any:
    file = saved_model.parent / FILE_NAME
    try:
        config = load_config(file) if file.is_file() else None
    except ConfigError:  # Only names are searched for here.
        return None
    return config if config is not None and config.model.WhichOneof("model") else None


def _num_classes(outputs: Mapping[str, Any]) -> int | None:
    """Returns the number of classes according to the outputs, if they show it."""
    for name in _WITH_CLASSES:
        shape = outputs[name].shape if name in outputs else None
        if shape is not None and shape.rank == 3 and shape[2] is not None:
            return int(shape[2]) - 1
    return None
