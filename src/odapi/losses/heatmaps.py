"""Losses of CenterNet maps: of whole heatmaps and of single cells."""

from collections.abc import Sequence

from keras import ops

from odapi.geometry.gather import gather_cells
from odapi.losses.boxes import BoxLoss
from odapi.losses.classification import ClassificationLoss
from odapi.losses.normalizer import batch_normalizer
from odapi.structures import Tensor


def number_of_objects(weights: Tensor) -> Tensor:
    """Returns the number of objects with a weight `[b, n]` above 0, at least 1.

    On several devices see `batch_normalizer`.
    """
    weighted = ops.cast(weights > 0, "float32")
    return batch_normalizer(ops.sum(weighted))


def heatmap_loss(
    loss: ClassificationLoss,
    stages: Sequence[Tensor],
    targets: Tensor,
    weights: Tensor,
) -> Tensor:
    """Returns the loss summed over all cells and averaged over the stages.

    Args:
        loss: Loss of logits.
        stages: Predictions of each stage, logits `[b, h, w, c]`.
        targets: `[b, h, w, c]`.
        weights: `[b or 1, h, w, c or 1]`.
    """
    targets, weights = _flat(targets), _flat(weights)
    total = sum(ops.sum(loss(_flat(s), targets, weights)) for s in stages)
    return total / float(len(stages))


def cell_loss(
    loss: BoxLoss,
    stages: Sequence[Tensor],
    y: Tensor,
    x: Tensor,
    targets: Tensor,
    weights: Tensor,
) -> Tensor:
    """Returns the loss summed over the cells of objects, averaged over the stages.

    Args:
        loss: Loss of regressed values.
        stages: Predictions of each stage, `[b, h, w, c]`.
        y, x: `[b, n]` int32: the cells.
        targets: `[b, n, c]`.
        weights: `[b, n]`.
    """
    total = sum(ops.sum(loss(gather_cells(s, y, x), targets, weights)) for s in stages)
    return total / float(len(stages))


def _flat(maps: Tensor) -> Tensor:
    _, height, width, channels = maps.shape
    return ops.reshape(maps, (-1, height * width, channels))
