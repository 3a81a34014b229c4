"""The keypoints of a checkpoint of the original, which it does not hold itself."""

import os
import pathlib
import tempfile
from typing import Any

from odapi.config.check_data import is_placeholder
from odapi.config.label_map import load_label_map, save_label_map
from odapi.errors import CheckpointError
from odapi.labels import Category, Keypoint, LabelMap

# As the configs of the zoo call people.
_PERSON = "/m/01g317"
_COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip


def coco_people(name: str = _PERSON) -> LabelMap:
    """Returns the label map of COCO's people and their 17 keypoints."""
    points = tuple(Keypoint(i, n) for i, n in enumerate(_COCO))
    shown = "person" if name != "person" else ""
    return LabelMap((Category(1, name, shown, points),), "COCO's people")


def name_keypoints(
    config: Any,
    beside: pathlib.Path,
    given: str | os.PathLike[str] | None = None,
) -> str:
    """Lets a config name the keypoints of its classes, and says where they are from.

    That is the file of the config, else one of that name beside it, else the label
    map given if it has keypoints, else COCO's people where the model finds theirs.

    Args:
        config: A TrainEvalPipelineConfig; is changed.
        beside: The folder of the config.
        given: Path of a label map, or None.

    Raises:
        CheckpointError: Nothing names the keypoints.
        DataError: A label map cannot be read.
    """
    center_net = config.model.center_net
    tasks = center_net.keypoint_estimation_task
    if not tasks:
        return ""
    path = pathlib.Path(center_net.keypoint_label_map_path)
    places = [] if is_placeholder(str(path)) else [path, beside / path.name]
    if given is not None and load_label_map(given).num_keypoints:
        places.append(pathlib.Path(given))
    for place in places:
        if place.is_file():
            center_net.keypoint_label_map_path = str(place)
            return f"of {place}"
    classes = {task.keypoint_class_name for task in tasks}
    if len(classes) == 1 and classes <= {_PERSON, "person"}:
        file = pathlib.Path(tempfile.mkdtemp(prefix="odapi-"), "people.pbtxt")
        save_label_map(coco_people(classes.pop()), file)
        center_net.keypoint_label_map_path = str(file)
        return f"{len(_COCO)} of COCO's people, as in the zoo"
    raise CheckpointError(
        str(beside),
        f"nothing names the keypoints of {', '.join(sorted(classes))}",
        hint="give a label map with them: --label-map, or --set "
        "model.center_net.keypoint_label_map_path=FILE",
    )
