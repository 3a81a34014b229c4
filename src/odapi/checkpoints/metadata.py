"""What a folder with weights says of their detector: its config and its classes."""

import pathlib
from collections.abc import Callable
from typing import Any

from odapi.build.keypoint_names import keypoint_label_map
from odapi.checkpoints import folder as folders
from odapi.config.label_map import load_label_map, save_label_map
from odapi.config.load import save_config
from odapi.labels import LabelMap

# Beside the others, where the model finds keypoints: the file that the config names
# may be on another machine.
KEYPOINTS = "keypoint_label_map.pbtxt"


def metadata_writer(config: Any, label_map: LabelMap) -> Callable[[pathlib.Path], None]:
    """Returns a function that writes config and label maps into a folder.

    Args:
        config: A TrainEvalPipelineConfig.
        label_map: The classes.
    """
    keypoints = keypoint_label_map(config)

    def describe(folder: pathlib.Path) -> None:
        save_config(config, folder / folders.CONFIG)
        save_label_map(label_map, folder / folders.LABEL_MAP)
        if keypoints is not None:
            save_label_map(keypoints, folder / KEYPOINTS)

    return describe


def find_keypoints(config: Any, folder: pathlib.Path) -> None:
    """Lets a config name the keypoints that lie in its folder, if some do."""
    if not config.model.center_net.keypoint_estimation_task:
        return
    for name in (KEYPOINTS, folders.LABEL_MAP):
        file = folder / name
        if file.is_file() and load_label_map(file).num_keypoints:
            config.model.center_net.keypoint_label_map_path = str(file)
            return
