"""The color distortion of SSD: four random changes in one of two orders."""

import dataclasses

import numpy as np

from odapi.data.augment.color import (
    AdjustBrightness,
    AdjustContrast,
    AdjustHue,
    AdjustSaturation,
)
from odapi.data.sample import Sample

_BRIGHTNESS, _SATURATION = AdjustBrightness(32 / 255), AdjustSaturation(0.5, 1.5)
_HUE, _CONTRAST = AdjustHue(0.2), AdjustContrast(0.5, 1.5)
_ORDERINGS = (
    (_BRIGHTNESS, _SATURATION, _HUE, _CONTRAST),
    (_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE),
)


@dataclasses.dataclass(frozen=True)
class DistortColor:
    """Changes brightness, saturation, hue and contrast by fixed random ranges.

    Args:
        ordering: 0: in this order; 1: brightness, contrast, saturation, hue.
    """

    ordering: int = 0

    def __post_init__(self):
        if self.ordering not in (0, 1):
            raise ValueError(f"color_ordering must be 0 or 1, got {self.ordering}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with changed colors."""
        for step in _ORDERINGS[self.ordering]:
            sample = step(sample, rng)
        return sample
