"""Loads a detector from a checkpoint: builds it from the config, loads its weights."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from odapi.build.detector import build_detector
from odapi.build.keypoint_names import keypoint_label_map, with_keypoints
from odapi.checkpoints import averages, batch_norm
from odapi.checkpoints import folder as folders
from odapi.checkpoints.folder import Pathlike
from odapi.checkpoints.metadata import find_keypoints
from odapi.checkpoints.start_folder import use_start_folder
from odapi.checkpoints.training_state import find_step
from odapi.checkpoints.weights import load_weights
from odapi.config.label_map import load_label_map
from odapi.config.load import Config, load_config
from odapi.errors import CheckpointError
from odapi.labels import LabelMap
from odapi.models.detector import Detector


class LoadedDetector(NamedTuple):
    """A detector with its config and classes."""

    detector: Detector
    config: Config
    label_map: LabelMap
    step: int | None  # Number of training steps, if known.
    folder: pathlib.Path  # The checkpoint folder.

    def __repr__(self) -> str:
        step = "" if self.step is None else f" at step {self.step}"
        return f"<LoadedDetector {self.folder}{step}: {self.label_map}>"


def load_detector(path: Pathlike, overrides: Sequence[str] = ()) -> LoadedDetector:
    """Loads a trained detector.

    With `eval_config.use_moving_averages`, the weights are the moving averages, if
    the training kept any. With `options.recalibrate_batch_norm`, batch norms get
    statistics that are estimated anew: those saved with the checkpoint, or, if it has
    none or an override asks for other ones, of the training data.

    Args:
        path: A model_dir (its best checkpoint, else the last), a checkpoint
            folder, or a folder made by `odapi export`.
        overrides: Config overrides, such as
            `model.ssd.post_processing.batch_non_max_suppression.iou_threshold=0.5`.

    Raises:
        CheckpointError: The path has no checkpoint, or it is damaged or does not fit
            its config with the overrides.
        ConfigError: An override is wrong, or training data that is needed cannot be
            read.
    """
    folder = folders.find(path)
    for name in (folders.CONFIG, folders.LABEL_MAP):
        if not (folder / name).is_file():
            raise CheckpointError(str(folder), f"has no {name}")
    config = load_config(folder / folders.CONFIG)
    use_start_folder(config, folder)
    saved, config = config, load_config(config, overrides)
    label_map = load_label_map(folder / folders.LABEL_MAP)
    find_keypoints(config, folder)
    if (names := keypoint_label_map(config)) is not None:
        label_map = with_keypoints(label_map, names)
    detector = build_detector(config)
    detector.label_map = label_map
    load_weights(detector, folder / folders.WEIGHTS)
    if config.eval_config.use_moving_averages:
        averages.use_averages(folder, detector)
    batch_norm.use_statistics(folder, saved, config, detector, label_map)
    return LoadedDetector(detector, config, label_map, find_step(folder), folder)
