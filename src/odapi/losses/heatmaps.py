"""Losses of maps: of whole heatmaps, and of single cells."""

from collections.abc import Sequence

from keras import ops

from odapi.geometry.gather import gather_cells
from odapi.losses.boxes import BoxLoss
from odapi.losses.classification import ClassificationLoss
from odapi.structures import Tensor


def number_of_objects(weights: Tensor) -> Tensor:
    """Returns how many objects of a batch have a weight `[b, n]`, at least 1."""
    there = ops.cast(weights > 0, "float32")
    return ops.maximum(ops.sum(there), 1.0)


def heatmap_loss(
    loss: ClassificationLoss,
    stages: Sequence[Tensor],
    targets: Tensor,
    weights: Tensor,
) -> Tensor:
    """Returns the sum over all cells, the mean over the stages.

    Args:
        loss: Of logits.
        stages: What each stage predicts, logits `[b, h, w, c]`.
        targets: `[b, h, w, c]`.
        weights: `[b or 1, h, w, c or 1]`.
    """
    wanted, weights = _flat(targets), _flat(weights)
    total = sum(ops.sum(loss(_flat(s), wanted, weights)) for s in stages)
    return total / float(len(stages))


def cell_loss(
    loss: BoxLoss,
    stages: Sequence[Tensor],
    y: Tensor,
    x: Tensor,
    targets: Tensor,
    weights: Tensor,
) -> Tensor:
    """Returns the sum over the cells of objects, the mean over the stages.

    Args:
        loss: Of numbers.
        stages: What each stage predicts, `[b, h, w, c]`.
        y, x: `[b, n]` int32: the cells.
        targets: `[b, n, c]`.
        weights: `[b, n]`.
    """
    total = sum(ops.sum(loss(gather_cells(s, y, x), targets, weights)) for s in stages)
    return total / float(len(stages))


def _flat(maps: Tensor) -> Tensor:
    _, height, width, channels = maps.shape
    return ops.reshape(maps, (-1, height * width, channels))
