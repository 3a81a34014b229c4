"""Batch statistics of parts of a batch: of each image's own crops."""

import contextlib
import contextvars
from collections.abc import Iterator

from keras import ops

from odapi.structures import Tensor

_WEIGHTS: contextvars.ContextVar[Tensor | None] = contextvars.ContextVar(
    "odapi_group_weights", default=None
)


@contextlib.contextmanager
def per_group_statistics(weights: Tensor) -> Iterator[None]:
    """Within, batch norms that train normalise each group of rows by itself.

    Their inputs are `[groups * rows, h, w, c]`. Moving statistics move by one group
    after the other, as if each had been a batch of its own; groups in which nothing
    counts move nothing.

    Args:
        weights: `[groups, rows]` float32, 1 for rows that count, 0 for padding.
    """
    token = _WEIGHTS.set(weights)
    try:
        yield
    finally:
        _WEIGHTS.reset(token)


def group_weights() -> Tensor | None:
    """Returns the weights `[groups, rows]` of the groups; None: there are none."""
    return _WEIGHTS.get()


def normalize_groups(
    x: Tensor, weights: Tensor, epsilon: float, unbiased: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns `x [groups * rows, h, w, c]` normalised, means and variances.

    Args:
        x: Float.
        weights: `[groups, rows]`.
        epsilon: Added to the variances.
        unbiased: Whether the variances that are returned divide by n - 1.

    Returns:
        As `x`, 0 in rows that do not count, and `[groups, c]` twice, float32.
    """
    rows, (height, width, channels) = weights.shape[1], x.shape[1:]
    grouped = ops.reshape(x, (-1, rows, height * width, channels))
    # Padding is not normalised and could grow from layer to layer without end.
    there = (weights > 0)[:, :, None, None]
    values = ops.where(there, ops.cast(grouped, "float32"), 0.0)
    count = ops.sum(weights, axis=1) * (height * width)  # [groups]
    share = weights / ops.maximum(count, 1.0)[:, None]
    share = share[:, :, None, None]
    mean = ops.sum(values * share, axis=(1, 2), keepdims=True)
    apart = ops.where(there, values - mean, 0.0)
    variance = ops.sum(ops.square(apart) * share, axis=(1, 2), keepdims=True)
    outputs = ops.reshape(apart * ops.rsqrt(variance + epsilon), ops.shape(x))
    mean, variance = mean[:, 0, 0], variance[:, 0, 0]
    if unbiased:
        variance = variance * (count / ops.maximum(count - 1.0, 1.0))[:, None]
    return ops.cast(outputs, x.dtype), mean, variance


def moved(old: Tensor, values: Tensor, weights: Tensor, momentum: float) -> Tensor:
    """Returns a moving mean `[c]` after it has seen groups, the first one first.

    Args:
        old: `[c]`.
        values: `[groups, c]`.
        weights: `[groups, rows]`: which groups there are.
        momentum: What stays of the old at each group.
    """
    there = ops.cast(ops.sum(weights, axis=1) > 0, "float32")
    total = ops.sum(there)
    after = total - ops.cumsum(there)  # Groups that come later.
    share = there * (1.0 - momentum) * ops.power(momentum, after)
    kept = ops.power(momentum, total)
    return old * kept + ops.sum(values * share[:, None], axis=0)
