"""Exponential moving averages of trained weights."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops


class MovingAverages:
    """Averages of variables, updated after every step of an optimizer.

    `average += (1 - d) * (variable - average)` with `d = min(decay, (1 + t) /
    (10 + t))` after step `t`, so that the initial weights have little
    influence. The original uses TF1's ExponentialMovingAverage with `num_updates`,
    which is the same except that averages start from 0 instead of the variables; the
    difference vanishes after some ten steps.

    Args:
        variables: Variables to average.
        averages: Variables of the optimizer, of the same number and shapes.
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
        """Updates the averages after update number `step`, counted from 1."""
        done = ops.cast(step, "float32")
        decay = ops.minimum(self.decay, (1.0 + done) / (10.0 + done))
        for variable, average in self.pairs:
            gap = ops.cast(variable, average.dtype) - average
            average.assign_add(ops.cast(1.0 - decay, average.dtype) * gap)


def averages_of(
    optimizer: keras.optimizers.Optimizer,
) -> list[tuple[keras.Variable, keras.Variable]]:
    """Returns pairs (variable, average) of an optimizer; empty without averages."""
    inner = getattr(
        optimizer, "inner_optimizer", optimizer
    )  # With a wrapped LossScaleOptimizer.
    moving = getattr(inner, "moving_averages", None)
    return moving.pairs if moving else []


@contextlib.contextmanager
def averaged(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Replaces the weights by their averages within the context."""
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
    """Returns a copy of the value: two variables must not share a buffer."""
    return np.array(ops.convert_to_numpy(variable))
