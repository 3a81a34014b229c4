"""Hyperparameters and factories of the layers of one part of a model."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from odapi.layers.conv import Conv2D, DepthwiseConv2D, SeparableConv2D
from odapi.layers.initializers import (
    GLOROT_UNIFORM,
    Constant,
    Distribution,
    Initializer,
)
from odapi.layers.norm import Norm
from odapi.layers.reduced_precision import Conv2DTranspose, Dense
from odapi.structures import Tensor

# Kernels of a separable convolution that follow the hyperparams; the others get the
# default of Keras, Glorot uniform without regularization. The original applies the
# hyperparams to the depthwise kernel only, by default: zoo results depend on it.
NEITHER, DEPTHWISE, BOTH = "neither", "depthwise", "both"

# By the names of the config language.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": ops.relu,
    "relu_6": ops.relu6,
    "swish": ops.silu,
}


@dataclasses.dataclass(frozen=True)
class Hyperparams:
    """Initialization, regularization, activation and normalization of layers.

    Args:
        initializer: Distribution of the initial kernels.
        l1, l2: Weights of the sum of absolute values and of squared values of the
            kernels in the loss. The original halves the L2 weight of a config; the
            config builder does that.
        activation: "none", "relu", "relu_6" or "swish".
        norm: Normalization after a convolution; None for none.
        force_use_bias: Add a bias to convolutions even if a norm follows.
        regularize_depthwise: Regularize all depthwise kernels, including those that
            the original omits: of the heads and of SSD's additional maps.
        seed: Seed of the initial weights.
        dtype: Dtype policy of the layers, such as "mixed_bfloat16".
    """

    initializer: Distribution = GLOROT_UNIFORM
    l1: float = 0.0
    l2: float = 0.0
    activation: str = "relu"
    norm: Norm | None = None
    force_use_bias: bool = False
    regularize_depthwise: bool = False
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {sorted(ACTIVATIONS)}: {self.activation!r}"
            )
        if self.l1 < 0 or self.l2 < 0:
            raise ValueError(f"l1 and l2 must be 0 or more: {self.l1}, {self.l2}")

    @property
    def use_bias(self) -> bool:
        """True if a convolution that is followed by the norm has a bias."""
        has_offset = self.norm is not None and self.norm.center
        return self.force_use_bias or not has_offset

    def frozen(self) -> "Hyperparams":
        """Returns a copy with frozen statistics of the norm."""
        if self.norm is None:
            return self
        return dataclasses.replace(
            self, norm=dataclasses.replace(self.norm, train=False)
        )

    def conv(
        self, filters: int, size: int | tuple[int, int], name: str, **kwargs: Any
    ) -> Conv2D:
        """Returns a new convolution of `size` x `size`, or of a height and width.

        `kwargs`: strides, use_bias, bias (its initial value), dtype, dilation_rate
        and explicit_padding. The initial weights depend on the full path `name`; the
        name of the layer is its last part.
        """
        return Conv2D(
            filters,
            size,
            name=_last(name),
            kernel_initializer=self._kernel_initializer(True, name),
            kernel_regularizer=self._regularizer(),
            **self._options(kwargs),
        )

    def transposed(
        self, filters: int, size: int, name: str, strides: int
    ) -> Conv2DTranspose:
        """Returns a new transposed convolution that upsamples by `strides`."""
        return Conv2DTranspose(
            filters,
            size,
            strides,
            padding="same",
            data_format="channels_last",
            name=_last(name),
            kernel_initializer=self._kernel_initializer(True, name),
            kernel_regularizer=self._regularizer(),
            **self._options({}),
        )

    def dense(
        self, units: int, name: str, dtype: str | None = None
    ) -> keras.layers.Layer:
        """Returns a new dense layer with bias 0; `name` as in `conv`."""
        return Dense(
            units,
            name=_last(name),
            kernel_initializer=self._kernel_initializer(True, name),
            bias_initializer=Constant(0.0),
            kernel_regularizer=self._regularizer(),
            dtype=dtype or self.dtype,
        )

    def depthwise(
        self, size: int, name: str, applies_to: str = DEPTHWISE, **kwargs: Any
    ) -> DepthwiseConv2D:
        """Returns a new depthwise convolution.

        Args:
            size, name: As for `conv`.
            applies_to: `DEPTHWISE` or `NEITHER`.
            kwargs: As for `conv`.
        """
        return DepthwiseConv2D(
            size,
            name=_last(name),
            depthwise_initializer=self._kernel_initializer(applies_to != NEITHER, name),
            depthwise_regularizer=self._depthwise_regularizer(applies_to),
            **self._options(kwargs),
        )

    def separable(
        self,
        filters: int,
        size: int,
        name: str,
        applies_to: str = DEPTHWISE,
        **kwargs: Any,
    ) -> SeparableConv2D:
        """Returns a new separable convolution.

        Args:
            filters, size, name: As for `conv`.
            applies_to: `NEITHER`, `DEPTHWISE` or `BOTH`: the kernels that follow these
                hyperparams.
            kwargs: As for `conv`.
        """
        both = applies_to == BOTH
        return SeparableConv2D(
            filters,
            size,
            name=_last(name),
            depthwise_initializer=self._kernel_initializer(
                applies_to != NEITHER, f"{name}/depthwise"
            ),
            pointwise_initializer=self._kernel_initializer(both, f"{name}/pointwise"),
            depthwise_regularizer=self._depthwise_regularizer(applies_to),
            pointwise_regularizer=self._regularizer() if both else None,
            **self._options(kwargs),
        )

    def norm_layer(self, name: str) -> keras.layers.Layer:
        """Returns a new norm, or an identity layer if there is none."""
        if self.norm is None:
            return keras.layers.Identity(name=name, dtype=self.dtype)
        return self.norm.layer(name, self.dtype)

    def activate(self, x: Tensor) -> Tensor:
        """Returns the activation of `x`."""
        return ACTIVATIONS[self.activation](x)

    def activation_layer(self, name: str) -> keras.layers.Layer:
        """Returns the activation as a new layer."""
        return keras.layers.Activation(
            ACTIVATIONS[self.activation], name=name, dtype=self.dtype
        )

    def _options(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        options = {"use_bias": self.use_bias, "dtype": self.dtype, **kwargs}
        options["bias_initializer"] = Constant(options.pop("bias", 0.0))
        return options

    def _kernel_initializer(self, follows: bool, name: str) -> Initializer:
        distribution = self.initializer if follows else GLOROT_UNIFORM
        return Initializer(distribution, self.seed, name)

    def _regularizer(self) -> keras.regularizers.Regularizer | None:
        if not self.l1 and not self.l2:
            return None
        return keras.regularizers.L1L2(l1=self.l1, l2=self.l2)

    def _depthwise_regularizer(
        self, applies_to: str
    ) -> keras.regularizers.Regularizer | None:
        if applies_to == NEITHER and not self.regularize_depthwise:
            return None
        return self._regularizer()


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1]


@dataclasses.dataclass(frozen=True)
class DepthMultiplier:
    """Scales a nominal number of channels, with a minimum."""

    multiplier: float = 1.0
    minimum: int = 0

    def __call__(self, channels: float) -> int:
        """Returns the number of channels for a nominal number."""
        return max(int(channels * self.multiplier), self.minimum)


_DIVISOR = 8


def make_divisible(channels: float) -> int:
    """Returns the nearest multiple of 8 that is not 10 % below `channels`."""
    rounded = max(_DIVISOR, int(channels + _DIVISOR / 2) // _DIVISOR * _DIVISOR)
    return rounded + _DIVISOR if rounded < 0.9 * channels else rounded
