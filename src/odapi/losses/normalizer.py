"""Divisors of losses, over all devices and all parts that train a batch.

Where a batch is computed in parts (gradient accumulation), a sum over a part would
normalize its losses by its own objects, and the mean over the parts would not be the
loss of the batch. There, the sums of all parts are recorded first, and each part is
normalized by its share of their total.
"""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

from keras import ops

from odapi.runtime.distribution.replicas import num_replicas, sum_over_replicas
from odapi.structures import Tensor


class BatchTotals:
    """Sums of all parts of a batch, in the order in which the losses ask for them.

    Args:
        parts: Number of parts of the batch.
        totals: The sums over all parts and devices; None while they are recorded.
    """

    def __init__(self, parts: int = 1, totals: list[Any] | None = None):
        self.parts, self.totals = parts, totals
        self.recorded: list[Any] = []
        self._next = 0

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Makes losses record their sums, or be normalized by `totals`."""
        self._next, self.recorded = 0, []
        token = _active.set(self)
        try:
            yield
        finally:
            _active.reset(token)

    def next_total(self) -> Any:
        """Returns the next sum over all parts and devices."""
        self._next += 1
        return (self.totals or [])[self._next - 1]


_active: contextvars.ContextVar[BatchTotals | None] = contextvars.ContextVar(
    "batch_totals", default=None
)


def batch_normalizer(total: Tensor, minimum: float = 1.0) -> Tensor:
    """Returns the divisor of a loss that was summed over the images of a device.

    On several devices, or in several parts, it is their mean of the total of the batch:
    the mean over them of `sum / batch_normalizer(total)` is the loss that one device
    computes for the whole batch at once.

    Args:
        total: Scalar, summed over the same images: number of objects, or of weights.
        minimum: Minimum total of the batch.
    """
    active = _active.get()
    if active is not None and active.totals is not None:
        return ops.maximum(active.next_total(), minimum) * one_per_update()
    if active is not None:
        active.recorded.append(total)
    return ops.maximum(total_of_devices(total), minimum) * one_per_update()


def one_per_update() -> float:
    """Returns the divisor of a loss that is summed over the images of an update."""
    active = _active.get()
    return 1.0 / (num_replicas() * (active.parts if active is not None else 1))


def total_of_devices(total: Tensor) -> Tensor:
    """Returns the sum of a scalar over all devices."""
    if num_replicas() == 1:
        return total
    return ops.stop_gradient(sum_over_replicas(total))
