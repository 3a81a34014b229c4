"""Outputs of a SavedModel as objects to draw."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from odapi.wording import counted

_BOXES, _NUMBER = "detection_boxes", "num_detections"
# By the name of an output: the key of a sample.
_KEYS = {
    _BOXES: "boxes",
    "detection_scores": "scores",
    "detection_keypoints": "keypoints",
    "detection_keypoint_scores": "keypoint_scores",
}


def is_serving_output(objects: Mapping[str, Any]) -> bool:
    """Returns whether a dict has the names of the TF Object Detection API."""
    return _BOXES in objects


def objects_of(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the outputs for one image with the keys of a sample.

    Args:
        outputs: As a SavedModel returns them, with a batch of one image, or without
            the batch; arrays or tensors. Class ids count from 1.

    Raises:
        ValueError: They are of several images.
    """
    arrays = {name: np.asarray(value) for name, value in outputs.items()}
    if arrays[_BOXES].ndim == 3:
        if len(arrays[_BOXES]) != 1:
            raise ValueError(
                f"outputs of {counted(len(arrays[_BOXES]), 'image')}; draw them one by "
                "one: "
                "{name: value[i] for name, value in outputs.items()}"
            )
        arrays = {name: value[0] for name, value in arrays.items() if value.ndim}
    count = int(arrays.get(_NUMBER, len(arrays[_BOXES])))
    found = {key: arrays[name] for name, key in _KEYS.items() if name in arrays}
    if "detection_classes" in arrays:
        found["classes"] = arrays["detection_classes"].astype(np.int32) - 1
    if "detection_masks" in arrays:
        found["box_masks"] = arrays["detection_masks"]
    return {key: value[:count] for key, value in found.items()}
