"""Convolution layers of Keras with explicit padding and the fast paths of `kernels`.

Explicit padding pads both sides by `(kernel - 1) // 2`, whatever the image size; "same"
puts the odd pixel of a stride at the bottom and right instead. The sizes of the outputs
are equal, the values are not.
"""

import math
from typing import Any

import keras
from keras import ops

from odapi.kernels.convolution import (
    Margins,
    has_native_convolution,
    native_convolution,
    pointwise_convolution,
)
from odapi.layers.reduced_precision import ReducedPrecision, lower
from odapi.runtime.devices import computes_on_cpu
from odapi.structures import Shape, Tensor


class Conv2D(ReducedPrecision, keras.layers.Conv2D):
    """2D convolution with the option `explicit_padding`."""

    def __init__(
        self, *args: Any, explicit_padding: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **_with_padding(explicit_padding, kwargs))
        self.explicit_padding = explicit_padding
        self._matrix_product = _uses_matrix_product(self) and max(self.kernel_size) == 1

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Returns `[b, h, w, filters]` of `inputs [b, h, w, c]`."""
        dtype = self.lowered(training)
        x, kernel = lower(inputs, dtype), lower(self.kernel, dtype)
        if has_native_convolution():
            outputs = _native(x, kernel, self, self.groups)
        elif training and self._matrix_product:
            outputs = pointwise_convolution(x, kernel)
        elif dtype is None:
            return super().call(_pad(inputs, self))
        else:
            outputs = _convolved(_pad(x, self), kernel, self)
        return _with_bias_and_activation(_restored(outputs, inputs, dtype), self)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the output."""
        shape: Shape = super().compute_output_shape(_padded_shape(input_shape, self))
        return shape


class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Depthwise 2D convolution with the option `explicit_padding`."""

    def __init__(
        self, *args: Any, explicit_padding: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **_with_padding(explicit_padding, kwargs))
        self.explicit_padding = explicit_padding
        self._shifted = _uses_shifts(self)

    def call(self, inputs: Tensor) -> Tensor:
        """Returns `[b, h, w, c * depth_multiplier]` of `inputs [b, h, w, c]`."""
        if has_native_convolution():
            return _with_bias_and_activation(
                _native_depthwise(inputs, self.kernel, self), self
            )
        if not self._shifted:
            return super().call(_pad(inputs, self))
        return _with_bias_and_activation(
            _shifted_depthwise(inputs, self.kernel, self), self
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the output."""
        shape: Shape = super().compute_output_shape(_padded_shape(input_shape, self))
        return shape


class SeparableConv2D(ReducedPrecision, keras.layers.SeparableConv2D):
    """Separable 2D convolution with the option `explicit_padding`.

    Only its 1 x 1 part can multiply in 16 bits.
    """

    def __init__(
        self, *args: Any, explicit_padding: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **_with_padding(explicit_padding, kwargs))
        self.explicit_padding = explicit_padding
        self._shifted = _uses_shifts(self)
        self._matrix_product = _uses_matrix_product(self)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Returns `[b, h, w, filters]` of `inputs [b, h, w, c]`."""
        dtype = self.lowered(training)
        kernel = lower(self.pointwise_kernel, dtype)
        if has_native_convolution():
            outputs = _native_depthwise(inputs, self.depthwise_kernel, self)
            outputs = native_convolution(lower(outputs, dtype), kernel)
            return _with_bias_and_activation(_restored(outputs, inputs, dtype), self)
        if self._shifted:
            outputs = _shifted_depthwise(inputs, self.depthwise_kernel, self)
        elif dtype is not None or (training and self._matrix_product):
            outputs = ops.depthwise_conv(
                _pad(inputs, self),
                self.depthwise_kernel,
                self.strides,
                self.padding,
                _LAST,
                self.dilation_rate,
            )
        else:
            return super().call(_pad(inputs, self))
        outputs = pointwise_convolution(lower(outputs, dtype), kernel)
        return _with_bias_and_activation(_restored(outputs, inputs, dtype), self)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the output."""
        shape: Shape = super().compute_output_shape(_padded_shape(input_shape, self))
        return shape


_LAST = "channels_last"


def _with_padding(explicit: bool, kwargs: dict[str, Any]) -> dict[str, Any]:
    padding = "valid" if explicit else kwargs.pop("padding", "same")
    return {**kwargs, "padding": padding, "data_format": _LAST}


def _margins(size: int) -> tuple[int, int]:
    """Returns the explicit padding before and after, in pixels."""
    return (size - 1) // 2, size // 2


def _pad(inputs: Tensor, layer: Any) -> Tensor:
    if not layer.explicit_padding or max(layer.kernel_size) == 1:
        return inputs
    height, width = (_margins(size) for size in layer.kernel_size)
    return ops.pad(inputs, ((0, 0), height, width, (0, 0)))


def _padded_shape(shape: Shape, layer: Any) -> Shape:
    if not layer.explicit_padding:
        return shape
    rows, columns = (
        None if length is None else length + size - 1
        for length, size in zip(shape[1:3], layer.kernel_size, strict=True)
    )
    return (shape[0], rows, columns, shape[3])


def _convolved(x: Tensor, kernel: Tensor, layer: Any) -> Tensor:
    return ops.conv(
        x,
        kernel,
        strides=list(layer.strides),
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=_LAST,
    )


def _restored(outputs: Tensor, inputs: Tensor, dtype: str | None) -> Tensor:
    """Returns the outputs in the dtype of the inputs, if they were computed lower."""
    return outputs if dtype is None else ops.cast(outputs, inputs.dtype)


def _with_bias_and_activation(outputs: Tensor, layer: Any) -> Tensor:
    """Returns the outputs after the bias and the activation of the layer."""
    if layer.use_bias:
        outputs = outputs + layer.bias
    return outputs if layer.activation is None else layer.activation(outputs)


def _uses_matrix_product(layer: Any) -> bool:
    """Returns whether training computes the 1 x 1 part as a matrix product."""
    separable = isinstance(layer, keras.layers.SeparableConv2D)
    return (
        keras.backend.backend() == "tensorflow"
        and (separable or (max(layer.strides) == 1 and layer.groups == 1))
        and computes_on_cpu()
    )


def _uses_shifts(layer: Any) -> bool:
    """Returns whether the depthwise part is computed as shifted products.

    XLA's depthwise convolution is slow on CPUs: nine shifted multiply-adds take a
    fiftieth of its time, with the same result to 2e-6.
    """
    return (
        keras.backend.backend() == "jax"
        and layer.depth_multiplier == 1
        and max(layer.dilation_rate) == 1
        and computes_on_cpu()
    )


def _native(inputs: Tensor, kernel: Tensor, layer: Any, groups: int) -> Tensor:
    return native_convolution(
        inputs,
        kernel,
        tuple(layer.strides),
        _margins_of(inputs.shape, layer),
        tuple(layer.dilation_rate),
        groups,
    )


def _native_depthwise(inputs: Tensor, kernel: Tensor, layer: Any) -> Tensor:
    channels = inputs.shape[-1]
    rows, columns, _, multiplier = kernel.shape
    kernel = ops.reshape(kernel, (rows, columns, 1, channels * multiplier))
    return _native(inputs, kernel, layer, groups=channels)


def _shifted_depthwise(inputs: Tensor, kernel: Tensor, layer: Any) -> Tensor:
    (rows, columns), (down, right) = layer.kernel_size, layer.strides
    high, wide = inputs.shape[1:3]
    margins = _margins_of(inputs.shape, layer)
    padded = ops.pad(inputs, ((0, 0), *margins, (0, 0)))
    out_high = (high + sum(margins[0]) - rows) // down + 1
    out_wide = (wide + sum(margins[1]) - columns) // right + 1
    kernel = ops.cast(kernel, inputs.dtype)
    total = 0.0
    for i in range(rows):
        for j in range(columns):
            y = slice(i, i + (out_high - 1) * down + 1, down)
            x = slice(j, j + (out_wide - 1) * right + 1, right)
            total = total + padded[:, y, x] * kernel[i, j, :, 0]
    return total


def _margins_of(shape: Shape, layer: Any) -> Margins:
    """Returns the zero padding of maps `[b, h, w, c]`."""
    if layer.explicit_padding:
        rows, columns = layer.kernel_size
        return _margins(rows), _margins(columns)
    if layer.padding == "valid":
        return (0, 0), (0, 0)
    extents = (
        (s - 1) * d + 1
        for s, d in zip(layer.kernel_size, layer.dilation_rate, strict=True)
    )
    high, wide = map(_same, shape[1:3], extents, layer.strides)
    return high, wide


def _same(length: int, size: int, stride: int) -> tuple[int, int]:
    """Returns the "same" padding before and after, as in TensorFlow."""
    total = max((math.ceil(length / stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2
