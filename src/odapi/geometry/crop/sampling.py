"""Bilinear sampling of maps by index, shared by `crop_and_resize` and RoIAlign.

Positions are float32 in cells; 0 is the center of the first cell of an axis.
"""

from typing import Literal

import keras
from keras import ops

from odapi.geometry.gather import gather_rows
from odapi.structures import Tensor

# Values outside a map. "none": 0 for every point beyond the centers of the outer cells;
# "zero_pad": zeros from one cell outside, interpolated up to there; "replicate": the
# outer cells repeated once.
Border = Literal["none", "zero_pad", "replicate"]
# A length or another number of cells: one for all boxes, or one per box.
Cells = int | Tensor

_SNAP = 65536.0


def sample_positions(
    first: Tensor, last: Tensor, extent: Cells, count: int, *, exact_ends: bool = False
) -> Tensor:
    """Returns `[b, n, count]`: evenly spaced positions on an axis, in cells.

    A single position lies in the middle. By default the positions are rounded as by
    `tf.image.crop_and_resize`, to the last bit: a point that is outside the map by
    rounding alone reads 0 there, too.

    Args:
        first, last: `[b, n]`, normalized.
        extent: Cells that the normalized range [0, 1] spans, a number or `[b, n]`.
        count: Number of positions.
        exact_ends: Round so that the last position of a box that ends at 1 is `extent`
            exactly.
    """
    extent = ops.cast(extent, "float32")
    if count == 1:
        return (0.5 * (first + last) * extent)[..., None]
    first, last = first[..., None], last[..., None]
    extent = extent[..., None] if len(extent.shape) else extent
    if exact_ends:
        step = ops.arange(count, dtype="float32") / (count - 1)
        return (first * (1.0 - step) + last * step) * extent
    # XLA would fuse the multiplication with the addition, with one rounding, and turn
    # the division by a constant into a multiplication. It does neither with values that
    # it cannot prove to be constant, or not NaN.
    known = ops.equal(first, first)
    steps = ops.where(known, float(count - 1), 1.0)
    scale = (last - first) * extent / steps
    start = ops.where(known, first * extent, 0.0)
    return start + ops.where(known, ops.arange(count, dtype="float32") * scale, 0.0)


def snap_positions(positions: Tensor) -> Tensor:
    """Returns positions rounded to 1/65536 of a cell.

    XLA computes positions twice, for the index of a cell and for its weight, and may
    round them differently: a point on the edge of two cells would get the index of one
    and the weight of the other.
    """
    return ops.floor(positions * _SNAP + 0.5) / _SNAP


def linear_neighbors(
    positions: Tensor, length: Cells, border: Border = "none"
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Returns the cells before and after positions, and the weight of each.

    Args:
        positions: In cells.
        length: Cells on the axis, a number or int32 that broadcasts to the positions.
        border: Values outside the map.

    Returns:
        Two pairs of cells, int32, and weights, float32, in the shape of the positions.
    """
    length = ops.cast(length, "int32")
    last = ops.cast(length, "float32") - 1.0
    if border == "replicate":
        inside = (positions >= -1.0) & (positions <= last + 1.0)
        positions = ops.clip(positions, 0.0, last)
    else:
        inside = (positions >= 0) & (positions <= last)
    low = ops.floor(positions)
    fraction = positions - low
    counts = (inside, inside)
    if border == "zero_pad":
        counts = (low >= 0) & (low <= last), (low >= -1) & (low < last)
    # Far outside, the cast to int32 would overflow.
    index = ops.cast(ops.clip(low, -1.0, last + 1.0), "int32")
    return (
        (ops.clip(index, 0, length - 1), ops.where(counts[0], 1.0 - fraction, 0.0)),
        (ops.clip(index + 1, 0, length - 1), ops.where(counts[1], fraction, 0.0)),
    )


def gather_bilinear(
    table: Tensor,
    rows: Tensor,
    columns: Tensor,
    size: tuple[Cells, Cells],
    start: Tensor | None = None,
    step: int = 1,
    border: Border = "none",
) -> Tensor:
    """Samples maps on grids of rows and columns, one grid per box.

    Args:
        table: `[b, cells, c]`: the cells of all maps of an image, row by row. Integers
            are read as float32.
        rows, columns: `[b, n, rows]` and `[b, n, columns]` float32, in cells.
        size: Height and width of the map: numbers, or `[b, n, 1]` int32.
        start: `[b, n]` int32, index in the table of the first cell of the map; None: 0.
        step: Distance of neighboring cells in the table.
        border: Values outside the map.

    Returns:
        `[b, n, rows, columns, c]`.
    """
    height, width = size
    # The number of boxes may be known only when the graph runs.
    shape = (*ops.shape(rows)[1:], columns.shape[-1])
    batch = ops.shape(table)[0]
    total: Tensor = 0.0
    for y, weight_y in linear_neighbors(rows, height, border):
        for x, weight_x in linear_neighbors(columns, width, border):
            index = (y * width)[..., :, None] + x[..., None, :]
            index = index * step if step > 1 else index
            index = index if start is None else index + start[..., None, None]
            read = gather_rows(table, ops.reshape(index, (batch, -1)))
            read = ops.reshape(read, (batch, *shape, table.shape[-1]))
            if "int" in keras.backend.standardize_dtype(read.dtype):
                read = ops.cast(read, "float32")
            weight = weight_y[..., :, None] * weight_x[..., None, :]
            total = total + read * ops.cast(weight, read.dtype)[..., None]
    return total


def pad_border(maps: Tensor, border: Border) -> Tensor:
    """Returns maps `[b, h, w, c]` padded with the cells that a border stands for."""
    if border == "none":
        return maps
    if border == "zero_pad":
        return ops.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    # The padding of TensorFlow and torch has no such mode.
    maps = ops.concatenate([maps[:, :1], maps, maps[:, -1:]], axis=1)
    return ops.concatenate([maps[:, :, :1], maps, maps[:, :, -1:]], axis=2)
