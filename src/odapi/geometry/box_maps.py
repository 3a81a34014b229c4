"""Maps derived from boxes: their interior, coordinates of cells, shifted neighbors."""

import numpy as np
from keras import ops

from odapi.geometry.boxes import center_size, corners
from odapi.structures import Tensor

# Offsets of the eight neighbors of a cell: (down, right).
_NEIGHBORS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def cover_boxes(boxes: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Returns the rows `[b, n, h]` and columns `[b, n, w]` of boxes, 1 or 0, float32.

    A cell belongs to a box if its upper left corner is in the box; unlike in
    `fill_boxes`, the lower and right edges of the box are excluded.

    Args:
        boxes: `[b, n, 4]` normalized.
        size: Height and width of the maps, in cells.

    Source: the original's `blackout_pixel_weights_by_box_regions`.
    """
    y0, x0, y1, x1 = corners(boxes)

    def covered(low: Tensor, high: Tensor, length: int) -> Tensor:
        cells = ops.arange(length, dtype="float32")
        first, end = (low * length)[..., None], (high * length)[..., None]
        inside = ops.logical_and(cells >= first, cells < end)
        return ops.cast(inside, "float32")

    return covered(y0, y1, size[0]), covered(x0, x1, size[1])


def fill_boxes(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Returns `[b, n, h, w]` float32: 1 for cells whose upper left corner is in a box.

    All edges of the box are included.

    Args:
        boxes: `[b, n, 4]` normalized.
        size: Height and width of the maps, in cells.

    Source: the original's `deepmac_meta_arch.py`, `fill_boxes`.
    """
    height, width = size
    y0, x0, y1, x1 = (side[..., None] for side in corners(boxes))
    rows = ops.arange(height, dtype="float32")
    columns = ops.arange(width, dtype="float32")
    inside_y = ops.logical_and(rows >= y0 * height, rows <= y1 * height)
    inside_x = ops.logical_and(columns >= x0 * width, columns <= x1 * width)
    inside = ops.logical_and(inside_y[..., :, None], inside_x[..., None, :])
    return ops.cast(inside, "float32")


def fill_crops(boxes: Tensor, crops: Tensor, size: tuple[int, int]) -> Tensor:
    """Returns `[b, n, rows, columns]` float32: 1 for cells of a crop inside its box.

    Args:
        boxes, crops: `[b, n, 4]` normalized.
        size: Rows and columns of a crop, as for `crop_and_resize`.
    """
    y0, x0, y1, x1 = (side[..., None] for side in corners(boxes))
    top, left, bottom, right = (side[..., None] for side in corners(crops))

    def inside(
        first: Tensor, last: Tensor, low: Tensor, high: Tensor, count: int
    ) -> Tensor:
        step = ops.convert_to_tensor(np.linspace(0, 1, count), dtype="float32")
        places = first * (1.0 - step) + last * step
        # Rounding must not put the edge of a box outside of the same box.
        return ops.logical_and(places >= low - 1e-6, places <= high + 1e-6)

    rows = inside(top, bottom, y0, y1, size[0])
    columns = inside(left, right, x0, x1, size[1])
    both = ops.logical_and(rows[..., :, None], columns[..., None, :])
    return ops.cast(both, "float32")


def exclusive_in_class(
    boxes: Tensor, classes: Tensor, valid: Tensor, size: tuple[int, int]
) -> Tensor:
    """Returns `[b, n, h, w]` float32: 0 for cells in several boxes of the same class.

    Args:
        boxes: `[b, n, 4]` normalized.
        classes: `[b, n]` int32.
        valid: `[b, n]` bool, False for padding.
        size: Height and width of the maps, in cells.
    """
    inside = fill_boxes(boxes, size)
    same = ops.logical_and(classes[:, :, None] == classes[:, None, :], valid[:, None])
    _, number, height, width = inside.shape
    flat = ops.reshape(inside, (-1, number, height * width))
    count = ops.matmul(ops.cast(same, "float32"), flat)
    count = ops.reshape(count, (-1, number, height, width))
    return ops.cast(count < 1.5, "float32")


def crop_coordinates(
    number: Tensor | int, size: tuple[int, int], batch: Tensor | int
) -> Tensor:
    """Returns `[b, n, rows, columns, 2]`: y and x of the cells of crops, in [-1, 1]."""
    y = ops.convert_to_tensor(np.linspace(-1, 1, size[0]), dtype="float32")
    x = ops.convert_to_tensor(np.linspace(-1, 1, size[1]), dtype="float32")
    grid = ops.stack(ops.meshgrid(y, x, indexing="ij"), axis=-1)
    return ops.broadcast_to(grid[None, None], (batch, number, *size, 2))


def coordinates_from_centers(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Returns `[b, n, h, w, 2]`: y and x of the cells of a map from the box center.

    Args:
        boxes: `[b, n, 4]` normalized.
        size: Height and width of the map; 0 and 1 are its first and last cell.
    """
    y = ops.convert_to_tensor(np.linspace(0, 1, size[0]), dtype="float32")
    x = ops.convert_to_tensor(np.linspace(0, 1, size[1]), dtype="float32")
    grid = ops.stack(ops.meshgrid(y, x, indexing="ij"), axis=-1)
    center, _ = center_size(boxes)
    return grid[None, None] - center[:, :, None, None, :]


def neighbors(maps: Tensor, dilation: int) -> Tensor:
    """Returns `[8, b, h, w, c]`: the eight neighbors of each cell, 0 beyond the edges.

    Args:
        maps: `[b, h, w, c]`.
        dilation: Distance of the neighbors, in cells.
    """
    height, width = maps.shape[1:3]
    edge = (dilation, dilation)
    padded = ops.pad(maps, ((0, 0), edge, edge, (0, 0)))
    starts = [(dilation * (1 + y), dilation * (1 + x)) for y, x in _NEIGHBORS]
    return ops.stack([padded[:, y : y + height, x : x + width] for y, x in starts])
