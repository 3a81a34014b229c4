"""A dataset cut into tiles, as a source: any writer writes it."""

import dataclasses
import pathlib
import threading
from typing import Any

import numpy as np

from odapi.data.image.encode import encode_jpeg, encode_png
from odapi.data.image.header import Header
from odapi.data.read_ahead import read_ahead
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource, Raw
from odapi.data.tiling import Content, TileRule, content_of, cut_tile
from odapi.errors import DataError, unknown_choice
from odapi.geometry.tiles import Tile
from odapi.progress import track

KINDS = ("png", "jpeg")
_THREADS = 16  # They wait for files.


@dataclasses.dataclass(frozen=True)
class TileOf:
    """One tile to write.

    Args:
        index: Position of its image in the source.
        tile: The rectangle; None: the image itself, which is not larger than a tile.
        content: The objects that it keeps.
    """

    index: int
    tile: Tile | None
    content: Content


@dataclasses.dataclass
class TileCounts:
    """Counts of a tiled dataset.

    Args:
        images: Images that were cut into tiles or taken as they are.
        unchanged: Of these, images not larger than a tile.
        objects: Objects of the images.
        tiles: Tiles that are kept.
        empty: Of these, tiles without objects.
        empty_left_out: Tiles without objects that are not kept.
        whole: Objects in kept tiles that are not cut; one may be in several tiles.
        cut: Cut objects that are kept.
        ignored: Cut objects that are kept as crowds of weight 0.
        dropped: Parts of cut objects that are dropped.
        without_mask: Of the cut objects, those without a pixel of their mask in the
            tile, which are dropped when it is written.
        lost: Objects that no tile keeps.
    """

    images: int = 0
    unchanged: int = 0
    objects: int = 0
    tiles: int = 0
    empty: int = 0
    empty_left_out: int = 0
    whole: int = 0
    cut: int = 0
    ignored: int = 0
    dropped: int = 0
    without_mask: int = 0
    lost: int = 0


class TiledSource(BaseSource):
    """The tiles of a dataset.

    A tile is named after its image and its offset: `IMAGE_y480_x960`. Images that are
    not larger than a tile keep their name and their bytes.

    Args:
        source: The dataset.
        rule: Size of the tiles, and treatment of cut objects.
        kind: Encoding of tiles: "png", or "jpeg" of quality 97 without subsampled
            colors.

    Attributes:
        counts: What the tiles contain.

    Raises:
        DataError: No tile is kept.
    """

    def __init__(self, source: BaseSource, rule: TileRule, kind: str = "png"):
        if kind not in KINDS:
            raise unknown_choice("--image-format", kind, KINDS, DataError)
        keys = source.keys
        if rule.cut == "ignore":
            keys |= {"is_crowd", "weights"}
        super().__init__(
            source.name, source.label_map, source.problems, keys, source.num_keypoints
        )
        self.source = source
        self.is_stored = source.is_stored
        self.max_pixels = source.max_pixels
        self.kind = kind
        self.counts = TileCounts()
        self.tiles = self._plan(rule)
        if not self.tiles:
            raise DataError(
                source.name, "no tile is kept", hint="--empty 1 keeps all empty tiles"
            )
        self._last: tuple[int, Sample] = (-1, {})
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.tiles)

    @property
    def image_ids(self) -> list[str]:
        """The id of each tile: that of its image and its offset."""
        ids = self.source.image_ids
        return [_named(ids[tile.index], tile) for tile in self.tiles]

    def raw(self, index: int) -> Raw:
        """Returns the annotations as they are used."""
        sample = self.encoded_sample(index)
        objects = {key: sample[key] for key in ("boxes", "classes")}
        size = sample["size"]
        return Raw(sample["image_id"], sample["filename"], size, objects, False)

    def encoded(self, index: int) -> bytes:
        """Returns the tile as an image file."""
        data: bytes = self.encoded_sample(index)["encoded"]
        return data

    def encoded_sample(self, index: int) -> Sample:
        """Returns a tile with its image encoded."""
        chosen = self.tiles[index]
        if chosen.tile is None:
            return self.source.encoded_sample(chosen.index)
        sample = self._sample(chosen.index)
        part = cut_tile(sample, chosen.tile, chosen.content)
        pixels = part.pop("image")
        encode = encode_png if self.kind == "png" else encode_jpeg
        size = pixels.shape[:2]
        suffix = ".png" if self.kind == "png" else ".jpg"
        filename = str(sample.get("filename") or sample["image_id"])
        stem = str(pathlib.PurePosixPath(filename.replace("\\", "/")).with_suffix(""))
        return part | {
            "image_id": _named(sample["image_id"], chosen),
            "filename": _named(stem, chosen) + suffix,
            "size": size,
            "encoded": encode(pixels),
            "header": Header(self.kind, size),
        }

    def _sample(self, index: int) -> Sample:
        """Returns the sample of an image; tiles of one image follow each other."""
        with self._lock:
            if self._last[0] != index:
                self._last = (index, self.source[index])
            return self._last[1]

    def _plan(self, rule: TileRule) -> list[TileOf]:
        def read(index: int) -> Sample | None:
            try:
                return self.source.annotations(index)
            except DataError:
                return None  # Counted in the problems of the source.

        counts, tiles = self.counts, list[TileOf]()
        samples = read_ahead(read, range(len(self.source)), _THREADS)
        for index, sample in enumerate(track(samples, "planning", len(self.source))):
            if sample is None:
                continue
            boxes, size = sample["boxes"], tuple(int(side) for side in sample["size"])
            rectangles: list[Any] = rule.tiles((size[0], size[1]))
            found = [content_of(boxes, (size[0], size[1]), t, rule) for t in rectangles]
            counts.images += 1
            counts.objects += len(boxes)
            if len(rectangles) == 1:
                counts.unchanged += 1
                rectangles = [None]
            kept = [np.concatenate([c.whole, c.cut]) for c in found]
            counts.lost += len(boxes) - len(np.unique(np.concatenate(kept)))
            tiles += map(TileOf, [index] * len(found), rectangles, found)
        return self._choose(tiles, rule)

    def _choose(self, tiles: list[TileOf], rule: TileRule) -> list[TileOf]:
        """Returns the tiles with objects, and a share of those without any."""
        counts = self.counts
        empty = [i for i, t in enumerate(tiles) if not t.content.has_objects]
        background = [i for i in empty if tiles[i].content.is_background]
        number = min(round(rule.empty * len(empty)), len(background))
        rng = np.random.default_rng(rule.seed)
        shown = set(rng.permutation(background)[:number].tolist())
        left_out = set(empty) - shown
        chosen = [t for i, t in enumerate(tiles) if i not in left_out]
        counts.tiles, counts.empty = len(chosen), len(shown)
        counts.empty_left_out = len(left_out)
        for name in ("whole", "cut", "ignored", "dropped"):
            setattr(counts, name, sum(len(getattr(t.content, name)) for t in chosen))
        return chosen


def _named(name: str, tile: TileOf) -> str:
    if tile.tile is None:
        return name
    return f"{name}_y{tile.tile.top}_x{tile.tile.left}"
