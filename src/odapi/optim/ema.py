"""Moving averages of trained weights: steadier than the weights of the last step."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops


class MovingAverages:
    """Averages of variables, updated after every step of an optimizer.

    `average += (1 - d) * (variable - average)` with `d = min(decay, (1 + t) /
    (10 + t))` after step `t`, so that early averages are not held back by the
    initial weights. As in TF1's ExponentialMovingAverage with `num_updates`, which
    is what the original does; its averages start from 0, these start from the
    variables, and the difference has faded after some ten steps.

    Args:
        variables: What is averaged.
        averages: As many variables of the same shapes, of the optimizer.
        decay: In [0, 1).
    """

    def __init__(
        self,
        variables: list[keras.Variable],
        averages: list[keras.Variable],
        decay: float,
    ):
        self.pairs = list(zip(variables, averages, strict=True))
        self.decay = decay
        for variable, average in self.pairs:
            average.assign(_copy(variable))

    def update(self, step: keras.Variable) -> None:
        """Moves the averages; `step` counts the updates done, from 1."""
        done = ops.cast(step, "float32")
        decay = ops.minimum(self.decay, (1.0 + done) / (10.0 + done))
        for variable, average in self.pairs:
            gap = ops.cast(variable, average.dtype) - average
            average.assign_add(ops.cast(1.0 - decay, average.dtype) * gap)


def averages_of(
    optimizer: keras.optimizers.Optimizer,
) -> list[tuple[keras.Variable, keras.Variable]]:
    """Returns pairs (variable, average) of an optimizer; none if it has none."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # As fp16 wraps it.
    moving = getattr(inner, "moving_averages", None)
    return moving.pairs if moving else []


@contextlib.contextmanager
def averaged(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Puts the averages in place of the weights, for an evaluation."""
    pairs = averages_of(optimizer)
    trained = [_copy(variable) for variable, _ in pairs]
    try:
        for variable, average in pairs:
            variable.assign(_copy(average))
        yield
    finally:
        for (variable, _), value in zip(pairs, trained, strict=True):
            variable.assign(value)


def _copy(variable: keras.Variable) -> np.ndarray:
    """The value, in memory of its own: two variables must not share a buffer."""
    return np.array(ops.convert_to_numpy(variable))
