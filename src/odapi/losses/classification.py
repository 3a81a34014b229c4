"""Classification losses.

A loss is called `(predictions [b, anchors, classes], targets [b, anchors, classes],
weights [b, anchors, classes or 1])`, where predictions are logits unless stated
otherwise, and returns one loss per logit, `[b, anchors, classes]`, or one per anchor,
`[b, anchors]`, as stated by its docstring.
"""

import dataclasses
from typing import Protocol

from keras import ops

from odapi.structures import Tensor


class ClassificationLoss(Protocol):
    """Interface of all classification losses."""

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted loss per logit or per anchor."""


@dataclasses.dataclass(frozen=True)
class SigmoidLoss:
    """Sigmoid cross entropy per class; `[b, anchors, classes]`."""

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted loss per logit."""
        return _sigmoid_cross_entropy(predictions, targets) * weights


@dataclasses.dataclass(frozen=True)
class SigmoidFocalLoss:
    """Sigmoid focal loss; `[b, anchors, classes]`.

    Args:
        gamma: Focusing exponent, which reduces the loss of easy examples; 0 gives
            cross entropy.
        alpha: Weight of positives, with `1 - alpha` for negatives; None: both 1.

    Source: Lin et al. 2017 (https://arxiv.org/abs/1708.02002), section 3.
    """

    gamma: float = 2.0
    alpha: float | None = None

    def __post_init__(self) -> None:
        if self.gamma < 0:
            raise ValueError(f"gamma must be >= 0, got {self.gamma}")
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got {self.alpha}")

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted loss per logit."""
        loss = _sigmoid_cross_entropy(predictions, targets)
        if self.gamma:
            p = ops.sigmoid(predictions)
            # 1 - p where the target is 1, p where it is 0
            missed = p + targets * (1.0 - 2.0 * p)
            loss = loss * _power(missed, self.gamma)
        if self.alpha is not None:
            # alpha where the target is 1, 1 - alpha where it is 0
            balance = targets * (2.0 * self.alpha - 1.0) + (1.0 - self.alpha)
            loss = loss * balance
        return loss * weights


@dataclasses.dataclass(frozen=True)
class SoftmaxLoss:
    """Softmax cross entropy; `[b, anchors]`.

    Args:
        logit_scale: Temperature: divides the logits, > 0.
    """

    logit_scale: float = 1.0

    def __post_init__(self) -> None:
        _check_scale(self.logit_scale)

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the loss per anchor, times its mean weight."""
        loss = _softmax_cross_entropy(predictions / self.logit_scale, targets)
        return loss * ops.mean(weights, axis=-1)


@dataclasses.dataclass(frozen=True)
class SoftmaxAgainstLogitsLoss:
    """Softmax cross entropy with logits as targets; `[b, anchors]`.

    Args:
        logit_scale: Temperature: divides the logits of both, > 0.
    """

    logit_scale: float = 1.0

    def __post_init__(self) -> None:
        _check_scale(self.logit_scale)

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the loss per anchor, times its mean weight."""
        targets = ops.softmax(targets / self.logit_scale, axis=-1)
        loss = _softmax_cross_entropy(predictions / self.logit_scale, targets)
        return loss * ops.mean(weights, axis=-1)


@dataclasses.dataclass(frozen=True)
class BootstrappedSigmoidLoss:
    """Bootstrapped sigmoid cross entropy; `[b, anchors, classes]`.

    Targets are mixed with the predictions of the model.

    Args:
        alpha: Fraction of the target, in [0, 1]; the rest is the prediction.
        hard: Round predictions to 0 or 1 instead of using probabilities.

    Source: Reed et al. 2014 (https://arxiv.org/abs/1412.6596), section 3.
    """

    alpha: float
    hard: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got {self.alpha}")

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted loss per logit."""
        predicted = ops.sigmoid(predictions)
        if self.hard:
            predicted = ops.cast(predicted > 0.5, predictions.dtype)
        mixed = self.alpha * targets + (1.0 - self.alpha) * predicted
        return _sigmoid_cross_entropy(predictions, mixed) * weights


@dataclasses.dataclass(frozen=True)
class PenaltyReducedFocalLoss:
    """Penalty-reduced focal loss for heatmaps, with less penalty near a peak.

    Any shape; targets are in [0, 1] and exactly 1 at a peak.

    Args:
        alpha: Focusing exponent, which reduces the loss of easy cells, >= 0.
        beta: Exponent that reduces the penalty near a peak, >= 0.
        margin: Probabilities are clipped to [margin, 1 - margin].

    Source: Zhou et al. 2019 (https://arxiv.org/abs/1904.07850), section 3.
    """

    alpha: float = 2.0
    beta: float = 4.0
    margin: float = 1e-4

    def __post_init__(self) -> None:
        if self.alpha < 0 or self.beta < 0:
            raise ValueError(
                f"alpha and beta must be >= 0, got {self.alpha} and {self.beta}"
            )

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted loss per logit."""
        p = ops.clip(ops.sigmoid(predictions), self.margin, 1.0 - self.margin)
        positive = _power(1.0 - p, self.alpha) * ops.log(p)
        distance = _power(1.0 - targets, self.beta)
        negative = distance * _power(p, self.alpha) * ops.log(1.0 - p)
        return -ops.where(targets == 1.0, positive, negative) * weights


@dataclasses.dataclass(frozen=True)
class DiceLoss:
    """Dice loss, 1 - Dice coefficient, per class; `[b, classes]`.

    Predictions and targets are `[b, pixels, classes]`. A class that is neither
    predicted nor present has loss 1, as in the original.

    Args:
        squared: Square the terms of the denominator, as in the paper. The original
            squares those of the numerator, too; no model of the zoo depends on it.
        probabilities: Predictions are probabilities, not logits.

    Source: Milletari et al. 2016 (https://arxiv.org/abs/1606.04797), section 3.
    """

    squared: bool = False
    probabilities: bool = False

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the loss per class, of predictions and targets times weights."""
        p = predictions if self.probabilities else ops.sigmoid(predictions)
        p, targets = p * weights, targets * weights
        overlap = ops.sum(p * targets, axis=1)
        if self.squared:
            p, targets = ops.square(p), ops.square(targets)
        total = ops.sum(p + targets, axis=1)
        present = total > 0
        dice = 2.0 * overlap / ops.where(present, total, 1.0)
        return 1.0 - ops.where(present, dice, 0.0)


def _sigmoid_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    # Few passes over memory: with 90 classes the loss is a large part of a step.
    return ops.softplus(logits) - logits * targets


def _softmax_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)


def _power(base: Tensor, exponent: float) -> Tensor:
    """Returns `base ** exponent`, with a finite gradient at base 0."""
    if exponent == 0:
        return ops.ones_like(base)
    if exponent == 1:
        return base
    if exponent == 2:
        return ops.square(base)
    if exponent < 1:
        base = ops.maximum(base, 1e-12)
    return ops.power(base, exponent)


def _check_scale(scale: float) -> None:
    if not scale > 0:
        raise ValueError(f"logit_scale must be > 0, got {scale}")
