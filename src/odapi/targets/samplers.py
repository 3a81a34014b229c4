"""Samplers: choose the anchors or regions that contribute to the loss."""

import dataclasses

from keras import ops

from odapi.runtime.distribution.replicas import random_rows
from odapi.structures import Tensor


@dataclasses.dataclass(frozen=True)
class BalancedSampler:
    """Samples anchors with a given fraction of positives.

    Args:
        positive_fraction: Maximum fraction of positives in the sample, in (0, 1].
            Without a `size` all positives are taken, with as many negatives as this
            fraction allows: an image without positives has an empty sample.
        size: Sample size per image; negatives fill the rest. None: no limit.
        fill: If there are fewer candidates than `size`, the first of the other anchors
            become candidates, too, as in the original's sampler of static shapes.
    """

    positive_fraction: float = 0.5
    size: int | None = None
    fill: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.positive_fraction <= 1:
            raise ValueError(
                f"positive_sample_fraction must be in (0, 1], got "
                f"{self.positive_fraction}"
            )
        if self.size is not None and self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")

    @property
    def max_positives(self) -> int | None:
        """Maximum number of positives per image; None: no limit."""
        return None if self.size is None else int(self.positive_fraction * self.size)

    def __call__(self, candidates: Tensor, positives: Tensor, seed: object) -> Tensor:
        """Returns `[b, anchors]` bool: the sampled anchors.

        Args:
            candidates: `[b, anchors]` bool: anchors that may be sampled.
            positives: `[b, anchors]` bool.
            seed: An integer or a `keras.random.SeedGenerator`.
        """
        if self.fill and self.size is not None:
            others = ops.logical_not(candidates)
            place = ops.cumsum(ops.cast(others, "int32"), axis=1)
            more = ops.logical_and(others, place <= self.size - _count(candidates))
            candidates = ops.logical_or(candidates, more)
        positives = ops.logical_and(positives, candidates)
        negatives = ops.logical_and(ops.logical_not(positives), candidates)
        noise = random_rows(ops.shape(candidates), seed)
        if self.size is None:
            count = ops.cast(_count(positives), "float32")
            ratio = (1.0 - self.positive_fraction) / self.positive_fraction
            limit = ops.cast(ops.floor(count * ratio), "int32")
            return ops.logical_or(positives, _random(negatives, noise, limit))
        chosen = _random(positives, noise, self.max_positives or 0)
        limit = self.size - _count(chosen)
        return ops.logical_or(chosen, _random(negatives, noise, limit))


def _count(mask: Tensor) -> Tensor:
    return ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)


def _random(mask: Tensor, noise: Tensor, limit: Tensor | int) -> Tensor:
    """Keeps at most `limit` entries of each row of `mask`, those of lowest noise."""
    order = ops.argsort(ops.where(mask, noise, 2.0), axis=1)
    rank = ops.argsort(order, axis=1)
    return ops.logical_and(mask, ops.cast(rank, "int32") < limit)
