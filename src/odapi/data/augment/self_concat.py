"""Concatenation of an image with itself."""

import dataclasses
from typing import Any

import numpy as np

from odapi.data.image.lazy import LazyImage
from odapi.data.image.lazy_masks import LazyMasks, sampled_masks
from odapi.data.positions import scaled_positions
from odapi.data.sample import Sample
from odapi.fields import FIELDS


@dataclasses.dataclass(frozen=True)
class SelfConcat:
    """Puts the image below and beside itself at random, with all its objects.

    Args:
        vertical: Probability of a second copy below.
        horizontal: Probability of a second copy on the right, of both images if there
            is one below.
    """

    vertical: float = 0.1
    horizontal: float = 0.1

    def __post_init__(self):
        for name in ("vertical", "horizontal"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(
                    f"concat_{name}_probability must be in 0..1, got {value}"
                )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, concatenated or unchanged."""
        vertical = rng.random() < self.vertical
        horizontal = rng.random() < self.horizontal
        if vertical:
            sample = _doubled(sample, 0)
        return _doubled(sample, 1) if horizontal else sample


def _doubled(sample: Sample, axis: int) -> Sample:
    """Returns the sample with a copy of its image added along an axis."""
    image = LazyImage.of(sample["image"])
    pixels = image.render()
    scale, shift = np.ones(2), np.zeros(2)
    scale[axis], shift[axis] = 0.5, -0.5
    first = sample | scaled_positions(sample, scale)
    second = sample | scaled_positions(sample, scale, shift)
    doubled = sample | {"image": np.concatenate([pixels, pixels], axis)}
    for name in FIELDS.keys() & sample.keys() - {"masks"}:
        doubled[name] = np.concatenate([first[name], second[name]])
    if "masks" in sample:
        doubled["masks"] = _doubled_masks(sample["masks"], image, axis)
    return doubled


def _doubled_masks(masks: Any, image: LazyImage, axis: int) -> LazyMasks:
    size = image.shape[axis]
    halves = []
    for offset in (0, -size):  # The window of an axis: its pixels, and padding.
        axes = [image.rows, image.columns]
        axes[axis] = axes[axis].window(offset, 2 * size)
        halves.append(sampled_masks(masks, *axes))
    first, second = halves
    return LazyMasks(first.decoders + second.decoders, first.size)
