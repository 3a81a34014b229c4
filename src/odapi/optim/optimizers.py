"""Keras optimizers with two features of the TF Object Detection API added.

These are moving averages of the weights, and a factor for the gradients of biases.
"""

from typing import TYPE_CHECKING, Any

import keras

from odapi.optim.ema import MovingAverages

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
    if average_decay is None and bias_factor == 1.0:
        return plain
    # The class of the instance: Keras replaces each optimizer by another on torch.
    extended = type(kind.__name__, (_Extended, type(plain)), {})
    optimizer = extended(**arguments)
    optimizer.average_decay = average_decay
    optimizer.bias_factor = bias_factor
    return optimizer


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
        super().apply(self._factors.scale(grads), trainable_variables)
        if self.moving_averages:
            self.moving_averages.update(self.iterations)


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
