"""Drawing of keypoints and the edges between them."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from odapi.draw.colors import WHITE, Color
from odapi.labels import LabelMap

Edges = tuple[tuple[int, int], ...]

# Edges of COCO's person; used for all classes with these keypoint names.
_PERSON_EDGES = (
    ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"),
    ("right_eye", "right_ear"), ("nose", "left_shoulder"), ("nose", "right_shoulder"),
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"), ("left_hip", "right_hip"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
)  # fmt: skip


def edges_of(label_map: LabelMap | None) -> Edges:
    """Returns the edges between keypoints.

    Returns:
        Pairs of ids: the skeleton of each class or, if it has none, edges between
        keypoints with the names of COCO's person.
    """
    edges: list[tuple[int, int]] = []
    for category in label_map or ():
        if category.skeleton:
            edges += category.skeleton
            continue
        ids = {k.name.lower(): k.id for k in category.keypoints}
        edges += [(ids[a], ids[b]) for a, b in _PERSON_EDGES if a in ids and b in ids]
    return tuple(edges)


# Default score of keypoints without a heatmap peak.
_UNSCORED = 0.1


def draw_keypoints(
    image: np.ndarray,
    objects: Any,
    colors: Sequence[Color],
    edges: Edges,
    line: int,
    min_score: float = _UNSCORED,
) -> None:
    """Draws keypoints and their edges into an image `[h, w, 3]`.

    Args:
        image: Changed in place.
        objects: `keypoints [n, k, 2]` normalized, NaN if missing, and optionally
            `keypoint_scores [n, k]`.
        colors: Color of each object.
        edges: Pairs of keypoints to connect.
        line: Width of lines, in pixels.
        min_score: Only keypoints with a higher score are drawn.
    """
    if objects.get("keypoints") is None:
        return
    points: np.ndarray = np.array(objects["keypoints"], np.float64)
    seen = np.isfinite(points).all(axis=-1)
    if objects.get("keypoint_scores") is not None:
        seen &= np.asarray(objects["keypoint_scores"]) > min_score
    size = np.array(image.shape[:2])
    # Clipped, since integers of OpenCV would overflow.
    limit = 10.0 * size.max()
    pixels = np.clip(np.where(seen[..., None], points, 0) * size, -limit, limit)
    pixels = np.rint(pixels).astype(int)
    radius = max(2, round(1.5 * line))
    for place, there, color in zip(pixels, seen, colors, strict=True):
        for start, end in edges:
            if max(start, end) < len(there) and there[start] and there[end]:
                one, other = place[start, ::-1].tolist(), place[end, ::-1].tolist()
                cv2.line(image, one, other, WHITE, line + 2, cv2.LINE_AA)
                cv2.line(image, one, other, color, line, cv2.LINE_AA)
        for y, x in place[there].tolist():
            cv2.circle(image, (x, y), radius + 1, WHITE, -1, cv2.LINE_AA)
            cv2.circle(image, (x, y), radius, color, -1, cv2.LINE_AA)
