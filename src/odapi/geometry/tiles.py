"""Overlapping tiles of an image."""

from typing import NamedTuple

import numpy as np

from odapi.errors import DataError

# Of one image: more are a mistake in the size or the overlap, and take hours.
MAX_TILES = 10_000


class Tile(NamedTuple):
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def box(self) -> np.ndarray:
        """The tile as `[y_min, x_min, y_max, x_max]` in pixels."""
        top, left, height, width = self
        return np.array([top, left, top + height, left + width], np.float64)


def tiles_of(size: tuple[int, int], side: int, overlap: float) -> list[Tile]:
    """Returns the tiles that cover an image, row by row.

    All tiles have the same size: the last ones are shifted inwards, and the tiles are
    spaced evenly, so that their overlap is at least the given one. A side of the image
    that is not longer than a tile has one tile, of its length.

    >>> [tile.left for tile in tiles_of((640, 1500), 640, 0.2)]
    [0, 430, 860]

    Args:
        size: Height and width of the image.
        side: Height and width of a tile.
        overlap: Minimum share of a tile's side that two neighbors have in common.

    Raises:
        ValueError: The side is below 1, or the overlap is not in [0, 1).
        DataError: There are more than `MAX_TILES`.
    """
    if side < 1 or not 0 <= overlap < 1:
        raise ValueError(
            "needs a side of 1 or more and an overlap from 0 to below 1, got "
            f"{side} and {overlap}"
        )
    tops, lefts = (_starts(length, side, overlap) for length in size)
    if len(tops) * len(lefts) > MAX_TILES:
        raise DataError(
            f"tiles of {side} pixels with an overlap of {overlap:g}",
            f"an image of {size[1]} x {size[0]} pixels has {len(tops) * len(lefts)}; "
            f"at most {MAX_TILES} are made",
            hint="use larger tiles or a smaller overlap",
        )
    height, width = (min(side, length) for length in size)
    return [Tile(top, left, height, width) for top in tops for left in lefts]


def _starts(length: int, side: int, overlap: float) -> list[int]:
    if length <= side:
        return [0]
    step = max(int(side * (1 - overlap) + 1e-9), 1)
    count = -(-(length - side) // step) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]
