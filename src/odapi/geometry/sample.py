"""Maps read between their cells."""

from keras import ops

from odapi.geometry.heatmaps import values_at
from odapi.structures import Tensor


def values_between(maps: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Returns `[b, k, c]`: maps `[b, h, w, c]` read linearly between cells.

    Args:
        maps: Of a known size.
        y, x: `[b, k]` float32 in cells, 0 being the centre of the first; beyond the
            centres of the outer cells, these count alone.
    """
    height, width = maps.shape[1:3]
    y, x = ops.clip(y, 0.0, height - 1.0), ops.clip(x, 0.0, width - 1.0)
    top, left = ops.floor(y), ops.floor(x)
    down, right = (y - top)[..., None], (x - left)[..., None]
    row, column = ops.cast(top, "int32"), ops.cast(left, "int32")
    # `values_at` takes the last row or column for the one after it, whose share is 0.
    above = values_at(maps, row, column) * (1.0 - right)
    above = above + values_at(maps, row, column + 1) * right
    below = values_at(maps, row + 1, column) * (1.0 - right)
    below = below + values_at(maps, row + 1, column + 1) * right
    return above * (1.0 - down) + below * down
