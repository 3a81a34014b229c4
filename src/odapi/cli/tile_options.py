"""Options of prediction on tiles."""

from typing import TYPE_CHECKING, Annotated

import typer

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


def tiling(size: int | None, overlap: float, whole: bool) -> "Tiling | None":
    """Returns the tiling of the options; None without --tile.

    Raises:
        DataError: A value is out of range.
    """
    if size is None:
        return None
    from odapi.inference.tiling import Tiling

    return Tiling(size, overlap, whole)
