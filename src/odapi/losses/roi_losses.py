"""Losses of the keypoint and mask heads of two-stage detectors."""

from keras import ops

from odapi.losses.classification import SigmoidLoss
from odapi.losses.masks import mask_loss
from odapi.losses.normalizer import batch_normalizer
from odapi.structures import Tensor

ROI_KEYPOINTS = "Loss/BoxClassifierLoss/keypoint_loss"
ROI_MASKS = "Loss/BoxClassifierLoss/mask_loss"


def roi_keypoint_loss(heatmaps: Tensor, cells: Tensor, weights: Tensor) -> Tensor:
    """Returns the mean cross entropy of the cells of keypoints, over all cells.

    Args:
        heatmaps: `[b, n, k, h, w]`, logits.
        cells: `[b, n, k]` int32, flat index of the cell.
        weights: `[b, n, k]`, weight per keypoint.

    Returns:
        A scalar; 0 if all weights are 0.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870), section 5.
    """
    number, count, height, width = heatmaps.shape[1:]
    flat = ops.reshape(heatmaps, (-1, number, count, height * width))
    logs = ops.log_softmax(flat, axis=-1)
    likelihood = ops.take_along_axis(logs, cells[..., None], axis=-1)[..., 0]
    return -ops.sum(likelihood * weights) / batch_normalizer(ops.sum(weights))


def roi_mask_loss(logits: Tensor, masks: Tensor, weights: Tensor) -> Tensor:
    """Returns the mean cross entropy over all cells of all regions of a batch.

    Args:
        logits: `[b, n, h, w]` of the class of each region.
        masks: `[b, n, h, w]` in [0, 1].
        weights: `[b, n]`, weight per region.

    Returns:
        A scalar; 0 if all weights are 0.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870), section 3.
    """
    _, _, height, width = logits.shape
    regions = mask_loss(SigmoidLoss(), logits, masks)
    # As in the original, the minimum divisor is one cell, not one region.
    total = batch_normalizer(ops.sum(weights), 1.0 / (height * width))
    return ops.sum(regions * weights) / total
