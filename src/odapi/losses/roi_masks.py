"""The loss of masks of regions."""

from keras import ops

from odapi.losses.classification import SigmoidLoss
from odapi.losses.masks import mask_loss
from odapi.structures import Tensor

ROI_MASKS = "Loss/BoxClassifierLoss/mask_loss"


def roi_mask_loss(logits: Tensor, masks: Tensor, weights: Tensor) -> Tensor:
    """Returns the mean cross entropy of all cells of all regions of a batch.

    Args:
        logits: `[b, n, h, w]` of the class that a region shows.
        masks: `[b, n, h, w]` in [0, 1].
        weights: `[b, n]`, how much a region counts.

    Returns:
        A scalar; 0 where no region counts.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870), section 3.
    """
    _, _, height, width = logits.shape
    regions = mask_loss(SigmoidLoss(), logits, masks)
    # The original's least divisor is one cell, not one region.
    total = ops.maximum(ops.sum(weights), 1.0 / (height * width))
    return ops.sum(regions * weights) / total
