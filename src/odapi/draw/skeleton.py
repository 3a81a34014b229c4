"""Keypoints of objects, and the lines between them."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from odapi.draw.colors import WHITE, Color
from odapi.labels import LabelMap

Edges = tuple[tuple[int, int], ...]

# COCO's person; other classes with such names are joined alike.
_JOINED = (
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
    """Returns the lines between keypoints.

    Returns:
        Pairs of ids: those of a class's own skeleton or, where it has none, those
        between keypoints that are named as those of COCO's people.
    """
    edges: list[tuple[int, int]] = []
    for category in label_map or ():
        if category.skeleton:
            edges += category.skeleton
            continue
        ids = {k.name.lower(): k.id for k in category.keypoints}
        edges += [(ids[a], ids[b]) for a, b in _JOINED if a in ids and b in ids]
    return tuple(edges)


# Score of keypoints that no peak of the heatmap bears out, by default.
_GUESS = 0.1


def draw_keypoints(
    image: np.ndarray,
    objects: Any,
    colors: Sequence[Color],
    edges: Edges,
    line: int,
    min_score: float = _GUESS,
) -> None:
    """Draws the keypoints of objects into an image `[h, w, 3]`, and their lines.

    Args:
        image: Is changed.
        objects: `keypoints [n, k, 2]` normalized, NaN where there is none, and where
            known `keypoint_scores [n, k]`.
        colors: Of each object.
        edges: Pairs of keypoints that a line joins.
        line: Width of lines, in pixels.
        min_score: Keypoints are drawn that score more.
    """
    if objects.get("keypoints") is None:
        return
    points: np.ndarray = np.array(objects["keypoints"], np.float64)
    seen = np.isfinite(points).all(axis=-1)
    if objects.get("keypoint_scores") is not None:
        seen &= np.asarray(objects["keypoint_scores"]) > min_score
    size = np.array(image.shape[:2])
    # Far outside, OpenCV's integers would overflow.
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
