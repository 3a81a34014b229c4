"""The keypoints of a model of the zoo, whose config only says where they should be."""

import dataclasses
import pathlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from odapi.config.label_map import load_label_map, save_label_map
from odapi.config.rules.files import is_placeholder
from odapi.errors import CheckpointError
from odapi.labels import Keypoint, LabelMap

# In the order of COCO, which is that of their ids in the original.
COCO_KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
_PERSON = "person"
_FILE = "keypoint_label_map.pbtxt"


def named_keypoints(config: Any, classes: LabelMap, beside: pathlib.Path) -> LabelMap:
    """Returns the classes with their keypoints, as a keypoint model is built from.

    They are those of the config's `keypoint_label_map_path`, or of the label map
    itself, else COCO's where the keypoints that the config names are COCO's.

    Args:
        config: A TrainEvalPipelineConfig.
        classes: The label map of the model.
        beside: The folder of the config, in which a path may be meant.

    Raises:
        CheckpointError: The keypoints of the model are nowhere.
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
            "the config does not lead to the names of its keypoints",
            hint="give a label map whose items have keypoints { id: 0 label: 'nose' }: "
            "--label-map",
        )
    keypoints = tuple(Keypoint(n, name) for n, name in enumerate(COCO_KEYPOINTS))
    named = tasks[0].keypoint_class_name or _PERSON
    there = dataclasses.replace(person, name=named, keypoints=keypoints)
    return _joined(classes, LabelMap((there,), "COCO"))


def _joined(classes: LabelMap, others: LabelMap) -> LabelMap:
    """Returns the classes with names and keypoints of others of the same ids."""
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


@contextmanager
def keypoints_in_place(config: Any, classes: LabelMap) -> Iterator[None]:
    """Lets a config that names keypoints find them, for as long as it is built."""
    center_net = config.model.center_net
    if not center_net.keypoint_estimation_task:
        yield
        return
    path = center_net.keypoint_label_map_path
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, _FILE)
        save_label_map(classes, file)
        center_net.keypoint_label_map_path = str(file)
        try:
            yield
        finally:
            center_net.keypoint_label_map_path = path
