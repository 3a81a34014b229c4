"""Affine and perspective warps of samples: rotation, shear and the like.

They mix rows and columns, so that they cannot be recorded in a `LazyImage`: the image
is rendered, then warped. Masks are warped around their object only.
"""

from typing import Any

import numpy as np

from odapi.data.augment.pixels import rendered_lazily
from odapi.data.image.homography import move, move_boxes, warp_image
from odapi.data.image.lazy_masks import LazyMasks
from odapi.data.image.mask_patch import MaskPatch, warp_mask
from odapi.data.sample import Sample
from odapi.fields import FIELDS, Motion

# Gray outside of the image, as in AutoAugment.
FILL = 128


def warp_sample(
    sample: Sample, matrix: np.ndarray, nearest: bool = False
) -> tuple[Sample, np.ndarray]:
    """Returns the sample after a map of its positions, and the share that is visible.

    Boxes are the extents of the moved masks, or of the moved corners of boxes without
    mask; at the edge of the image, those of the visible part of the mask. They are not
    clipped, and no object is dropped: see `transforms.drop_outside`.

    Args:
        sample: The sample.
        matrix: `[3, 3]`, from old to new positions in pixels, see `homography`.
        nearest: Whether to copy pixels instead of interpolating.

    Returns:
        The sample, and per object the share of its box that lies in the image, `[n]`.
    """
    sample = rendered_lazily(sample)
    size = np.array(sample["image"].shape[:2])
    pixels = np.tile(size, 2)
    boxes = move_boxes(matrix, np.clip(sample["boxes"], 0, 1) * pixels)
    moved = sample | {
        "image": warp_image(sample["image"], matrix, FILL, nearest),
        **moved_points(sample, matrix),
    }
    seen = boxes
    if "masks" in sample:
        moved["masks"], boxes, seen = _warped_masks(sample["masks"], matrix, boxes)
    share = _visible_share(boxes, seen, pixels)
    moved["boxes"] = (seen / pixels).astype(np.float32)
    return moved, share


def moved_points(sample: Sample, matrix: np.ndarray) -> Sample:
    """Returns the fields of a sample with points or offsets, moved by a map."""
    size = np.array(sample["image"].shape[:2])
    moved: Sample = {}
    for name, value in sample.items():
        motion = FIELDS[name].motion if name in FIELDS else Motion.NONE
        if motion is Motion.POINT:
            moved[name] = value.copy()
            moved[name][..., :2] = _moved(matrix, value[..., :2], size)
        elif motion is Motion.OFFSET:
            # From the center of the object to the same point at another time.
            boxes = sample["boxes"].astype(float)
            centers = (boxes[:, :2] + boxes[:, 2:]) / 2
            ends = _moved(matrix, centers + value, size)
            offsets = ends - _moved(matrix, centers, size)
            moved[name] = offsets.astype(np.float32)
    return moved


def _moved(matrix: np.ndarray, points: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Returns normalized points `[..., 2]`, each (y, x), moved by a map of pixels."""
    return move(matrix, (points * size)[..., ::-1])[..., ::-1] / size


def _warped_masks(
    masks: Any, matrix: np.ndarray, boxes: np.ndarray
) -> tuple[LazyMasks, np.ndarray, np.ndarray]:
    """Returns moved masks, the boxes of the objects and those of what is visible.

    Args:
        masks: An array, or `LazyMasks`.
        matrix: The map.
        boxes: The moved boxes `[n, 4]` in pixels, for objects without a mask.
    """
    whole, seen = boxes.copy(), boxes.copy()
    patches: list[MaskPatch | None] = []
    for index, mask in enumerate(masks):
        warped = warp_mask(mask, matrix)
        patches.append(warped and warped[0])
        if warped is None:
            continue
        patch, extent = warped
        whole[index] = seen[index] = extent
        rows, columns = patch.size
        if (extent[:2] < 0).any() or (extent[2:] > [rows, columns]).any():
            visible = patch.box()
            seen[index] = 0 if visible is None else visible
    return LazyMasks(tuple(patches), masks.shape[1:]), whole, seen


def _visible_share(whole: np.ndarray, seen: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Returns the area of visible boxes, clipped, relative to that of whole ones."""
    inside = np.clip(seen, 0, size)
    (heights, widths), (all_heights, all_widths) = (
        (boxes[:, 2:] - boxes[:, :2]).T for boxes in (inside, whole)
    )
    areas = all_heights * all_widths
    return np.where(areas > 0, heights * widths / np.where(areas > 0, areas, 1), 0.0)
