"""Targets of the keypoint and mask heads of two-stage detectors."""

from typing import NamedTuple

from keras import ops

from odapi.geometry.crop.roi_align import CROP_AND_RESIZE, CropAndResize, crop_masks
from odapi.geometry.gather import gather_rows
from odapi.structures import Tensor

# Shift of a peak toward its higher neighbor, in cells.
_PEAK_SHIFT = 0.25


class RoiKeypointTargets(NamedTuple):
    """Cells of keypoints, and their weights."""

    cells: Tensor  # [b, n, k] int32, row by row
    weights: Tensor  # [b, n, k] float32, 0: not labeled, or outside the region


def assign_roi_keypoints(
    keypoints: Tensor,
    visibility: Tensor | None,
    boxes: Tensor,
    index: Tensor,
    weights: Tensor,
    size: tuple[int, int],
) -> RoiKeypointTargets:
    """Returns the cells of the keypoints of the object assigned to each region.

    Args:
        keypoints: `[b, objects, k, 2]` normalized (y, x); NaN: not labeled.
        visibility: `[b, objects, k]` int32, 0: not labeled; None: only NaN marks
            unlabeled keypoints.
        boxes: `[b, n, 4]`, regions, in the frame of reference of the keypoints.
        index: `[b, n]` int32: the object assigned to a region.
        weights: `[b, n]`: weight of a region; 0 for background and padding.
        size: Rows and columns of cells.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870), section 5.
    """
    points = gather_rows(keypoints, index)
    known = ops.logical_not(ops.any(ops.isnan(points), axis=-1))
    if visibility is not None:
        known = ops.logical_and(known, gather_rows(visibility, index) > 0)
    points = ops.where(known[..., None], points, 0.0)
    sides = (boxes[..., 2:] - boxes[..., :2])[..., None, :]
    places = (points - boxes[..., None, :2]) / ops.maximum(sides, 1e-8)
    inside = ops.all((places >= 0) & (places <= 1) & (sides > 0), axis=-1)
    counts = ops.cast(ops.logical_and(known, inside), "float32") * weights[..., None]
    # A keypoint on the far edge is in the last cell.
    count = ops.convert_to_tensor(size, dtype="float32")
    cells = ops.floor(ops.clip(places, 0.0, 1.0) * count)
    cells = ops.cast(ops.minimum(cells, count - 1.0), "int32")
    cells = cells[..., 0] * size[1] + cells[..., 1]
    return RoiKeypointTargets(ops.stop_gradient(cells), ops.stop_gradient(counts))


def decode_roi_keypoints(heatmaps: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Decodes the most likely position of each keypoint and its probability.

    A keypoint lies in the middle of its best cell, shifted by a quarter of a cell
    toward the higher neighbor.

    Args:
        heatmaps: `[b, n, k, h, w]`, logits.
        boxes: `[b, n, 4]`.

    Returns:
        Points `[b, n, k, 2]` (y, x) in the frame of reference of the boxes, and
        probabilities `[b, n, k]`.
    """
    number, count, height, width = heatmaps.shape[1:]
    flat = ops.reshape(heatmaps, (-1, number, count, height * width))
    cell = ops.argmax(flat, axis=-1)
    scores = ops.max(ops.softmax(flat, axis=-1), axis=-1)
    row, column = cell // width, cell % width
    y = _refine_peak(flat, cell, row, width, height)
    x = _refine_peak(flat, cell, column, 1, width)
    low, sides = boxes[..., None, :2], (boxes[..., 2:] - boxes[..., :2])[..., None, :]
    return low + sides * ops.stack([y, x], axis=-1), scores


def _refine_peak(
    flat: Tensor, cell: Tensor, place: Tensor, step: int, count: int
) -> Tensor:
    """Returns the position of a peak on an axis of `count` cells, in [0, 1]."""

    def neighbor(move: int) -> Tensor:
        near = ops.clip(place + move, 0, count - 1)
        index = cell + (near - place) * step
        return ops.take_along_axis(flat, index[..., None], axis=-1)[..., 0]

    shift = _PEAK_SHIFT * ops.sign(neighbor(1) - neighbor(-1))
    inside = ops.logical_and(place > 0, place < count - 1)
    shift = ops.where(inside, shift, 0.0)
    return (ops.cast(place, "float32") + 0.5 + shift) / count


class RoiMaskTargets(NamedTuple):
    """Masks of regions, and their weights."""

    masks: Tensor  # [b, n, h, w] float32 in [0, 1]
    weights: Tensor  # [b, n] float32, 0: mask not known, or padding


def assign_roi_masks(
    masks: Tensor,
    mask_weights: Tensor | None,
    boxes: Tensor,
    index: Tensor,
    weights: Tensor,
    size: tuple[int, int],
    method: CropAndResize = CROP_AND_RESIZE,
) -> RoiMaskTargets:
    """Crops the masks of the objects assigned to the regions, without gradient.

    Targets are interpolated bilinearly and not rounded, as in the original.

    Args:
        masks: `[b, objects, H, W]` of the padded images.
        mask_weights: `[b, objects]`, 0 where the mask is not known; None: all are
            known.
        boxes: `[b, n, 4]`, regions, normalized to the padded images.
        index: `[b, n]` int32: the object assigned to a region.
        weights: `[b, n]`: weight of a region; 0 for background and padding.
        size: Rows and columns of a target.
        method: Sampling method of the masks.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870), section 3.
    """
    targets = crop_masks(masks, index, boxes, size, method)
    if mask_weights is not None:
        known = ops.take_along_axis(mask_weights, index, axis=1)
        weights = weights * ops.cast(known, weights.dtype)
    return RoiMaskTargets(ops.stop_gradient(targets), ops.stop_gradient(weights))
