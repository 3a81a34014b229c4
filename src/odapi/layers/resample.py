"""Feature maps of another size, by rules that are the same on every backend."""

import numpy as np
from keras import ops


def upsample_nearest(x, shape):
    """Repeats each pixel in a 2 x 2 square, cut to the height and width of `shape`.

    The cut lets images pass whose size does not divide by the stride; the
    original refuses them unless `use_explicit_padding` is set.
    """
    _, height, width, channels = x.shape
    # Beside itself, then below itself: the gradient of `broadcast_to` or `repeat` is
    # a sum over inner axes, which takes TensorFlow on a CPU five times as long.
    x = ops.concatenate([x, x], axis=-1)
    x = ops.reshape(x, (-1, height, 1, 2 * width * channels))
    x = ops.concatenate([x, x], axis=2)
    x = ops.reshape(x, (-1, 2 * height, 2 * width, channels))
    return _cut(x, shape)


def upsample_bilinear(x, shape):
    """Doubles a map as bilinear resizing does, cut to the size of `shape`.

    A new pixel lies a quarter of an old one from the nearest old one: it is three
    quarters of that and one quarter of the next, which at the border is itself.
    """
    x = ops.convert_to_tensor(x)
    return _cut(_between(_between(x, 1), 2), shape)


# By the names that configs have for them.
UPSAMPLING = {"nearest": upsample_nearest, "bilinear": upsample_bilinear}


def align_corners_weights(cells: int, count: int) -> np.ndarray:
    """Returns `[count, cells]`: what positions spread over an axis read of its cells.

    The first and last lie on the centres of the outer cells; a single one reads the
    first cell, as in TensorFlow's resizing with `align_corners`.
    """
    places = np.arange(count) * ((cells - 1) / max(count - 1, 1))
    return np.maximum(1.0 - np.abs(places[:, None] - np.arange(cells)), 0.0)


def repeat_weights(cells: int, count: int) -> np.ndarray:
    """Returns `[count, cells]`: what is read where each cell is repeated.

    Raises:
        ValueError: `count` is no multiple of `cells`.
    """
    if count % cells:
        raise ValueError(
            f"features of {cells} cells cannot be repeated to {count} of a mask: take "
            f"a multiple of {cells}"
        )
    return np.repeat(np.eye(cells), count // cells, axis=0)


def _between(x, axis: int):
    """Doubles one axis of `[b, h, w, c]` by linear interpolation."""
    length = x.shape[axis]
    first, last = (_part(x, axis, n, 1) for n in (0, length - 1))
    low = ops.concatenate([first, _part(x, axis, 0, length - 1)], axis=axis)
    high = ops.concatenate([_part(x, axis, 1, length - 1), last], axis=axis)
    pairs = ops.stack([0.25 * low + 0.75 * x, 0.75 * x + 0.25 * high], axis=axis + 1)
    shape = list(x.shape)
    shape[0], shape[axis] = -1, 2 * length
    return ops.reshape(pairs, shape)


def _part(x, axis: int, start: int, length: int):
    index = [slice(None)] * 4
    index[axis] = slice(start, start + length)
    return x[tuple(index)]


def _cut(x, shape):
    if tuple(shape[1:3]) != tuple(x.shape[1:3]):
        x = x[:, : shape[1], : shape[2]]
    return x
