"""Crops of maps, by box, resized with bilinear reading between cells."""

import keras
from keras import ops

from odapi.geometry.gather import gather_rows
from odapi.structures import Tensor


def crop_and_resize(
    maps: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    *,
    channels: Tensor | None = None,
    zero_pad_border: bool = False,
) -> Tensor:
    """Returns the parts of maps that boxes show, each scaled to one size.

    The first and last row of a crop lie on the edges of its box, and 0 and 1 are the
    centres of the first and last row of the map. A crop of one row reads the middle.
    What lies outside the map is 0.

    Args:
        maps: `[b, h, w, c]`; integers are read as float32.
        boxes: `[b, n, 4]` normalised; they may reach beyond the map or be mirrored.
        size: Rows and columns of a crop.
        channels: `[b, n]` int32: crop one channel only, another for each box.
        zero_pad_border: Interpolate between the border and zeros one cell outside the
            map, instead of returning 0 for every point outside.

    Returns:
        `[b, n, rows, columns, c]`, or `[b, n, rows, columns]` of one channel.

    Source: `tf.image.crop_and_resize`; with `fade` the original's
    `utils/spatial_transform_ops.py`, `matmul_crop_and_resize`.
    """
    height, width, depth = maps.shape[1:]
    batch = ops.shape(boxes)[0]
    y0, x0, y1, x1 = ops.unstack(ops.cast(boxes, "float32"), 4, axis=-1)
    rows = _positions(y0, y1, size[0], height)  # [b, n, rows]
    columns = _positions(x0, x1, size[1], width)
    if channels is None:
        table = ops.reshape(maps, (batch, height * width, depth))
        return gather_bilinear(
            table, rows, columns, (height, width), zero_pad_border=zero_pad_border
        )
    table = ops.reshape(maps, (batch, height * width * depth, 1))
    read = gather_bilinear(
        table,
        rows,
        columns,
        (height, width),
        channels,
        step=depth,
        zero_pad_border=zero_pad_border,
    )
    return ops.squeeze(read, -1)


def gather_bilinear(
    table: Tensor,
    rows: Tensor,
    columns: Tensor,
    size: tuple[Tensor, ...],
    start: Tensor | None = None,
    step: int = 1,
    zero_pad_border: bool = False,
) -> Tensor:
    """Returns what maps hold at positions, read linearly between their cells.

    Args:
        table: `[b, cells, c]`: the cells of all maps of an image, row by row;
            integers are read as float32.
        rows, columns: `[b, n, rows]` and `[b, n, columns]` float32, in cells.
        size: Height and width of the map: numbers, or `[b, n, 1]` int32.
        start: `[b, n]` int32, where in the table the map begins; None: at 0.
        step: From a cell to the next in the table.
        zero_pad_border: As in `crop_and_resize`.

    Returns:
        `[b, n, rows, columns, c]`.
    """
    height, width = size
    # The number of boxes may not be known before they come.
    shape = (*ops.shape(rows)[1:], columns.shape[-1])
    batch = ops.shape(table)[0]
    total: Tensor = 0.0
    for at_y, share_y in neighbours(rows, height, zero_pad_border):
        for at_x, share_x in neighbours(columns, width, zero_pad_border):
            index = (at_y * width)[..., :, None] + at_x[..., None, :]
            index = index * step if step > 1 else index
            index = index if start is None else index + start[..., None, None]
            read = gather_rows(table, ops.reshape(index, (batch, -1)))
            read = ops.reshape(read, (batch, *shape, table.shape[-1]))
            if "int" in keras.backend.standardize_dtype(read.dtype):
                read = ops.cast(read, "float32")
            share = share_y[..., :, None] * share_x[..., None, :]
            total = total + read * ops.cast(share, read.dtype)[..., None]
    return total


def crop_each_mask(
    masks: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    *,
    zero_pad_border: bool = False,
) -> Tensor:
    """Returns the part of each mask that its own box shows, scaled to one size.

    Args:
        masks: `[b, n, h, w]`; integers are read as float32.
        boxes: `[b, n, 4]` normalised.
        size: Rows and columns of a crop.
        zero_pad_border: As in `crop_and_resize`.

    Returns:
        `[b, n, rows, columns]`.
    """
    height, width = masks.shape[2:]
    flat = ops.reshape(masks, (-1, height, width, 1))
    crops = crop_and_resize(
        flat, ops.reshape(boxes, (-1, 1, 4)), size, zero_pad_border=zero_pad_border
    )
    return ops.reshape(crops, (*ops.shape(masks)[:2], *size))


def _positions(first: Tensor, last: Tensor, count: int, length: int) -> Tensor:
    """Returns `[b, n, count]`: positions on an axis of `length` cells."""
    if count == 1:
        return (0.5 * (first + last) * (length - 1))[..., None]
    step = ops.arange(count, dtype="float32") / (count - 1)
    # As a sum of two products: the last one is exactly at the edge.
    places = first[..., None] * (1.0 - step) + last[..., None] * step
    return places * (length - 1)


def neighbours(
    positions: Tensor, length: Tensor, zero_pad_border: bool = False
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Returns the cells before and after positions, and the share of each.

    Args:
        positions: In cells; 0 is the centre of the first.
        length: Cells on the axis: a number, or int32 that fits the positions.
        zero_pad_border: As in `crop_and_resize`.

    Returns:
        Two pairs of cells, int32, and shares, float32, of the shape of the positions.
    """
    length = ops.cast(length, "int32")
    most = ops.cast(length, "float32") - 1.0
    low = ops.floor(positions)
    beyond = positions - low
    if zero_pad_border:
        seen = [(low >= 0) & (low <= most), (low >= -1) & (low < most)]
    else:
        seen = [(positions >= 0) & (positions <= most)] * 2
    # Far outside, the cast to int32 would overflow.
    index = ops.cast(ops.clip(low, -1.0, most + 1.0), "int32")
    return (
        (ops.clip(index, 0, length - 1), ops.where(seen[0], 1.0 - beyond, 0.0)),
        (ops.clip(index + 1, 0, length - 1), ops.where(seen[1], beyond, 0.0)),
    )
