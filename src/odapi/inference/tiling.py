"""Prediction on tiles: small objects of large images at the resolution of the model."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from odapi.arguments import check_count
from odapi.errors import DataError
from odapi.geometry.tiles import Tile, tiles_of
from odapi.inference.predictor import Arrays, Predictor, SizedPredictor
from odapi.inference.tile_merge import gather, merge
from odapi.labels import LabelMap

MAX_TILED_IMAGES = 4  # Large images that are in memory at once.


@dataclasses.dataclass(frozen=True)
class Tiling:
    """Division of images into tiles that the model sees one by one.

    Args:
        size: Height and width of a tile, pixels of the image. Images that are not
            larger are predicted as without tiles.
        overlap: Minimum share of a tile's side that neighbors have in common; an object
            that is smaller is whole in one of them.
        whole: Whether to predict on the whole image, too, for objects that are larger
            than a tile.

    Raises:
        DataError: A value is out of range.
    """

    size: int
    overlap: float = 0.2
    whole: bool = True

    def __post_init__(self) -> None:
        check_count("tile", self.size)
        if not 0 <= self.overlap < 1:
            raise DataError(
                "tile_overlap", f"must be from 0 to below 1, got {self.overlap}"
            )

    @classmethod
    def of(cls, value: "int | Tiling | None") -> "Tiling | None":
        """Returns the tiling that a user gives as a size."""
        return value if value is None or isinstance(value, Tiling) else cls(value)

    def tiles(self, size: tuple[int, int]) -> list[Tile]:
        """Returns the tiles of an image, then the whole image if it is wanted."""
        height, width = size
        tiles = tiles_of(size, self.size, self.overlap)
        whole = [Tile(0, 0, height, width)]
        if len(tiles) == 1:
            return whole
        return tiles + (whole if self.whole else [])


class TiledPredictor:
    """A predictor that divides large images into tiles, and merges what it finds.

    Args:
        predictor: Finds objects in tiles.
        tiling: The tiles.
        batch_size: Tiles per call of `predictor`; memory does not grow with the number
            of tiles.
    """

    def __init__(self, predictor: Predictor, tiling: Tiling, batch_size: int = 8):
        check_count("batch_size", batch_size)
        self.label_map: LabelMap = predictor.label_map
        self.keypoint_edges = getattr(predictor, "keypoint_edges", ())
        self.tiling = tiling
        self.batch_size = batch_size
        self._predict: Any = predictor
        if isinstance(predictor, SizedPredictor):
            self._predict = predictor.with_batch_size(batch_size)
            side_inputs = getattr(predictor, "side_inputs", None)
            if side_inputs:  # The memory bank of a Context R-CNN.
                self._predict.side_inputs = side_inputs

    def __call__(self, images: Sequence[np.ndarray]) -> list[Arrays]:
        """Returns the objects of each image; see `Predictor`."""
        tiles = [self.tiling.tiles(image.shape[:2]) for image in images]
        found: list[list[Arrays]] = [[] for _ in images]
        jobs = ((i, tile) for i, row in enumerate(tiles) for tile in row)
        for batch in _batches(jobs, self.batch_size):
            parts = [_part(images[i], tile) for i, tile in batch]
            for (i, _), objects in zip(batch, self._predict(parts), strict=True):
                found[i].append(objects)
        return [
            rows[0] if len(rows) == 1 else merge(gather(rows, own, image.shape[:2]))
            for image, own, rows in zip(images, tiles, found, strict=True)
        ]


def _part(image: np.ndarray, tile: Tile) -> np.ndarray:
    top, left, height, width = tile
    return image[top : top + height, left : left + width]


def _batches(
    jobs: Iterator[tuple[int, Tile]], size: int
) -> Iterator[list[tuple[int, Tile]]]:
    while batch := list(itertools.islice(jobs, size)):
        yield batch
