"""Fast paths of convolutions: torch's kernel, and matrix products for 1 x 1.

Torch supports the channels-last memory format and preserves it. Keras' torch backend
permutes maps to channels first and back around each convolution, which took half of the
inference time of RetinaNet with ResNet-50 on an H100.
"""

import keras
from keras import ops

from odapi.structures import Tensor

Margins = tuple[tuple[int, int], tuple[int, int]]


def has_native_convolution() -> bool:
    """Returns whether `native_convolution` can be called: on torch only."""
    return bool(keras.backend.backend() == "torch")


def native_convolution(
    x: Tensor,
    kernel: Tensor,
    strides: tuple[int, int] = (1, 1),
    margins: Margins = ((0, 0), (0, 0)),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Tensor:
    """Convolves maps `x [b, h, w, c]`; returns `[b, h, w, filters]` in their dtype.

    Args:
        x: Maps.
        kernel: `[rows, columns, c / groups, filters]`.
        strides: Vertical and horizontal.
        margins: Zero padding: rows above and below, columns left and right.
        dilation: Vertical and horizontal.
        groups: Number of channel groups that are convolved separately.
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
    """Returns `x [b, h, w, c]` convolved with a kernel `[1, 1, c, filters]`.

    Implemented as a matrix product. On a CPU, that of TensorFlow is faster than its
    convolution for few channels, above all for the gradient of the kernel: a training
    step of SSD MobileNetV2 or EfficientDet takes a twelfth less time, of RetinaNet with
    ResNet-50 a fiftieth. For inference use the convolution, since the operations that
    follow are folded into it.
    """
    channels, filters = kernel.shape[2:]
    batch, height, width, _ = ops.shape(x)
    rows = ops.reshape(x, (-1, channels))
    outputs = ops.matmul(rows, ops.reshape(kernel, (channels, filters)))
    return ops.reshape(outputs, (batch, height, width, filters))
