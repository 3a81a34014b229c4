"""Gathering by index: rows of tables, cells of maps, points between cells."""

from keras import ops

from odapi.structures import Tensor


def gather_rows(values: Tensor, index: Tensor) -> Tensor:
    """Returns `[b, k, ...]`: row `index[i, j]` of `values[i]`.

    Implemented as one gather from a flat table, which is fast on every backend and
    known to every export format; `ops.take_along_axis` transposes the whole tensor on
    TensorFlow.

    Args:
        values: `[b, n, ...]`.
        index: `[b, k]` int32 in [0, n).
    """
    shape = ops.shape(values)
    batch, rows = shape[0], shape[1]
    flat = ops.reshape(values, (-1, *values.shape[2:]))
    start = rows * ops.arange(batch, dtype="int32")
    return ops.take(flat, ops.cast(index, "int32") + start[:, None], axis=0)


def gather_cells(maps: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Returns the values `[b, k, c]` of maps `[b, h, w, c]` at cells.

    Args:
        maps: Of a static size.
        y, x: `[b, k]` int32, clipped to the map.
    """
    _, height, width, channels = maps.shape
    y, x = ops.clip(y, 0, height - 1), ops.clip(x, 0, width - 1)
    return gather_rows(ops.reshape(maps, (-1, height * width, channels)), y * width + x)


def sample_cells(maps: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Samples maps `[b, h, w, c]` bilinearly at points; returns `[b, k, c]`.

    Args:
        maps: Of a static size.
        y, x: `[b, k]` float32 in cells, 0 at the center of the first; clipped to the
            centers of the outer cells.
    """
    height, width = maps.shape[1:3]
    y, x = ops.clip(y, 0.0, height - 1.0), ops.clip(x, 0.0, width - 1.0)
    top, left = ops.floor(y), ops.floor(x)
    down, right = (y - top)[..., None], (x - left)[..., None]
    row, column = ops.cast(top, "int32"), ops.cast(left, "int32")
    # `gather_cells` repeats the last row or column, whose weight is then 0.
    above = gather_cells(maps, row, column) * (1.0 - right)
    above = above + gather_cells(maps, row, column + 1) * right
    below = gather_cells(maps, row + 1, column) * (1.0 - right)
    below = below + gather_cells(maps, row + 1, column + 1) * right
    return above * (1.0 - down) + below * down
