"""Objects that are partly covered by others."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from odapi.data.augment.placement import KnownMask
from odapi.data.image.lazy_masks import LazyMasks
from odapi.data.sample import Sample, keep_objects

OCCLUDED = 1  # Visibility of keypoints that are labeled and not visible, as in COCO.


def pixels_of_boxes(
    boxes: np.ndarray, size: tuple[int, int]
) -> Iterator[tuple[slice, slice]]:
    """Yields rows and columns of the pixels that each normalized box touches."""
    unit = np.tile(size, 2)
    edges = np.clip(boxes.astype(np.float64) * unit, 0, unit)
    # Float32 boxes at the edge of a pixel do not touch the next one.
    low = np.floor(edges[:, :2] + 1e-3).astype(int)
    high = np.maximum(np.ceil(edges[:, 2:] - 1e-3).astype(int), low)
    for (top, left), (bottom, right) in zip(low.tolist(), high.tolist(), strict=True):
        yield slice(top, bottom), slice(left, right)


def occlude(sample: Sample, covered: np.ndarray, overlap_thresh: float) -> Sample:
    """Returns the objects that are still visible, with what is visible of them.

    A mask loses the covered pixels, and its box is reduced to the rest. An object
    without a mask keeps its box. Covered keypoints are no longer visible.

    Args:
        sample: Annotations; masks are `LazyMasks` of the size of `covered`.
        covered: uint8 `[h, w]`, 1 where something lies over the objects.
        overlap_thresh: Minimum visible share of an object: of its mask, or of its box
            if it has none.
    """
    size = (covered.shape[0], covered.shape[1])
    boxes = sample["boxes"].copy()
    masks: Any = sample.get("masks")
    decoders = list(masks.decoders) if masks is not None else []
    keep = np.ones(len(boxes), np.bool_)
    for index, pixels in enumerate(pixels_of_boxes(boxes, size)):
        area = covered[pixels]
        hidden = cv2.countNonZero(area) if area.size else 0
        if not hidden:
            continue
        mask = masks[index] if masks is not None else None
        if mask is None or not mask.any():
            visible = 1 - hidden / area.size
        else:
            left = mask & (1 - covered)
            visible = cv2.countNonZero(left) / cv2.countNonZero(mask)
            boxes[index] = _reduced(boxes[index], mask, left)
            decoders[index] = KnownMask(left)
        keep[index] = visible > 0 and visible >= overlap_thresh
    changed = sample | {"boxes": boxes} | _hidden_keypoints(sample, covered)
    if masks is not None:
        changed["masks"] = LazyMasks(tuple(decoders), size)
    return changed if keep.all() else keep_objects(changed, keep)


def _reduced(box: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Returns a box with those sides moved at which its mask was covered."""
    old, new = _edges(before), _edges(after)
    return np.where(old == new, box, new / np.tile(before.shape, 2)).astype(np.float32)


def _edges(mask: np.ndarray) -> np.ndarray:
    left, top, width, height = cv2.boundingRect(mask)
    return np.array([top, left, top + height, left + width])


def _hidden_keypoints(sample: Sample, covered: np.ndarray) -> Sample:
    if "keypoints" not in sample or "keypoint_visibility" not in sample:
        return {}
    points = sample["keypoints"]
    inside = ((points >= 0) & (points < 1)).all(axis=-1)  # NaN: False.
    pixels = (np.where(inside[..., None], points, 0) * covered.shape).astype(int)
    hidden = inside & (covered[pixels[..., 0], pixels[..., 1]] > 0)
    visibility = sample["keypoint_visibility"]
    occluded = np.minimum(visibility, OCCLUDED)
    return {"keypoint_visibility": np.where(hidden, occluded, visibility)}
