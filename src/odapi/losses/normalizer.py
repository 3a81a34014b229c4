"""Divisors of losses, over all devices that train a batch."""

from keras import ops

from odapi.runtime.distribution.replicas import num_replicas, sum_over_replicas
from odapi.structures import Tensor


def batch_normalizer(total: Tensor, minimum: float = 1.0) -> Tensor:
    """Returns the divisor of a loss that was summed over the images of a device.

    On several devices it is the mean per device of the total of the batch: the mean
    over the devices of `sum / batch_normalizer(total)` is the loss that one device
    computes for the whole batch.

    Args:
        total: Scalar, summed over the same images: number of objects, or of weights.
        minimum: Minimum total of the batch.
    """
    devices = num_replicas()
    if devices == 1:
        return ops.maximum(total, minimum)
    total = ops.stop_gradient(sum_over_replicas(total))
    return ops.maximum(total, minimum) / devices
