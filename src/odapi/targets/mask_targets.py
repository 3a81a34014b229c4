"""Targets of segmentation maps: groundtruth masks at the size of the maps."""

from typing import NamedTuple

from keras import ops

from odapi.geometry.box_maps import fill_boxes
from odapi.structures import Groundtruth, Tensor


class SegmentationTargets(NamedTuple):
    """Coverage of each cell by each class."""

    maps: Tensor  # [b, h, w, num_classes] float32 in [0, 1]
    weights: Tensor  # [b, h, w, 1] float32: 0 where it is not known


def segmentation_targets(
    truth: Groundtruth, num_classes: int, map_size: tuple[int, int]
) -> SegmentationTargets:
    """Returns the union of the masks of each class.

    Cells in the box of an object whose mask is not known (`mask_weights` of 0) have
    weight 0.

    Args:
        truth: The objects, with masks.
        num_classes: Number of classes.
        map_size: Height and width of the maps.

    Source: the original's `core/target_assigner.py`, `CenterNetMaskTargetAssigner`.
    """
    masks = resize_masks(truth.masks, map_size)
    batch, (height, width) = ops.shape(masks)[0], masks.shape[2:]
    known = truth.valid
    if truth.mask_weights is not None:
        known = ops.logical_and(known, truth.mask_weights > 0)
    masks = masks * ops.cast(known, masks.dtype)[..., None, None]
    first = num_classes * ops.arange(batch, dtype="int32")[:, None]
    union = ops.segment_max(
        ops.reshape(masks, (-1, height * width)),
        ops.reshape(ops.cast(truth.classes, "int32") + first, (-1,)),
        num_segments=batch * num_classes,
    )
    union = ops.maximum(union, 0.0)  # Also for classes without an object.
    maps = ops.reshape(union, (-1, num_classes, height, width))
    weights = ops.ones((batch, height, width, 1), "float32")
    if truth.mask_weights is not None:
        hidden = ops.logical_and(truth.valid, truth.mask_weights <= 0)
        hidden = ops.cast(hidden, "float32")[..., None, None]
        within = ops.max(fill_boxes(truth.boxes, map_size) * hidden, axis=1)
        weights = 1.0 - within[..., None]
    maps = ops.transpose(maps, (0, 2, 3, 1))
    return SegmentationTargets(ops.stop_gradient(maps), weights)


def resize_masks(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes masks `[b, n, h, w]` bilinearly, to float32.

    The outer edges of the image stay fixed, and there is no antialiasing: at a fourth
    of the size, only the two middle pixels of four per side contribute.
    """
    height, width = masks.shape[2:]
    if (height, width) == tuple(size):
        return ops.cast(masks, "float32")
    if (height, width) == (4 * size[0], 4 * size[1]):
        # Sliced before the cast to float: masks of whole images are large.
        quarters = [masks[:, :, y::4, x::4] for y in (1, 2) for x in (1, 2)]
        return sum(ops.cast(q, "float32") for q in quarters) * 0.25
    flat = ops.reshape(masks, (-1, height, width, 1))
    resized = ops.image.resize(
        ops.cast(flat, "float32"),
        size,
        interpolation="bilinear",
        data_format="channels_last",
    )
    return ops.reshape(resized, (*ops.shape(masks)[:2], *size))
