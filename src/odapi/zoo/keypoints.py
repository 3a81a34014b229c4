"""Keypoint names of zoo models, whose configs only have the path of a file."""

import dataclasses
import pathlib
from typing import Any

from odapi.config.label_map import load_label_map
from odapi.config.rules.files import is_placeholder
from odapi.errors import CheckpointError
from odapi.labels import Keypoint, LabelMap

# In COCO's order, which is that of their ids in the original.
COCO_KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
_PERSON = "person"
_FILE = "keypoint_label_map.pbtxt"


def named_keypoints(config: Any, classes: LabelMap, beside: pathlib.Path) -> LabelMap:
    """Returns the classes with the keypoints that the model is built from.

    These are the keypoints of the label map itself or of the config's
    `keypoint_label_map_path`, else COCO's, if the config uses only their names.

    Args:
        config: A TrainEvalPipelineConfig.
        classes: The label map of the model.
        beside: Folder of the config; paths may be relative to it.

    Raises:
        CheckpointError: The keypoints of the model are unknown.
        DataError: A label map cannot be read.
    """
    tasks = config.model.center_net.keypoint_estimation_task
    if not tasks or classes.num_keypoints:
        return classes
    path = pathlib.Path(config.model.center_net.keypoint_label_map_path)
    for place in (path, beside / path, beside / path.name):
        if not is_placeholder(str(path)) and place.is_file():
            return _joined(classes, load_label_map(place))
    person = classes.by_name.get(_PERSON)
    names = {name for task in tasks for name in task.keypoint_label_to_std}
    if len(tasks) > 1 or person is None or not names <= set(COCO_KEYPOINTS):
        raise CheckpointError(
            str(beside),
            "the keypoint label map of the config does not exist",
            hint="use a label map whose items have keypoints { id: 0 label: 'nose' }: "
            "--label-map FILE",
        )
    keypoints = tuple(Keypoint(n, name) for n, name in enumerate(COCO_KEYPOINTS))
    name = tasks[0].keypoint_class_name or _PERSON
    there = dataclasses.replace(person, name=name, keypoints=keypoints)
    return _joined(classes, LabelMap((there,), "COCO"))


def _joined(classes: LabelMap, others: LabelMap) -> LabelMap:
    """Returns the classes with the names and keypoints of others with the same ids."""
    joined = []
    for category in classes:
        other = others.by_id.get(category.id)
        if other is not None and other.keypoints:
            shown = category.label if category.label != other.name else ""
            category = dataclasses.replace(
                category,
                name=other.name,
                display_name=shown,
                keypoints=other.keypoints,
            )
        joined.append(category)
    return LabelMap(tuple(joined), classes.source)
