"""Samples that are placed on a common canvas."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from odapi.data.augment import transforms
from odapi.data.augment.partners import Partners
from odapi.data.augment.transforms import Window
from odapi.data.image import warp
from odapi.data.image.lazy import LazyImage
from odapi.data.image.lazy_masks import LazyMasks
from odapi.data.image.warp import Axis
from odapi.data.sample import Sample

Size = tuple[int, int]


class Part(NamedTuple):
    """A sample at its final size, and the position of its first pixel on a canvas."""

    sample: Sample
    top: int
    left: int

    @property
    def image(self) -> LazyImage:
        """The image of the sample."""
        return LazyImage.of(self.sample["image"])

    def area_of(self, canvas: np.ndarray) -> np.ndarray:
        """Returns a view of the pixels of the canvas that the part covers."""
        height, width, _ = self.image.shape
        return canvas[self.top : self.top + height, self.left : self.left + width]

    def on_canvas(self, size: Size) -> Sample:
        """Returns the annotations, normalized to the canvas; masks are decoded later.

        Args:
            size: Height and width of the canvas.
        """
        window = Window(-self.top, -self.left, *size)
        placed = transforms.move_to(self.sample, window)
        image = placed.pop("image")
        if "masks" in placed:
            masks = placed["masks"]
            lazy = [_decoder(masks, i, image) for i in range(len(masks))]
            placed["masks"] = LazyMasks(tuple(lazy), size)
        return placed


def new_canvas(image: LazyImage) -> np.ndarray:
    """Returns an image as an array that may be changed, never that of its source."""
    return image.render(out=np.empty(image.shape, image.dtype))


def scaled(sample: Sample, partners: Partners) -> Part:
    """Returns a sample at the size that the model's resizer gives it."""
    size = partners.size(*transforms.size_of(sample))
    return Part(transforms.resize(sample, *size), 0, 0)


def fitted(
    sample: Sample, size: Size, partners: Partners, rng: np.random.Generator
) -> Part:
    """Returns a whole sample at a random position on a canvas.

    It is scaled as the model's resizer scales it, and shrunk if the canvas is smaller.

    Args:
        sample: The sample.
        size: Height and width of the canvas.
        partners: They know the resizer.
        rng: Source of random numbers.
    """
    wanted = partners.size(*transforms.size_of(sample))
    scale = min(1.0, size[0] / wanted[0], size[1] / wanted[1])
    height, width = (max(round(side * scale), 1) for side in wanted)
    draws = rng.random(2)
    top = int(draws[0] * (size[0] - height + 1))
    left = int(draws[1] * (size[1] - width + 1))
    return Part(transforms.resize(sample, height, width), top, left)


@dataclasses.dataclass(frozen=True, eq=False)
class KnownMask:
    """Decoder of a mask that is already an array `[h, w]`."""

    mask: np.ndarray

    def __call__(self) -> np.ndarray:
        """Returns the mask."""
        return self.mask


@dataclasses.dataclass(frozen=True, eq=False)
class _PlacedMask:
    """Decoder of a mask that is scaled and placed on a canvas."""

    masks: Any
    index: int
    rows: Axis
    columns: Axis

    def __call__(self) -> np.ndarray:
        one = self.masks[self.index : self.index + 1]
        return warp.sample_masks(one, self.rows, self.columns)[0]


def _decoder(masks: Any, index: int, image: LazyImage) -> _PlacedMask | None:
    if isinstance(masks, LazyMasks) and masks.decoders[index] is None:
        return None
    return _PlacedMask(masks, index, image.rows, image.columns)
