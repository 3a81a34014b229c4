"""Label maps that name the keypoints of a model's classes."""

import dataclasses
from typing import Any

from odapi.config.label_map import load_label_map
from odapi.errors import ConfigError, DataError
from odapi.labels import LabelMap
from odapi.wording import counted


def keypoint_label_map(config: Any) -> LabelMap | None:
    """Returns the label map that names the keypoints of a model; None without them.

    Args:
        config: A TrainEvalPipelineConfig.

    Raises:
        DataError: The label map cannot be read.
    """
    center_net = config.model.center_net
    if not center_net.keypoint_estimation_task:
        return None
    path = center_net.keypoint_label_map_path
    return load_label_map(path) if path else None


def check_keypoint_ids(config: Any, num_keypoints: int) -> None:
    """Checks that objects have all keypoints of the model's tasks.

    Args:
        config: A TrainEvalPipelineConfig.
        num_keypoints: Number of keypoints per object of the training data.

    Raises:
        ConfigError: The id of a task's keypoint is `num_keypoints` or more.
    """
    names = keypoint_label_map(config)
    if names is None:
        return
    for task in config.model.center_net.keypoint_estimation_task:
        category = names.by_name.get(task.keypoint_class_name)
        points = category.keypoints if category else ()
        last = max(points, key=lambda k: k.id, default=None)
        if last is not None and last.id >= num_keypoints:
            raise ConfigError(
                "train_input_reader.num_keypoints",
                f"objects have {counted(num_keypoints, 'keypoint')}, but "
                f"{last.name!r} of "
                f"{task.keypoint_class_name!r} has id {last.id}, counted from 0",
                hint=f"set it to {names.num_keypoints}, and use_keypoint_label_map: "
                "true if records name their keypoints",
            )


def with_keypoints(label_map: LabelMap, keypoints: LabelMap) -> LabelMap:
    """Returns a label map whose classes have the keypoints of another label map.

    Args:
        label_map: The classes.
        keypoints: Label map with the keypoints of classes of the same names.

    Raises:
        DataError: A class has another id there.
    """
    categories = []
    for category in label_map:
        named = keypoints.by_name.get(category.name)
        named = named or keypoints.by_name.get(category.label)
        if named and named.keypoints and named.id != category.id:
            raise DataError(
                keypoints.source,
                f"class {named.name!r} has id {named.id}; it has id {category.id} in "
                f"{label_map.source}",
                hint="a class must have the same id in both; change one of them",
            )
        own, flip = (named.keypoints, named.flip) if named else ((), ())
        categories.append(dataclasses.replace(category, keypoints=own, flip=flip))
    return dataclasses.replace(label_map, categories=tuple(categories))
