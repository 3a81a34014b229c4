"""The optimizers of Keras, with two things of the original that Keras lacks."""

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
    """Returns an optimizer of Keras.

    Args:
        kind: Such as `keras.optimizers.SGD`.
        average_decay: Keeps moving averages of the trained weights with this
            decay, see `MovingAverages`; None keeps none.
        bias_factor: Multiplies the gradients of biases, before they are clipped.
        arguments: Passed to `kind`, such as `learning_rate`, `global_clipnorm`.
    """
    plain = kind(**arguments)
    if average_decay is None and bias_factor == 1.0:
        return plain
    # The class that `kind` became on this backend: torch has its own of each.
    extended = type(kind.__name__, (_Extended, type(plain)), {})
    optimizer = extended(**arguments)
    optimizer.average_decay = average_decay
    optimizer.bias_factor = bias_factor
    return optimizer


class _Extended(_Mixed):
    """What `make` mixes into an optimizer class of Keras."""

    average_decay: float | None = None
    bias_factor: float = 1.0
    moving_averages: MovingAverages | None = None

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        # Kept in objects of our own: Keras would take the variables of a list
        # that is an attribute of an optimizer for the optimizer's.
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
    """Factors of gradients, in the order of the variables."""

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
