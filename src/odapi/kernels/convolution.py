"""Convolutions by torch's own kernel, of maps as they lie in memory.

Torch knows maps whose channels come last in memory, and gives such back. Keras' torch
backend rearranges them to channels first and back again before each convolution, which
was half of the time of an inference of RetinaNet with ResNet-50 on an H100.
"""

import keras
from keras import ops

from odapi.structures import Tensor

Margins = tuple[tuple[int, int], tuple[int, int]]


def has_native_convolution() -> bool:
    """Returns whether `native_convolution` can be called: on torch."""
    return keras.backend.backend() == "torch"


def native_convolution(
    x: Tensor,
    kernel: Tensor,
    strides: tuple[int, int] = (1, 1),
    margins: Margins = ((0, 0), (0, 0)),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Tensor:
    """Returns `[b, h, w, filters]` of maps `x [b, h, w, c]`, in their dtype.

    Args:
        x: Maps.
        kernel: `[rows, columns, c / groups, filters]`.
        strides: Down and right.
        margins: Rows of zeros above and below, columns left and right.
        dilation: Down and right.
        groups: Of channels, each convolved by itself.
    """
    import torch
    from torch.nn import functional

    x = x.permute(0, 3, 1, 2)
    (above, below), (left, right) = margins
    padding = (above, left)
    if above != below or left != right:
        x, padding = functional.pad(x, (left, right, above, below)), (0, 0)
    kernel = ops.convert_to_tensor(kernel).permute(3, 2, 0, 1)
    kernel = kernel.contiguous(memory_format=torch.channels_last)
    outputs = functional.conv2d(x, kernel, None, strides, padding, dilation, groups)
    return outputs.permute(0, 2, 3, 1)


def pointwise_convolution(x: Tensor, kernel: Tensor) -> Tensor:
    """Returns `x [b, h, w, c]` times a kernel `[1, 1, c, filters]`."""
    channels, filters = kernel.shape[2:]
    batch, height, width, _ = ops.shape(x)
    rows = ops.reshape(x, (-1, channels))
    outputs = ops.matmul(rows, ops.reshape(kernel, (channels, filters)))
    return ops.reshape(outputs, (batch, height, width, filters))
