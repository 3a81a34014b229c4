"""Detections of one image, from outputs that are named as in the original."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def detections_of(outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Returns the detections of one image in the form of `Predictor`.

    Args:
        outputs: Of one image, such as `detection_boxes [n, 4]`.
    """
    scores = outputs["detection_scores"]
    n = int(outputs.get("num_detections", len(scores)))
    found = {
        "boxes": outputs["detection_boxes"][:n],
        "classes": outputs["detection_classes"][:n].astype(np.int32) - 1,
        "scores": scores[:n],
    }
    if "detection_masks" in outputs:
        found["box_masks"] = outputs["detection_masks"][:n]
    for key in ("keypoints", "keypoint_scores", "keypoint_depths"):
        if f"detection_{key}" in outputs:
            found[key] = outputs[f"detection_{key}"][:n]
    return found
