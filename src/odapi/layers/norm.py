"""Normalization layers and their options."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from odapi.kernels.batch_norm import normalize, normalize_by_batch
from odapi.layers.group_statistics import (
    group_weights,
    normalize_groups,
    update_moving_average,
)
from odapi.layers.initializers import Constant
from odapi.structures import Shape, Tensor

_MAX_GROUPS = 32


@dataclasses.dataclass(frozen=True)
class Norm:
    """Options of the normalization after a convolution.

    Args:
        kind: "batch", "sync_batch" (statistics over all replicas) or "group".
        momentum: Momentum of the moving statistics, `decay` in a config.
        epsilon: Added to the variance.
        center, scale: Whether to learn an offset (beta), a factor (gamma).
        train: In training, normalize by the statistics of the batch and update the
            moving ones; otherwise use the moving ones without updating them.
    """

    kind: str = "batch"
    momentum: float = 0.999
    epsilon: float = 0.001
    center: bool = True
    scale: bool = False
    train: bool = True

    def __post_init__(self) -> None:
        if self.kind not in ("batch", "sync_batch", "group"):
            raise ValueError(f"kind must be batch, sync_batch or group: {self.kind!r}")

    def layer(self, name: str, dtype: Any = None) -> keras.layers.Layer:
        """Returns a new layer."""
        if self.kind == "group":
            return GroupNorm(name=name, dtype=dtype)
        return BatchNorm(
            momentum=self.momentum,
            epsilon=self.epsilon,
            center=self.center,
            scale=self.scale,
            frozen=not self.train,
            synchronized=self.kind == "sync_batch",
            name=name,
            dtype=dtype,
        )


class BatchNorm(keras.layers.BatchNormalization):
    """Batch normalization that can be frozen.

    It differs from the layer of Keras in one more way: unless it is synchronized, the
    moving variance is updated with the unbiased variance (factor `n / (n - 1)`), as by
    TensorFlow's fused kernel and hence the original; this matters for small maps and
    batches.

    Args:
        frozen: Always normalize by the moving statistics, without updating them. The
            factor and the offset remain trainable, as in the original.
        synchronized: Compute statistics over all replicas.
    """

    def __init__(
        self, frozen: bool = False, synchronized: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(
            beta_initializer=Constant(0.0),
            gamma_initializer=Constant(1.0),
            moving_mean_initializer=Constant(0.0),
            moving_variance_initializer=Constant(1.0),
            **kwargs,
        )
        self.frozen = frozen
        # Not passed to Keras, which rejects it on backends with a single program.
        self.synchronized = synchronized

    def call(
        self, inputs: Tensor, training: bool | None = None, mask: Tensor = None
    ) -> Tensor:
        """Returns `inputs [b, h, w, c]`, normalized."""
        x = ops.cast(inputs, self.compute_dtype)
        gamma = self.gamma if self.scale else None
        beta = self.beta if self.center else None
        if not training or self.frozen or not self.trainable:
            moments = self.moving_mean, self.moving_variance
            return normalize(x, gamma, beta, *moments, self.epsilon)
        weights = group_weights()
        if weights is not None:
            return self._by_group(x, weights, gamma, beta)
        outputs, mean, variance = normalize_by_batch(
            x, gamma, beta, self.epsilon, self.synchronized
        )
        _move(self.moving_mean, mean, self.momentum)
        _move(self.moving_variance, variance, self.momentum)
        return outputs

    def _by_group(
        self, x: Tensor, weights: Tensor, gamma: Tensor, beta: Tensor
    ) -> Tensor:
        outputs, mean, variance = normalize_groups(
            x, weights, self.epsilon, unbiased=not self.synchronized
        )
        for variable, values in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            values = ops.stop_gradient(values)
            variable.assign(
                update_moving_average(variable, values, weights, self.momentum)
            )
        if gamma is not None:
            outputs = outputs * ops.cast(gamma, outputs.dtype)
        return outputs if beta is None else outputs + ops.cast(beta, outputs.dtype)


def moving_statistics_of_replicas(
    layers: Iterable[keras.layers.Layer],
) -> list[keras.Variable]:
    """Returns the moving statistics that differ between the devices of a step.

    These are the ones that training updates by the images of a device alone.
    """
    return [
        variable
        for layer in layers
        if isinstance(layer, BatchNorm) and layer.trainable
        if not (layer.frozen or layer.synchronized)
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


def _move(variable: Any, value: Tensor, momentum: float) -> None:
    variable.assign(variable * momentum + ops.stop_gradient(value) * (1.0 - momentum))


class GroupNorm(keras.layers.GroupNormalization):
    """Group normalization with 32 groups, or fewer for small numbers of channels."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(groups=_MAX_GROUPS, epsilon=1e-6, **kwargs)

    def build(self, input_shape: Shape) -> None:
        """Creates the variables."""
        self.groups = math.gcd(_MAX_GROUPS, input_shape[-1])
        super().build(input_shape)
