"""Dense convolutions and matrix products in 16 bits, within a model in float32.

On CPUs only these gain from 16 bits. Depthwise convolutions, norms and all operations
on single values become slower, and every change of the format is a pass over memory.
So a layer converts its inputs and its kernel, in training only, and returns float32:
bias, norm, losses and gradients of weights stay as they are. Accelerators gain from
16 bits everywhere; there the dtype policy of Keras is used instead.
"""

import math
from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from odapi.structures import Shape, Tensor

# Fewer multiply-adds per value that is read or written do not repay the conversions.
_MIN_MULTIPLY_ADDS = 64
# The layers that read images convert their pixels least exactly, and gain least.
_MIN_CHANNELS = 16


class ReducedPrecision:
    """Mixin of layers with a kernel that can be multiplied in 16 bits.

    Attributes:
        training_dtype: Dtype of the multiplications in training, "bfloat16" or
            "float16"; None: the dtype of the layer.
    """

    training_dtype: str | None = None

    def lowered(self, training: bool | None) -> str | None:
        """Returns the dtype to multiply in; None: that of the inputs."""
        return self.training_dtype if training else None


def lower(x: Tensor, dtype: str | None) -> Tensor:
    """Returns `x` in a dtype; unchanged for None."""
    return x if dtype is None else ops.cast(x, dtype)


def gains_from_16_bits(layer: Any) -> bool:
    """Returns whether a built layer has enough arithmetic to gain on a CPU."""
    if not isinstance(layer, ReducedPrecision) or getattr(layer, "groups", 1) > 1:
        return False
    name = "pointwise_kernel" if hasattr(layer, "pointwise_kernel") else "kernel"
    shape = tuple(getattr(layer, name).shape)
    if min(shape[-2:]) < _MIN_CHANNELS:
        return False
    return multiply_adds_per_value(shape) >= _MIN_MULTIPLY_ADDS


def multiplies_in_float16(layers: Iterable[Any]) -> bool:
    """Returns whether a layer does, so that the loss must be scaled in training."""
    return any(getattr(x, "training_dtype", None) == "float16" for x in layers)


def multiply_adds_per_value(kernel: Shape) -> float:
    """Returns multiply-adds per value of the inputs and outputs together.

    Args:
        kernel: Shape `[rows, columns, inputs, outputs]` or `[inputs, outputs]`.
    """
    *window, inputs, outputs = map(float, kernel)
    return math.prod(window) * inputs * outputs / (inputs + outputs)


class Dense(ReducedPrecision, keras.layers.Dense):
    """Dense layer that can multiply in 16 bits in training."""

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Returns `[..., units]` of `inputs [..., c]`."""
        dtype = self.lowered(training)
        if dtype is None:
            return super().call(inputs, training=training)
        outputs = ops.matmul(lower(inputs, dtype), lower(self.kernel, dtype))
        outputs = ops.cast(outputs, inputs.dtype)
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)


class Conv2DTranspose(ReducedPrecision, keras.layers.Conv2DTranspose):
    """Transposed 2D convolution that can multiply in 16 bits in training."""

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Returns `[b, h * stride, w * stride, filters]` of `inputs [b, h, w, c]`."""
        dtype = self.lowered(training)
        if dtype is None:
            return super().call(inputs)
        outputs = ops.conv_transpose(
            lower(inputs, dtype),
            lower(self.kernel, dtype),
            strides=list(self.strides),
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        outputs = ops.cast(outputs, inputs.dtype)
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)
