"""Localization losses.

A loss is called `(predictions [..., n], targets [..., n], weights [...])` and returns
`[...]`, one loss per box. With `on_boxes` the arguments are boxes, otherwise codes of a
box coder.
"""

import dataclasses
from typing import Protocol

from keras import ops

from odapi.geometry.boxes import giou, iou
from odapi.structures import Tensor


class BoxLoss(Protocol):
    """Interface of all localization losses."""

    @property
    def on_boxes(self) -> bool:
        """True if predictions and targets are boxes instead of codes."""

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted loss per box."""


@dataclasses.dataclass(frozen=True)
class L2Loss:
    """Half the squared difference; the weight is squared, too, as in the original."""

    on_boxes = False

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns `sum(0.5 * (weight * difference) ** 2)` per box."""
        weighted = (predictions - targets) * ops.expand_dims(weights, -1)
        return 0.5 * ops.sum(ops.square(weighted), axis=-1)


@dataclasses.dataclass(frozen=True)
class SmoothL1Loss:
    """Huber loss: quadratic near 0, linear beyond.

    Args:
        delta: Difference at which the two meet, > 0; the slope of the linear part.

    Source: Girshick 2015 (https://arxiv.org/abs/1504.08083), for delta 1.
    """

    delta: float = 1.0
    on_boxes = False

    def __post_init__(self) -> None:
        if not self.delta > 0:
            raise ValueError(f"delta must be > 0, got {self.delta}")

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted sum per box."""
        error = ops.absolute(predictions - targets)
        near = ops.minimum(error, self.delta)
        loss = 0.5 * ops.square(near) + self.delta * (error - near)
        return ops.sum(loss, axis=-1) * weights


@dataclasses.dataclass(frozen=True)
class L1Loss:
    """Absolute difference."""

    on_boxes = False

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted sum per box."""
        return ops.sum(ops.absolute(predictions - targets), axis=-1) * weights


@dataclasses.dataclass(frozen=True)
class IouLoss:
    """1 - IoU of boxes `[..., 4]`."""

    on_boxes = True

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted loss per box."""
        return (1.0 - iou(predictions, targets)) * weights


@dataclasses.dataclass(frozen=True)
class GiouLoss:
    """1 - generalized IoU of boxes `[..., 4]`.

    Source: Rezatofighi et al. 2019 (https://arxiv.org/abs/1902.09630).
    """

    on_boxes = True

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted loss per box."""
        return (1.0 - giou(predictions, targets)) * weights
