"""The classes of a model that was built from a config alone."""

import pathlib
from typing import Any

from odapi.build.keypoint_names import keypoint_label_map, with_keypoints
from odapi.config.label_map import load_label_map
from odapi.labels import LabelMap, label_map_of


def config_label_map(config: Any, num_classes: int) -> LabelMap:
    """Returns the label map that a config names, if the file exists.

    Args:
        config: A TrainEvalPipelineConfig.
        num_classes: Number of classes of the model; without a label map they are
            called "class 1", "class 2" and so on.

    Raises:
        DataError: The label map cannot be parsed.
    """
    readers = [config.train_input_reader, *config.eval_input_reader]
    paths = [pathlib.Path(reader.label_map_path).expanduser() for reader in readers]
    files = [path for path in paths if path.is_file()]
    if files:
        label_map = load_label_map(files[0])
    else:
        label_map = label_map_of([f"class {i + 1}" for i in range(num_classes)])
    names = keypoint_label_map(config)
    return label_map if names is None else with_keypoints(label_map, names)
