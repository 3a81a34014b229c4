"""What masks of regions are to look like."""

from typing import NamedTuple

from keras import ops

from odapi.geometry.crop.roi_align import CROP_AND_RESIZE, CropAndResize, crop_masks
from odapi.structures import Tensor


class RoiMaskTargets(NamedTuple):
    """Masks of regions, and how much each counts."""

    masks: Tensor  # [b, n, h, w] float32 in [0, 1]
    weights: Tensor  # [b, n] float32, 0: nothing is known, or it is padding


def assign_roi_masks(
    masks: Tensor,
    mask_weights: Tensor | None,
    boxes: Tensor,
    index: Tensor,
    weights: Tensor,
    size: tuple[int, int],
    how: CropAndResize = CROP_AND_RESIZE,
) -> RoiMaskTargets:
    """Returns the part of its object's mask that each region shows, without gradient.

    Scaled linearly and not rounded: what a cell is to say is the share that the
    object has of it, as in the original.

    Args:
        masks: `[b, objects, H, W]` of the padded images.
        mask_weights: `[b, objects]`, 0 where the mask is not known; None: all are.
        boxes: `[b, n, 4]`, regions, normalised to the padded images.
        index: `[b, n]` int32: the object that a region shows.
        weights: `[b, n]`: how much a region counts; 0 where it shows none.
        size: Rows and columns of a target.
        how: How masks are read.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870), section 3.
    """
    targets = crop_masks(masks, index, boxes, size, how)
    if mask_weights is not None:
        known = ops.take_along_axis(mask_weights, index, axis=1)
        weights = weights * ops.cast(known, weights.dtype)
    return RoiMaskTargets(ops.stop_gradient(targets), ops.stop_gradient(weights))
