"""Initializers that draw weights with NumPy.

A seed gives the same weights on every backend, and a model is built in a second on JAX,
whose own random functions compile once per shape.
"""

import dataclasses
import math
import zlib
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from odapi.structures import Shape, Tensor

# Standard deviation of a unit normal truncated at two standard deviations.
_TRUNCATED_NORMAL_STD = 0.87962566103423978


class Distribution(Protocol):
    """A distribution of initial weights."""

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Returns weights of `shape`."""


@dataclasses.dataclass(frozen=True)
class RandomNormal:
    """Normal distribution."""

    mean: float = 0.0
    stddev: float = 1.0

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Returns weights of `shape`."""
        return rng.normal(self.mean, self.stddev, shape)


@dataclasses.dataclass(frozen=True)
class TruncatedNormal:
    """Normal distribution; values beyond two standard deviations are redrawn."""

    mean: float = 0.0
    stddev: float = 1.0

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Returns weights of `shape`."""
        values = rng.standard_normal(shape)
        while (far := np.abs(values) > 2.0).any():
            values[far] = rng.standard_normal(int(far.sum()))
        return self.mean + self.stddev * values


@dataclasses.dataclass(frozen=True)
class VarianceScaling:
    """Distribution with variance `factor / n`, n the connections of a neuron.

    Args:
        factor: 2 suits ReLU (He), 1 suits linear layers (Glorot, LeCun).
        mode: Definition of n: "fan_in", "fan_out" or "fan_avg".
        uniform: Uniform distribution instead of a truncated normal one.

    Raises:
        ValueError: `mode` is unknown.
    """

    factor: float = 2.0
    mode: str = "fan_in"
    uniform: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"mode must be fan_in, fan_out or fan_avg: {self.mode!r}")

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        """Returns weights of `shape`."""
        window = math.prod(shape[:-2])
        fan_in, fan_out = window * shape[-2], window * shape[-1]
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.factor / max(1.0, fans[self.mode])
        if self.uniform:
            limit = math.sqrt(3.0 * variance)
            return rng.uniform(-limit, limit, shape)
        return TruncatedNormal(0.0, math.sqrt(variance) / _TRUNCATED_NORMAL_STD)(
            rng, shape
        )


GLOROT_UNIFORM = VarianceScaling(1.0, "fan_avg", uniform=True)

# Usual values of `keras_initializer_by_name`.
_BY_NAME: dict[str, Distribution] = {
    "glorot_uniform": GLOROT_UNIFORM,
    "glorot_normal": VarianceScaling(1.0, "fan_avg"),
    "he_uniform": VarianceScaling(2.0, "fan_in", uniform=True),
    "he_normal": VarianceScaling(2.0, "fan_in"),
    "lecun_uniform": VarianceScaling(1.0, "fan_in", uniform=True),
    "lecun_normal": VarianceScaling(1.0, "fan_in"),
}


def distribution_by_name(name: str) -> Distribution:
    """Returns the distribution of the Keras initializer of a name.

    Raises:
        ValueError: Keras has no initializer of that name.
    """
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
    if snake in _BY_NAME:
        return _BY_NAME[snake]
    return _KerasDistribution(keras.initializers.get(name))


@dataclasses.dataclass(frozen=True)
class _KerasDistribution:
    initializer: Any

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        config = self.initializer.get_config()
        if "seed" in config:
            config["seed"] = int(rng.integers(2**31))
        return ops.convert_to_numpy(type(self.initializer)(**config)(shape))


class Initializer(keras.initializers.Initializer):
    """Draws weights from a distribution, seeded by a seed and a name.

    Args:
        distribution: Distribution of the weights.
        seed: Seed of the whole model.
        name: Name of the variable; variables of different names get different weights.
    """

    def __init__(self, distribution: Distribution, seed: int, name: str):
        self.distribution = distribution
        self.seed = seed
        self.name = name

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        """Returns a tensor of the active backend."""
        rng = np.random.default_rng([self.seed, zlib.crc32(self.name.encode())])
        values = np.asarray(self.distribution(rng, tuple(shape)), "float32")
        return ops.convert_to_tensor(values, dtype=dtype)


class Constant(keras.initializers.Initializer):
    """Constant initializer."""

    def __init__(self, value: float = 0.0):
        self.value = value

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        """Returns a tensor of the active backend."""
        return ops.convert_to_tensor(np.full(shape, self.value, "float32"), dtype=dtype)
