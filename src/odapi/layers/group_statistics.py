"""Batch statistics per group of rows, such as the crops of each image."""

import contextlib
import contextvars
from collections.abc import Iterator

from keras import ops

from odapi.structures import Tensor

_FEW_VALUES = 4  # Per channel, below which moments say too little.
_WEIGHTS: contextvars.ContextVar[Tensor | None] = contextvars.ContextVar(
    "odapi_group_weights", default=None
)


@contextlib.contextmanager
def per_group_statistics(weights: Tensor) -> Iterator[None]:
    """Context in which training batch norms normalize each group of rows separately.

    Their inputs are `[groups * rows, h, w, c]`. Moving statistics are updated by one
    group after the other, as if each were a separate batch; groups of padding alone
    leave them unchanged.

    Args:
        weights: `[groups, rows]` float32, 1 for valid rows, 0 for padding.
    """
    token = _WEIGHTS.set(weights)
    try:
        yield
    finally:
        _WEIGHTS.reset(token)


def group_weights() -> Tensor | None:
    """Returns the weights `[groups, rows]` of the context; None outside of one."""
    return _WEIGHTS.get()


def normalize_groups(
    x: Tensor, weights: Tensor, epsilon: float, unbiased: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalizes each group of `x [groups * rows, h, w, c]` by its own moments.

    A group with two or three values per channel is normalized by the moments of all
    groups, if these have more values: two values become 1 and -1 unless they are almost
    equal, and gradients grow beyond float32 in a deep network.

    Args:
        x: Float.
        weights: `[groups, rows]`.
        epsilon: Added to the variances.
        unbiased: Return unbiased variances, divided by n - 1.

    Returns:
        Normalized maps shaped like `x`, 0 in padding; means and variances, both
        `[groups, c]` float32.
    """
    rows, (height, width, channels) = weights.shape[1], x.shape[1:]
    grouped = ops.reshape(x, (-1, rows, height * width, channels))
    # Padding is not normalized and could grow without bound from layer to layer.
    valid = (weights > 0)[:, :, None, None]
    values = ops.where(valid, ops.cast(grouped, "float32"), 0.0)
    count = ops.sum(weights, axis=1) * (height * width)  # [groups]
    fraction = weights / ops.maximum(count, 1.0)[:, None]
    fraction = fraction[:, :, None, None]
    own = _moments(values, valid, fraction, (1, 2))
    total = ops.sum(count)
    every = _moments(values, valid, 1.0 / ops.maximum(total, 1.0), (0, 1, 2))
    shared = (count > 1) & (count < _FEW_VALUES) & (total >= _FEW_VALUES)
    count = ops.where(shared, total, count)
    mean, variance = (
        ops.where(shared[:, None, None, None], of_all, of_group)
        for of_all, of_group in zip(every, own, strict=True)
    )
    centered = ops.where(valid, values - mean, 0.0)
    outputs = ops.reshape(centered * ops.rsqrt(variance + epsilon), ops.shape(x))
    mean, variance = mean[:, 0, 0], variance[:, 0, 0]
    if unbiased:
        variance = variance * (count / ops.maximum(count - 1.0, 1.0))[:, None]
    return ops.cast(outputs, x.dtype), mean, variance


def _moments(
    values: Tensor, valid: Tensor, fraction: Tensor, axes: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Returns means and variances of the valid values, which are 0 elsewhere."""
    mean = ops.sum(values * fraction, axis=axes, keepdims=True)
    spread = ops.where(valid, values - mean, 0.0)
    return mean, ops.sum(ops.square(spread) * fraction, axis=axes, keepdims=True)


def update_moving_average(
    old: Tensor, values: Tensor, weights: Tensor, momentum: float
) -> Tensor:
    """Returns a moving average `[c]` after updates by each group in order.

    Args:
        old: `[c]`.
        values: `[groups, c]`.
        weights: `[groups, rows]`; groups of padding alone are skipped.
        momentum: Fraction of the old value that each update keeps; with 0, the mean
            over the groups replaces it.
    """
    valid = ops.cast(ops.sum(weights, axis=1) > 0, "float32")
    total = ops.sum(valid)
    if momentum == 0.0:
        mean = ops.sum(values * valid[:, None], axis=0) / ops.maximum(total, 1.0)
        return ops.where(total > 0, mean, ops.convert_to_tensor(old))
    later = total - ops.cumsum(valid)  # Number of later groups.
    fraction = valid * (1.0 - momentum) * ops.power(momentum, later)
    kept = ops.power(momentum, total)
    return old * kept + ops.sum(values * fraction[:, None], axis=0)
