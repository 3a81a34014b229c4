"""Metadata beside weights: the config and the label maps of their detector."""

import pathlib
from collections.abc import Callable
from typing import Any

from odapi.build.keypoint_names import keypoint_label_map
from odapi.checkpoints import folder as folders
from odapi.config.label_map import load_label_map, save_label_map
from odapi.config.load import save_config
from odapi.errors import CheckpointError
from odapi.labels import LabelMap


def metadata_writer(config: Any, label_map: LabelMap) -> Callable[[pathlib.Path], None]:
    """Returns a function `write_metadata(folder)` for the config and the label maps.

    Args:
        config: A TrainEvalPipelineConfig.
        label_map: The classes.

    The function raises `CheckpointError` if a file cannot be written.
    """
    keypoints = keypoint_label_map(config)

    def write_metadata(folder: pathlib.Path) -> None:
        save_config(config, folder / folders.CONFIG, CheckpointError)
        save_label_map(label_map, folder / folders.LABEL_MAP, CheckpointError)
        if keypoints is not None:
            save_label_map(keypoints, folder / folders.KEYPOINTS, CheckpointError)

    return write_metadata


def find_keypoints(config: Any, folder: pathlib.Path) -> None:
    """Points a config to the keypoint label map in its folder, if it has one."""
    if not config.model.center_net.keypoint_estimation_task:
        return
    for name in (folders.KEYPOINTS, folders.LABEL_MAP):
        file = folder / name
        if file.is_file() and load_label_map(file).num_keypoints:
            config.model.center_net.keypoint_label_map_path = str(file)
            return
