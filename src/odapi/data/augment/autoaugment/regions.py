"""Changes of the contents of boxes: pixels, masks and points inside move, boxes stay.

The original moves pixels alone; here the masks and points that lie in the box move
with them. Points that leave the box are hidden: nothing shows them any more.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from odapi.data.augment.warping import FILL
from odapi.data.image.homography import move, warp_image
from odapi.data.image.lazy_masks import LazyMasks
from odapi.data.sample import Sample
from odapi.fields import FIELDS, Motion


class Region(NamedTuple):
    """A rectangle of an image, in pixels, inside of it."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def of_box(cls, box: np.ndarray, height: int, width: int) -> "Region":
        """Returns the pixels of a normalized box and, as in the original, one more."""
        scale = np.array([height, width, height, width], np.float32)
        y_min, x_min, y_max, x_max = (np.clip(box, 0, 1) * scale).astype(int).tolist()
        top, left = min(y_min, height - 1), min(x_min, width - 1)
        return cls(top, left, min(y_max + 1, height), min(x_max + 1, width))

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an image."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def change_region(
    sample: Sample, region: Region, change: Callable[[np.ndarray], np.ndarray]
) -> Sample:
    """Returns the sample with other pixels in a region; the given image is changed."""
    image = sample["image"]
    image[region.slices] = change(np.ascontiguousarray(image[region.slices]))
    return sample


def warp_region(sample: Sample, region: Region, matrix: np.ndarray) -> Sample:
    """Returns the sample with the contents of a region moved; boxes stay.

    Args:
        sample: The sample, whose image array is changed.
        region: The region.
        matrix: `[3, 3]`, from old to new positions in the region, see `homography`.
    """
    sample = change_region(
        sample, region, lambda part: warp_image(part, matrix, FILL, nearest=True)
    )
    moved = sample | _moved_points(sample, region, matrix)
    if "masks" in sample:
        masks = sample["masks"]
        decoders = tuple(
            functools.partial(_warped_mask, masks, index, region, matrix)
            for index in range(len(masks))
        )
        moved["masks"] = LazyMasks(decoders, sample["image"].shape[:2])
    return moved


def _warped_mask(
    masks: Any, index: int, region: Region, matrix: np.ndarray
) -> np.ndarray:
    mask = np.array(masks[index])
    part = np.ascontiguousarray(mask[region.slices])
    if part.any():
        mask[region.slices] = warp_image(part, matrix, 0, nearest=True)
    return mask


def _moved_points(sample: Sample, region: Region, matrix: np.ndarray) -> Sample:
    """Returns the fields with points, those in the region moved or NaN."""
    size = np.array(sample["image"].shape[:2])
    corner = np.array([region.top, region.left])
    extent = np.array([region.height, region.width])
    moved: Sample = {}
    for name, value in sample.items():
        if name not in FIELDS or FIELDS[name].motion is not Motion.POINT:
            continue
        points = value[..., :2] * size - corner
        inside = ((points >= 0) & (points < extent)).all(axis=-1, keepdims=True)
        new = move(matrix, points[..., ::-1])[..., ::-1]
        shown = ((new >= 0) & (new < extent)).all(axis=-1, keepdims=True)
        new = np.where(shown, (new + corner) / size, np.nan)
        moved[name] = value.copy()
        moved[name][..., :2] = np.where(inside, new, value[..., :2])
    return moved
