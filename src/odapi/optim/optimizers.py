"""Keras optimizers with two features of the TF Object Detection API added.

These are moving averages of the weights, and a factor for the gradients of biases. On
several devices, gradients are clipped as on one.
"""

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from odapi.optim.ema import MovingAverages
from odapi.runtime.distribution.replicas import (
    num_replicas,
    num_replicas_in_scope,
    sum_over_replicas,
)

if TYPE_CHECKING:
    from keras.optimizers import Optimizer as _Mixed
else:
    _Mixed = object


def make(
    kind: type[keras.optimizers.Optimizer],
    average_decay: float | None = None,
    bias_factor: float = 1.0,
    **arguments: Any,
) -> keras.optimizers.Optimizer:
    """Returns a Keras optimizer.

    Args:
        kind: Such as `keras.optimizers.SGD`.
        average_decay: Decay of moving averages of the weights, see `MovingAverages`;
            None: no averages.
        bias_factor: Factor of the gradients of biases, applied before clipping.
        arguments: Passed to `kind`, such as `learning_rate`, `global_clipnorm`.
    """
    plain = kind(**arguments)
    clips = num_replicas_in_scope() > 1 and bool(arguments.get("global_clipnorm"))
    if average_decay is None and bias_factor == 1.0 and not clips:
        return plain
    # The class of the instance: Keras replaces each optimizer by another on torch.
    extended = type(kind.__name__, (_Extended, type(plain)), {})
    optimizer = extended(**arguments)
    optimizer.average_decay = average_decay
    optimizer.bias_factor = bias_factor
    return optimizer


def scale_losses(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns an optimizer that scales losses, so that float16 gradients do not vanish.

    Args:
        optimizer: Applies the gradients, without the factor.
    """
    if num_replicas_in_scope() == 1:
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return _LossScaleOfReplicas(optimizer)


class _LossScaleOfReplicas(keras.optimizers.LossScaleOptimizer):
    """Leaves a step out if gradients of any replica overflow.

    Keras looks at those of the first one.
    """

    def check_finite(self, grads: list[Any]) -> Any:
        finite = ops.cast(super().check_finite(grads), "float32")
        return sum_over_replicas(finite) == float(num_replicas())


class _Extended(_Mixed):
    """Mixin that `make` adds to an optimizer class of Keras."""

    average_decay: float | None = None
    bias_factor: float = 1.0
    moving_averages: MovingAverages | None = None

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        # Kept in separate objects: Keras would track variables in a list attribute
        # as variables of the optimizer.
        self._factors = _Factors(variables, self.bias_factor)
        if self.average_decay is not None:
            averages = self.add_optimizer_variables(variables, "average")
            self.moving_averages = MovingAverages(
                list(variables), averages, self.average_decay
            )

    def apply(self, grads: list[Any], trainable_variables: Any = None) -> None:
        if not self.built:
            self.build(list(trainable_variables))
        grads = self._clip(self._factors.scale(grads))
        super().apply(grads, trainable_variables)
        if self.moving_averages:
            self.moving_averages.update(self.iterations)

    def _clip(self, grads: list[Any]) -> list[Any]:
        """Clips gradients by the norm of their sum over the replicas.

        Keras adds them after clipping, by the norm that they have on each replica.
        """
        replicas = num_replicas()
        if replicas == 1 or not self.global_clipnorm:
            return grads
        used = [g for g in grads if g is not None]
        used = sum_over_replicas(used)
        norm = ops.sqrt(sum(ops.sum(ops.square(g)) for g in used))
        scale = self.global_clipnorm / ops.maximum(norm, self.global_clipnorm)
        # Shares of the sum: their norm is smaller, so that Keras does not clip them.
        shares = iter([g * (scale / replicas) for g in used])
        return [g if g is None else next(shares) for g in grads]


class _Factors:
    """Factors of the gradients, in the order of the variables."""

    def __init__(self, variables: list[keras.Variable], bias_factor: float):
        self.factors = [
            bias_factor if v.path.rsplit("/", 1)[-1] == "bias" else 1.0
            for v in variables
        ]

    def scale(self, grads: list[Any]) -> list[Any]:
        return [
            g if g is None or f == 1.0 else g * f
            for g, f in zip(grads, self.factors, strict=True)
        ]
