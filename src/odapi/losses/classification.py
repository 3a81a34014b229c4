"""Classification losses.

A loss is called `(predictions [b, anchors, classes], targets [b, anchors, classes],
weights [b, anchors, classes or 1])`, predictions being logits unless said otherwise,
and returns a loss for each number, `[b, anchors, classes]`, or for each anchor,
`[b, anchors]`, as its docstring says.
"""

import dataclasses
from typing import Protocol

from keras import ops

from odapi.structures import Tensor


class ClassificationLoss(Protocol):
    """What all classification losses have in common."""

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted loss of each number or of each anchor."""


@dataclasses.dataclass(frozen=True)
class SigmoidLoss:
    """Cross entropy of each class by itself; `[b, anchors, classes]`."""

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted loss of each number."""
        return _sigmoid_cross_entropy(predictions, targets) * weights


@dataclasses.dataclass(frozen=True)
class SigmoidFocalLoss:
    """Cross entropy that counts easy examples less; `[b, anchors, classes]`.

    Args:
        gamma: How much less; 0 gives plain cross entropy.
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
        """Returns the weighted loss of each number."""
        loss = _sigmoid_cross_entropy(predictions, targets)
        if self.gamma:
            p = ops.sigmoid(predictions)
            # 1 - p where the target is 1, p where it is 0
            missed = p + targets * (1.0 - 2.0 * p)
            loss = loss * _power(missed, self.gamma)
        if self.alpha is not None:
            # alpha where the target is 1, 1 - alpha where it is 0
            share = targets * (2.0 * self.alpha - 1.0) + (1.0 - self.alpha)
            loss = loss * share
        return loss * weights


@dataclasses.dataclass(frozen=True)
class SoftmaxLoss:
    """Cross entropy over all classes; `[b, anchors]`.

    Args:
        logit_scale: What logits are divided by, > 0.
    """

    logit_scale: float = 1.0

    def __post_init__(self) -> None:
        _check_scale(self.logit_scale)

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the loss of each anchor, weighted by its mean weight."""
        loss = _softmax_cross_entropy(predictions / self.logit_scale, targets)
        return loss * ops.mean(weights, axis=-1)


@dataclasses.dataclass(frozen=True)
class SoftmaxAgainstLogitsLoss:
    """Cross entropy over all classes, targets being logits too; `[b, anchors]`.

    Args:
        logit_scale: What logits of both are divided by, > 0.
    """

    logit_scale: float = 1.0

    def __post_init__(self) -> None:
        _check_scale(self.logit_scale)

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the loss of each anchor, weighted by its mean weight."""
        targets = ops.softmax(targets / self.logit_scale, axis=-1)
        loss = _softmax_cross_entropy(predictions / self.logit_scale, targets)
        return loss * ops.mean(weights, axis=-1)


@dataclasses.dataclass(frozen=True)
class BootstrappedSigmoidLoss:
    """Cross entropy with targets mixed with predictions; `[b, anchors, classes]`.

    Args:
        alpha: Share of the target, in [0, 1]; the rest is the model's own opinion.
        hard: That opinion is 0 or 1 instead of a probability.

    Source: Reed et al. 2014 (https://arxiv.org/abs/1412.6596), section 3.
    """

    alpha: float
    hard: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got {self.alpha}")

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the weighted loss of each number."""
        opinion = ops.sigmoid(predictions)
        if self.hard:
            opinion = ops.cast(opinion > 0.5, predictions.dtype)
        mixed = self.alpha * targets + (1.0 - self.alpha) * opinion
        return _sigmoid_cross_entropy(predictions, mixed) * weights


@dataclasses.dataclass(frozen=True)
class PenaltyReducedFocalLoss:
    """Focal loss for heatmaps; negatives near a peak count less.

    Shapes are free; targets are in [0, 1] and exactly 1 at a peak.

    Args:
        alpha: Exponent that makes easy places count less, >= 0.
        beta: Exponent that makes places near a peak count less, >= 0.
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
        """Returns the weighted loss of each number."""
        p = ops.clip(ops.sigmoid(predictions), self.margin, 1.0 - self.margin)
        positive = _power(1.0 - p, self.alpha) * ops.log(p)
        distance = _power(1.0 - targets, self.beta)
        negative = distance * _power(p, self.alpha) * ops.log(1.0 - p)
        return -ops.where(targets == 1.0, positive, negative) * weights


@dataclasses.dataclass(frozen=True)
class DiceLoss:
    """1 - Dice coefficient of each class over all places; `[b, classes]`.

    Predictions and targets are `[b, places, classes]`. A class that is neither
    predicted nor there has loss 1, as in the original.

    Args:
        squared: Squares in the denominator.
        probabilities: Predictions are probabilities, not logits.

    Source: Milletari et al. 2016 (https://arxiv.org/abs/1606.04797), section 3.
    """

    squared: bool = False
    probabilities: bool = False

    def __call__(self, predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Returns the loss of each class, of predictions and targets times weights."""
        p = predictions if self.probabilities else ops.sigmoid(predictions)
        p, targets = p * weights, targets * weights
        overlap = ops.sum(p * targets, axis=1)
        if self.squared:
            p, targets = ops.square(p), ops.square(targets)
        total = ops.sum(p + targets, axis=1)
        there = total > 0
        return 1.0 - ops.where(there, 2.0 * overlap / ops.where(there, total, 1.0), 0.0)


def _sigmoid_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    # Few passes: with 90 classes the loss is a good part of a training step.
    return ops.softplus(logits) - logits * targets


def _softmax_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)


def _power(base: Tensor, exponent: float) -> Tensor:
    """Returns `base ** exponent`, whose gradient is finite also at base 0."""
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
