"""Targets of segmentation maps: groundtruth masks at the size of the maps."""

from typing import NamedTuple

from keras import ops

from odapi.geometry.box_maps import cover_boxes
from odapi.geometry.boxes import center_size, from_center_size
from odapi.structures import Groundtruth, Tensor

# Growth of the boxes within which mask weights apply, as in the original: boxes are
# often a little too tight.
_BOX_SCALE = 1.05


class SegmentationTargets(NamedTuple):
    """Coverage of each cell by each class."""

    maps: Tensor  # [b, h, w, num_classes] float32 in [0, 1]
    weights: Tensor  # [b, h, w, 1] float32: weight of the loss


def segmentation_targets(
    truth: Groundtruth, num_classes: int, map_size: tuple[int, int]
) -> SegmentationTargets:
    """Returns the union of the masks of each class.

    The weight of a cell is the maximum of the `mask_weights` of the objects whose boxes
    cover it, 1 without such an object, and 0 if one of these objects has weight 0.

    Args:
        truth: The objects, with masks.
        num_classes: Number of classes.
        map_size: Height and width of the maps.

    Source: the original's `core/target_assigner.py`, `CenterNetMaskTargetAssigner`.
    """
    masks = resize_masks(truth.masks, map_size)
    batch, (height, width) = ops.shape(masks)[0], masks.shape[2:]
    # As in the original, masks of objects of weight 0 belong to the union; they have no
    # loss within the box of their object.
    masks = masks * ops.cast(truth.valid, masks.dtype)[..., None, None]
    first = num_classes * ops.arange(batch, dtype="int32")[:, None]
    union = ops.segment_max(
        ops.reshape(masks, (-1, height * width)),
        ops.reshape(ops.cast(truth.classes, "int32") + first, (-1,)),
        num_segments=batch * num_classes,
    )
    union = ops.maximum(union, 0.0)  # Also for classes without an object.
    maps = ops.reshape(union, (-1, num_classes, height, width))
    if truth.mask_weights is None:
        weights = ops.ones((batch, height, width), "float32")
    else:
        center, size = center_size(truth.boxes)
        boxes = from_center_size(center, size * _BOX_SCALE)
        weights = region_weights(boxes, truth.valid, truth.mask_weights, map_size)
    maps = ops.transpose(maps, (0, 2, 3, 1))
    return SegmentationTargets(ops.stop_gradient(maps), weights[..., None])


def region_weights(
    boxes: Tensor, valid: Tensor, weights: Tensor, map_size: tuple[int, int]
) -> Tensor:
    """Returns the weights `[b, h, w]` of the cells of maps, given weights of boxes.

    Args:
        boxes: `[b, n, 4]` normalized.
        valid: `[b, n]`; False for padding.
        weights: `[b, n]`. Where boxes overlap, the maximum applies, but a weight of 0
            always applies. Cells outside of all boxes have weight 1.
        map_size: Height and width of the maps.
    """
    batch, (height, width) = ops.shape(boxes)[0], map_size
    if not boxes.shape[1]:
        return ops.ones((batch, height, width), "float32")
    rows, columns = cover_boxes(boxes, map_size)
    rows = rows * ops.cast(valid, "float32")[..., None]
    covered = rows[..., :, None] * columns[..., None, :]  # [b, n, h, w]
    weights = ops.cast(weights, "float32")[..., None, None]
    highest = ops.max(covered * ops.maximum(weights, 0.0), axis=1)
    hidden = ops.max(covered * ops.cast(weights <= 0, "float32"), axis=1)
    outside = 1.0 - ops.max(covered, axis=1)
    return ops.maximum(highest, outside) * (1.0 - hidden)


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
