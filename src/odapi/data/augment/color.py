"""Random changes of colour. Masks, boxes and keypoints stay as they are.

Drawn and applied as the original's: in values of 0..1 before it multiplies by 255
again, clipped after each.
"""

import dataclasses

import numpy as np

from odapi.data.image import color_ops as color
from odapi.data.image.lazy import ColorChange, LazyImage
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class AdjustBrightness:
    """Adds one number to all values of the picture.

    Args:
        max_delta: Largest number, as part of 255; drawn from `-max_delta` on.
    """

    max_delta: float = 0.2

    def __post_init__(self):
        _check_delta(self.max_delta)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, brighter or darker."""
        delta = rng.uniform(-self.max_delta, self.max_delta)
        return _recolored(sample, color.brighten(delta))


@dataclasses.dataclass(frozen=True)
class AdjustContrast:
    """Moves the values of each channel away from their mean, or towards it.

    Args:
        min_factor, max_factor: Range of the factor.
    """

    min_factor: float = 0.8
    max_factor: float = 1.25

    def __post_init__(self):
        _check_factors(self.min_factor, self.max_factor)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with more or less contrast."""
        factor = rng.uniform(self.min_factor, self.max_factor)
        mean = LazyImage.of(sample["image"]).mean()
        return _recolored(sample, color.contrast(factor, mean))


@dataclasses.dataclass(frozen=True)
class AdjustHue:
    """Turns the hue, in HSV.

    Args:
        max_delta: Largest turn, as part of a full turn; drawn from `-max_delta` on.
    """

    max_delta: float = 0.02

    def __post_init__(self):
        _check_delta(self.max_delta)
        if self.max_delta > 0.5:
            raise ValueError(
                f"max_delta must be 0.5 (half a turn) or less, got {self.max_delta}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with its hues turned."""
        delta = rng.uniform(-self.max_delta, self.max_delta)
        return _recolored(sample, color.HueSaturation(hue=delta))


@dataclasses.dataclass(frozen=True)
class AdjustSaturation:
    """Multiplies the saturation, in HSV.

    Args:
        min_factor, max_factor: Range of the factor.
    """

    min_factor: float = 0.8
    max_factor: float = 1.25

    def __post_init__(self):
        _check_factors(self.min_factor, self.max_factor)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, more or less colourful."""
        factor = rng.uniform(self.min_factor, self.max_factor)
        return _recolored(sample, color.HueSaturation(saturation=factor))


def _recolored(sample: Sample, change: ColorChange) -> Sample:
    return sample | {"image": LazyImage.of(sample["image"]).recolor(change)}


def _check_delta(delta: float) -> None:
    if not delta >= 0:
        raise ValueError(f"max_delta must be 0 or more, got {delta}")


def _check_factors(low: float, high: float) -> None:
    if not 0 <= low <= high:
        raise ValueError(f"needs 0 <= min_delta <= max_delta, got {low} and {high}")
