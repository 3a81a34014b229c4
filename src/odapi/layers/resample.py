"""Resampling of feature maps, with the same result on every backend."""

import numpy as np
from keras import ops

from odapi.geometry.map_size import is_static
from odapi.structures import Shape, Tensor


def upsample_nearest(x: Tensor, shape: Shape) -> Tensor:
    """Upsamples by 2 with nearest neighbor, cropped to height and width of `shape`.

    `shape` is that of `ops.shape`, whose lengths may be scalars of a graph.

    Cropping allows images whose size is not divisible by the stride; the original
    rejects them unless `use_explicit_padding` is set.
    """
    _, height, width, channels = ops.shape(x)
    # Concatenate horizontally, then vertically: the gradient of `broadcast_to` or
    # `repeat` is a sum over inner axes, five times as slow with TensorFlow on a CPU.
    x = ops.concatenate([x, x], axis=-1)
    x = ops.reshape(x, (-1, height, 1, 2 * width * channels))
    x = ops.concatenate([x, x], axis=2)
    x = ops.reshape(x, (-1, 2 * height, 2 * width, channels))
    return _crop(x, shape)


def upsample_bilinear(x: Tensor, shape: Shape) -> Tensor:
    """Upsamples by 2 bilinearly, cropped to height and width of `shape`.

    The weights are 3/4 for the nearest pixel and 1/4 for the next one; border pixels
    are replicated.
    """
    x = ops.convert_to_tensor(x)
    return _crop(_upsample_axis(_upsample_axis(x, 1), 2), shape)


# By the names of the config language.
UPSAMPLING = {"nearest": upsample_nearest, "bilinear": upsample_bilinear}


def align_corners_weights(cells: int, count: int) -> np.ndarray:
    """Returns `[count, cells]`: bilinear weights of evenly spaced positions on an axis.

    The first and last position lie on the centers of the outer cells; a single position
    lies on the first, as in TensorFlow's resizing with `align_corners`.
    """
    places = np.arange(count) * ((cells - 1) / max(count - 1, 1))
    weights: np.ndarray = 1.0 - np.abs(places[:, None] - np.arange(cells))
    weights = np.maximum(weights, 0.0)
    return weights


def repeat_weights(cells: int, count: int) -> np.ndarray:
    """Returns `[count, cells]`: weights that repeat each cell.

    Raises:
        ValueError: `count` is not a multiple of `cells`.
    """
    if count % cells:
        raise ValueError(
            f"the mask size {count} must be a multiple of the feature size {cells}"
        )
    return np.repeat(np.eye(cells), count // cells, axis=0)


def _upsample_axis(x: Tensor, axis: int) -> Tensor:
    """Upsamples one axis of `[b, h, w, c]` by 2, linearly."""
    length = x.shape[axis]
    first, last = (_slice(x, axis, n, 1) for n in (0, length - 1))
    low = ops.concatenate([first, _slice(x, axis, 0, length - 1)], axis=axis)
    high = ops.concatenate([_slice(x, axis, 1, length - 1), last], axis=axis)
    pairs = ops.stack([0.25 * low + 0.75 * x, 0.75 * x + 0.25 * high], axis=axis + 1)
    shape = list(x.shape)
    shape[0], shape[axis] = -1, 2 * length
    return ops.reshape(pairs, shape)


def _slice(x: Tensor, axis: int, start: int, length: int) -> Tensor:
    index = [slice(None)] * 4
    index[axis] = slice(start, start + length)
    return x[tuple(index)]


def _crop(x: Tensor, shape: Shape) -> Tensor:
    height, width = shape[1:3]
    if is_static((height, width)) and (height, width) == tuple(x.shape[1:3]):
        return x
    return x[:, :height, :width]
