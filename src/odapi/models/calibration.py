"""Calibration of scores to probabilities.

A calibration is called with `scores [..., classes]` and returns the same shape. With
`on_logits` its input is logits, otherwise scores.
"""

import dataclasses
from typing import Protocol

import numpy as np
from keras import ops

from odapi.structures import Tensor
from odapi.wording import counted


class Calibration(Protocol):
    """Interface of calibrations."""

    @property
    def on_logits(self) -> bool:
        """True if its input is logits."""

    @property
    def is_monotonic(self) -> bool:
        """True if it is one non-decreasing function for all classes."""

    def __call__(self, scores: Tensor) -> Tensor:
        """Returns calibrated scores (or logits) of the same shape."""


@dataclasses.dataclass(frozen=True)
class PiecewiseLinear:
    """Piecewise linear interpolation between points, constant outside of them.

    Args:
        x: Uncalibrated scores, strictly increasing.
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
            raise ValueError(
                f"x of x_y_pair must be strictly increasing, got {list(self.x)}"
            )

    @property
    def is_monotonic(self) -> bool:
        """True if it is non-decreasing."""
        return bool((np.diff(self.y) >= 0).all())

    def __call__(self, scores: Tensor) -> Tensor:
        """Returns calibrated scores."""
        kind = scores.dtype
        x = np.array(self.x, "float32")
        slopes = np.diff(np.array(self.y, "float32")) / np.diff(x)
        scores = ops.clip(scores, self.x[0], self.x[-1])
        inner = ops.convert_to_tensor(x[1:-1], dtype=kind)
        segment = ops.searchsorted(inner, ops.reshape(scores, (-1,)), side="right")
        segment = ops.reshape(segment, ops.shape(scores))
        start, low, slope = (
            ops.take(ops.convert_to_tensor(v, dtype=kind), segment)
            for v in (x[:-1], np.array(self.y[:-1], "float32"), slopes)
        )
        return low + (scores - start) * slope


@dataclasses.dataclass(frozen=True)
class ClassFunctions:
    """Separate functions for some classes; other classes are not calibrated.

    Args:
        functions: (channel, function) pairs; a channel is an index of the last axis.
    """

    functions: tuple[tuple[int, PiecewiseLinear], ...]
    on_logits = False
    is_monotonic = False

    def __call__(self, scores: Tensor) -> Tensor:
        """Returns calibrated scores.

        Raises:
            ValueError: A channel is out of range.
        """
        by_channel = dict(self.functions)
        width = scores.shape[-1]
        unknown = [c for c in by_channel if not 0 <= c < width]
        if unknown:
            raise ValueError(
                f"calibration of class {unknown[0]}, but there are "
                f"{counted(width, 'class', 'classes')}"
            )
        columns = (scores[..., i] for i in range(width))
        columns = (
            by_channel[i](c) if i in by_channel else c for i, c in enumerate(columns)
        )
        return ops.stack(list(columns), axis=-1)


@dataclasses.dataclass(frozen=True)
class TemperatureScaling:
    """Divides logits by a temperature.

    Args:
        temperature: Above 0; values above 1 make scores less confident.

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
