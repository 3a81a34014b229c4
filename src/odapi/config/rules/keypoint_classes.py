"""Classes of CenterNet's keypoint tasks, and their keypoints in the label map."""

import os
from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error
from odapi.config.label_map import load_label_map
from odapi.errors import ConfigError, DataError, unknown_choice
from odapi.labels import Category, LabelMap

_PATH = "model.center_net"


def keypoint_category(
    task: Any, path: str, center_net: Any, label_map: LabelMap
) -> Category:
    """Returns the class whose keypoints a task predicts.

    Args:
        task: A `KeypointEstimation` message.
        path: Path of the message, for errors.
        center_net: The `CenterNet` message that has the task.
        label_map: The classes with their keypoints.

    Raises:
        ConfigError: The label map does not have the class or its keypoints, its id is
            above num_classes, or a keypoint with a standard deviation is unknown.
    """
    place, name = f"{path}.keypoint_class_name", task.keypoint_class_name
    if name not in label_map.by_name:
        raise unknown_choice(place, name, label_map.by_name)
    category = label_map.by_name[name]
    if not category.keypoints:
        raise ConfigError(
            place,
            f"class {name!r} has no keypoints in {label_map.source}",
            hint="add keypoints { id: 0 label: 'nose' } to its item",
        )
    if 0 < center_net.num_classes < category.id:
        raise ConfigError(
            place,
            f"{category.name!r} has id {category.id} in {label_map.source}, and "
            f"num_classes is {center_net.num_classes}",
        )
    names = [k.name for k in category.keypoints]
    for unknown in sorted(set(task.keypoint_label_to_std) - set(names)):
        raise unknown_choice(f"{path}.keypoint_label_to_std", unknown, names)
    return category


def find_keypoint_classes(center_net: Any) -> Iterator[Finding]:
    """Yields tasks that contradict `keypoint_label_map_path`, which must exist."""
    where = f"{_PATH}.keypoint_label_map_path"
    try:
        file = os.path.expanduser(center_net.keypoint_label_map_path)
        label_map = load_label_map(file)
    except DataError as problem:
        yield error(where, f"{problem.place}: {problem.problem}", problem.hint)
        return
    for index, task in enumerate(center_net.keypoint_estimation_task):
        path = f"{_PATH}.keypoint_estimation_task[{index}]"
        try:
            keypoint_category(task, path, center_net, label_map)
        except ConfigError as problem:
            yield error(problem.place, problem.problem, problem.hint)
