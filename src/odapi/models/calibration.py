"""Calibration: scores that are probabilities, by functions fitted afterwards.

A calibration is called `(scores [..., classes])` and returns the same shape. With
`on_logits` it works on logits before they become scores, else on the scores.
"""

import dataclasses
from typing import Protocol

import numpy as np
from keras import ops

from odapi.structures import Tensor


class Calibration(Protocol):
    """What all calibrations have in common."""

    @property
    def on_logits(self) -> bool:
        """Whether it works on logits."""

    @property
    def is_monotonic(self) -> bool:
        """Whether it is one function for all classes that never falls."""

    def __call__(self, scores: Tensor) -> Tensor:
        """Returns calibrated scores (or logits) of the same shape."""


@dataclasses.dataclass(frozen=True)
class PiecewiseLinear:
    """Straight lines between given points, constant outside of them.

    Args:
        x: Uncalibrated scores, rising.
        y: Calibrated scores at `x`.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    on_logits = False

    def __post_init__(self):
        if len(self.x) < 2 or len(self.x) != len(self.y):
            raise ValueError(
                "x_y_pair needs at least two points with both x and y, got "
                f"{len(self.x)} x and {len(self.y)} y"
            )
        if not (np.diff(self.x) > 0).all():
            raise ValueError(f"x of x_y_pair must rise, got {list(self.x)}")

    @property
    def is_monotonic(self) -> bool:
        """Whether it never falls."""
        return bool((np.diff(self.y) >= 0).all())

    def __call__(self, scores: Tensor) -> Tensor:
        """Returns calibrated scores."""
        kind = scores.dtype
        x = np.array(self.x, "float32")
        slope = np.diff(np.array(self.y, "float32")) / np.diff(x)
        scores = ops.clip(scores, self.x[0], self.x[-1])
        inner = ops.convert_to_tensor(x[1:-1], dtype=kind)
        segment = ops.searchsorted(inner, ops.reshape(scores, (-1,)), side="right")
        segment = ops.reshape(segment, ops.shape(scores))
        start, low, rise = (
            ops.take(ops.convert_to_tensor(v, dtype=kind), segment)
            for v in (x[:-1], np.array(self.y[:-1], "float32"), slope)
        )
        return low + (scores - start) * rise


@dataclasses.dataclass(frozen=True)
class ClassFunctions:
    """A function of its own for some classes; the others stay as they are.

    Args:
        functions: (channel, function) pairs; a channel is a place on the last axis.
    """

    functions: tuple[tuple[int, PiecewiseLinear], ...]
    on_logits = False
    is_monotonic = False

    def __call__(self, scores: Tensor) -> Tensor:
        """Returns calibrated scores.

        Raises:
            ValueError: A channel does not exist.
        """
        by_channel = dict(self.functions)
        width = scores.shape[-1]
        odd = [c for c in by_channel if not 0 <= c < width]
        if odd:
            raise ValueError(f"calibration of class {odd[0]}, of {width} classes")
        columns = (scores[..., i] for i in range(width))
        columns = (
            by_channel[i](c) if i in by_channel else c for i, c in enumerate(columns)
        )
        return ops.stack(list(columns), axis=-1)


@dataclasses.dataclass(frozen=True)
class TemperatureScaling:
    """Divides logits by a number.

    Args:
        temperature: Above 0; above 1 makes scores less extreme.

    Source: Guo et al. 2017 (https://arxiv.org/abs/1706.04599), section 4.2.
    """

    temperature: float
    on_logits = True
    is_monotonic = True

    def __post_init__(self):
        if not self.temperature > 0:
            raise ValueError(f"scaler must be > 0, got {self.temperature}")

    def __call__(self, scores: Tensor) -> Tensor:
        """Returns scaled logits."""
        return scores / self.temperature
