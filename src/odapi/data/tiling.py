"""Tiles of samples: which objects they keep, and which tiles are kept.

An object that a tile cuts is kept, clipped to the tile, if at least `min_visible` of
its box is within the tile. A rule decides about the rest: it is dropped, kept
nevertheless, or kept but ignored, as a crowd of weight 0, which neither losses nor
metrics count.
"""

import dataclasses
from typing import Literal

import numpy as np

from odapi.data.augment import transforms
from odapi.data.augment.transforms import Window
from odapi.data.image.lazy import LazyImage, rendered
from odapi.data.sample import Sample, keep_objects
from odapi.errors import DataError, unknown_choice
from odapi.geometry.tiles import Tile, tiles_of

Cut = Literal["keep", "drop", "ignore"]
CUTS: tuple[str, ...] = ("drop", "keep", "ignore")
_WHOLE = 1 - 1e-6  # Visible share of an object that is not cut.
_MIN_PIXELS = 0.5  # Of the visible height and width of a cut object.


@dataclasses.dataclass(frozen=True)
class TileRule:
    """Size of tiles, and treatment of objects that they cut.

    Args:
        side: Height and width of a tile, pixels.
        overlap: Minimum share of the side that neighboring tiles have in common.
        min_visible: Share of its box from which on a cut object is kept.
        cut: Treatment of objects below: "drop", "keep" or "ignore".
        empty: Share of the tiles without objects to keep.
        seed: Seed of their choice.

    Raises:
        DataError: A value is out of range.
    """

    side: int = 640
    overlap: float = 0.2
    min_visible: float = 0.3
    cut: str = "drop"
    empty: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.side < 1:
            raise DataError("--size", f"must be 1 or more, got {self.side}")
        if not 0 <= self.overlap < 1:
            raise DataError(
                "--overlap", f"must be from 0 to below 1, got {self.overlap:g}"
            )
        for name in ("min_visible", "empty"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                option = f"--{name.replace('_', '-')}"
                raise DataError(option, f"must be from 0 to 1, got {value:g}")
        if self.cut not in CUTS:
            raise unknown_choice("--cut", self.cut, CUTS, DataError)

    def tiles(self, size: tuple[int, int]) -> list[Tile]:
        """Returns the tiles of an image; one, if it is not larger than a tile."""
        return tiles_of(size, self.side, self.overlap)


@dataclasses.dataclass(frozen=True)
class Content:
    """The objects of an image in one of its tiles.

    Args:
        whole: Indices of the objects that lie within the tile.
        cut: Indices of cut objects that are kept.
        ignored: Indices of cut objects that are kept, but ignored.
        dropped: Indices of cut objects that are dropped.
    """

    whole: np.ndarray
    cut: np.ndarray
    ignored: np.ndarray
    dropped: np.ndarray

    @property
    def has_objects(self) -> bool:
        """True if an object is kept that is not ignored."""
        return bool(len(self.whole) + len(self.cut))

    @property
    def is_background(self) -> bool:
        """True if there is not even a part of an object."""
        return not self.has_objects and not len(self.ignored) + len(self.dropped)


def content_of(
    boxes: np.ndarray, size: tuple[int, int], tile: Tile, rule: TileRule
) -> Content:
    """Returns the objects in a tile.

    Args:
        boxes: `[n, 4]`, normalized.
        size: Height and width of the image.
        tile: The tile.
        rule: Its `min_visible` and `cut` apply.
    """
    pixels = np.asarray(boxes, np.float64).reshape(-1, 4) * np.tile(size, 2)
    with np.errstate(invalid="ignore"):
        share = np.nan_to_num(transforms.covered_share(pixels, tile.box))
    visible = np.minimum(pixels[:, 2:], tile.box[2:])
    visible = visible - np.maximum(pixels[:, :2], tile.box[:2])
    cut = (share < _WHOLE) & (visible >= _MIN_PIXELS).all(1)
    kept = cut & (share >= rule.min_visible) if rule.cut != "keep" else cut
    rest = np.flatnonzero(cut & ~kept)
    none = rest[:0]
    ignored, dropped = (rest, none) if rule.cut == "ignore" else (none, rest)
    return Content(
        np.flatnonzero(share >= _WHOLE), np.flatnonzero(kept), ignored, dropped
    )


def cut_tile(sample: Sample, tile: Tile, content: Content) -> Sample:
    """Returns the part of a sample in a tile, with its image and masks rendered.

    Boxes of cut objects with a mask are those around its rest; an object without a
    pixel of its mask in the tile is dropped. Keypoints outside are unlabeled.

    Args:
        sample: With its image.
        tile: The tile.
        content: The objects that are kept.
    """
    rows = np.sort(np.concatenate([content.whole, content.cut, content.ignored]))
    is_cut = np.isin(rows, np.concatenate([content.cut, content.ignored]))
    part = keep_objects(sample, rows.astype(int))
    size = np.tile(sample["image"].shape[:2], 2)
    before = transforms.area(part["boxes"].astype(np.float64) * size)
    part = transforms.move_to(part, Window(*tile))
    part = rendered(part | {"image": LazyImage.of(part["image"])})
    part = transforms.drop_outside(part)
    part = _ignored(part, np.isin(rows, content.ignored))
    if "area" in part:
        after = part["boxes"].astype(np.float64) * np.tile(tile[2:], 2)
        share = transforms.area(after) / np.maximum(before, 1e-9)
        scaled = np.where(is_cut, part["area"] * share, part["area"])
        part["area"] = scaled.astype(np.float32)
    return _fit_to_masks(part, is_cut) if "masks" in part else part


def _ignored(sample: Sample, ignored: np.ndarray) -> Sample:
    """Returns a sample whose ignored objects are crowds of weight 0."""
    if not ignored.any():
        return sample
    count = len(ignored)
    crowd = np.asarray(sample.get("is_crowd", np.zeros(count, bool)), bool)
    weights = np.asarray(sample.get("weights", np.ones(count)), np.float32)
    return sample | {
        "is_crowd": crowd | ignored,
        "weights": np.where(ignored, 0, weights).astype(np.float32),
    }


def _fit_to_masks(sample: Sample, is_cut: np.ndarray) -> Sample:
    """Returns a sample with boxes and areas of cut objects as their masks have them.

    Objects that have a mask, but no pixel of it here, are dropped.
    """
    boxes, keep = sample["boxes"].copy(), np.ones(len(is_cut), bool)
    areas = np.array(sample["area"]) if "area" in sample else np.zeros(len(is_cut))
    weights = sample.get("mask_weights", np.ones(len(is_cut)))
    height, width = sample["image"].shape[:2]
    for i in np.flatnonzero(is_cut & (np.asarray(weights) > 0)):
        mask = sample["masks"][i]
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            keep[i] = False
            continue
        around = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])
        around = around / (height, width, height, width)
        low = np.maximum(boxes[i, :2], around[:2])
        high = np.minimum(boxes[i, 2:], around[2:])
        if (high > low).all():  # A mask may lie outside its box.
            boxes[i] = np.concatenate([low, high])
        areas[i] = mask.sum()
    sample = sample | {"boxes": boxes}
    if "area" in sample:
        sample["area"] = areas
    return sample if keep.all() else keep_objects(sample, keep)
