"""Batch normalization by the fused kernel of the backend, where that is faster.

TensorFlow and torch run each step of the formula and of its gradient as a pass over
memory, which is the bottleneck of such layers. TensorFlow's fused kernel takes a third
of the time of the formula on large maps, forward and backward, and at inference it is
folded into the convolution before it; that of torch reads bfloat16 without a cast.
Keras has no API for these kernels.

Source: Ioffe & Szegedy 2015 (https://arxiv.org/abs/1502.03167), algorithm 1.
"""

import math
from typing import Any

import keras
from keras import ops

from odapi.runtime.distribution.replicas import mean_over_replicas, num_replicas
from odapi.structures import Tensor


def normalize_by_batch(
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    epsilon: float,
    synchronized: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalizes by the moments of the batch.

    Args:
        x: `[b, h, w, c]`.
        gamma, beta: Factor and offset `[c]` float32, or None.
        epsilon: Added to the variance.
        synchronized: Compute moments over all replicas of a distribution strategy. Only
            TensorFlow has several; elsewhere one program sees the whole batch.

    Returns:
        `[b, h, w, c]` in the dtype of `x`; and the mean and the variance `[c]` float32
        for the moving statistics. Unless synchronized, that variance is the unbiased
        one on every backend, `n / (n - 1)` times the one that `x` was normalized by, as
        in TensorFlow's fused kernel, and hence in the original.
    """
    if keras.backend.backend() == "tensorflow" and not synchronized:
        gamma, beta = _filled(x, gamma, beta)
        outputs, mean, variance = _fused(x, gamma, beta, epsilon)
        return outputs, mean, variance
    if _is_on_gpu(x) and math.prod(x.shape[:-1]) > 1:
        return torch_by_batch(x, gamma, beta, epsilon, unbiased=not synchronized)
    values = ops.cast(x, "float32")
    mean, variance = batch_moments(values, synchronized)
    outputs = ops.batch_normalization(
        values, mean, variance, axis=-1, offset=beta, scale=gamma, epsilon=epsilon
    )
    if not synchronized:
        count = ops.cast(math.prod(ops.shape(x)[:-1]), "float32")
        variance = variance * (count / ops.maximum(count - 1.0, 1.0))
    return ops.cast(outputs, x.dtype), mean, variance


def batch_moments(x: Tensor, synchronized: bool = False) -> tuple[Tensor, Tensor]:
    """Returns mean and biased variance `[c]` of `x [..., c]`."""
    axes = tuple(range(len(x.shape) - 1))
    if synchronized and num_replicas() > 1:
        # One vector: Keras would send three values in turn.
        moments = ops.stack([ops.mean(x, axes), ops.mean(ops.square(x), axes)])
        mean, square = ops.unstack(mean_over_replicas(moments), 2)
        return mean, ops.maximum(square - ops.square(mean), 0.0)
    replicas = synchronized and keras.backend.backend() == "tensorflow"
    mean, variance = ops.moments(x, axes, synchronized=replicas)
    return mean, variance


def normalize(
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    epsilon: float,
) -> Tensor:
    """Returns `x [b, h, w, c]` normalized by given moments `[c]`."""
    if keras.backend.backend() == "tensorflow":
        gamma, beta = _filled(x, gamma, beta)
        return _fused(x, gamma, beta, epsilon, mean, variance)[0]
    if keras.backend.backend() == "torch":
        return _torch(x, gamma, beta, epsilon, mean, variance, training=False)
    outputs = ops.batch_normalization(
        ops.cast(x, "float32"),
        mean,
        variance,
        axis=-1,
        offset=beta,
        scale=gamma,
        epsilon=epsilon,
    )
    return ops.cast(outputs, x.dtype)


def _fused(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    epsilon: float,
    mean: Tensor | None = None,
    variance: Tensor | None = None,
) -> Any:
    import tensorflow as tf

    return tf.compat.v1.nn.fused_batch_norm(
        x,
        gamma,
        beta,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        is_training=mean is None,
    )


def _is_on_gpu(x: Tensor) -> bool:
    """Returns whether to use torch's kernel: on CPUs its moments lose precision."""
    return keras.backend.backend() == "torch" and getattr(x, "is_cuda", False)


def torch_by_batch(
    x: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float, unbiased: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Implements `normalize_by_batch` with torch's kernel.

    Args:
        x, gamma, beta, epsilon: As for `normalize_by_batch`, with `b * h * w` above 1.
        unbiased: Return the unbiased variance.
    """
    # With a momentum of 1, the updated moving statistics are the moments of the batch.
    mean, variance = (ops.zeros(x.shape[-1], "float32") for _ in range(2))
    outputs = _torch(x, gamma, beta, epsilon, mean, variance, training=True)
    if not unbiased:
        count = math.prod(x.shape[:-1])
        variance = variance * ((count - 1) / count)
    return outputs, mean, variance


def _torch(
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    epsilon: float,
    mean: Tensor,
    variance: Tensor,
    training: bool,
) -> Tensor:
    """Normalizes channels-last maps; in training, updates the moments in place."""
    from torch.nn import functional

    mean, variance, gamma, beta = (
        None if value is None else ops.convert_to_tensor(value)
        for value in (mean, variance, gamma, beta)
    )
    x = ops.convert_to_tensor(x).movedim(-1, 1)
    outputs = functional.batch_norm(
        x, mean, variance, gamma, beta, training, 1.0, epsilon
    )
    return outputs.movedim(1, -1)


def _filled(
    x: Tensor, gamma: Tensor | None, beta: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Returns factor and offset, 1 and 0 where there are none."""
    channels = (x.shape[-1],)
    gamma = ops.ones(channels, "float32") if gamma is None else gamma
    beta = ops.zeros(channels, "float32") if beta is None else beta
    return ops.convert_to_tensor(gamma), ops.convert_to_tensor(beta)
