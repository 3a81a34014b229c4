"""Options of prediction on tiles."""

from typing import TYPE_CHECKING, Annotated

import typer

from odapi.errors import DataError

if TYPE_CHECKING:
    from odapi.inference.tiling import Tiling

Tile = Annotated[
    int | None,
    typer.Option(
        "--tile",
        min=1,
        help="Divide larger images into overlapping tiles with this side in pixels, "
        "for small objects; objects that tiles share or cut are merged.",
    ),
]
TileOverlap = Annotated[
    float,
    typer.Option(
        help="Minimum share of a tile's side that neighbors have in common: objects "
        "that are smaller are whole in a tile."
    ),
]
TileWhole = Annotated[
    bool,
    typer.Option(
        "--tile-whole/--no-tile-whole",
        help="Predict on the whole image, too, for objects larger than a tile.",
    ),
]

OVERLAP = 0.2  # The default of --tile-overlap.


def tiling(size: int | None, overlap: float, whole: bool) -> "Tiling | None":
    """Returns the tiling of the options; None without --tile.

    Raises:
        DataError: A value is out of range, or --tile is missing.
    """
    if size is None:
        if overlap != OVERLAP or not whole:
            name = "--tile-overlap" if overlap != OVERLAP else "--no-tile-whole"
            raise DataError(name, "has no effect without --tile", hint="--tile 640")
        return None
    from odapi.inference.tiling import Tiling

    return Tiling(size, overlap, whole)
