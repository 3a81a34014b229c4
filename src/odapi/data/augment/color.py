"""Random color augmentations; masks, boxes and keypoints do not change.

Parameters and arithmetic are those of the TF Object Detection API, which works on
values of 0..1; values are clipped after each change.
"""

import dataclasses

import numpy as np

from odapi.data.image import color_ops as color
from odapi.data.image.lazy import ColorChange, LazyImage
from odapi.data.image.tone_ops import Gamma, Gray
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class AdjustBrightness:
    """Adds a random offset to all values of the image.

    Args:
        max_delta: Maximum absolute offset, as a fraction of 255.
    """

    max_delta: float = 0.2

    def __post_init__(self):
        _check_delta(self.max_delta)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with changed brightness."""
        delta = rng.uniform(-self.max_delta, self.max_delta)
        return _recolored(sample, color.brighten(delta))


@dataclasses.dataclass(frozen=True)
class AdjustContrast:
    """Scales the difference between each value and the mean of its channel.

    Args:
        min_factor, max_factor: Range of the random factor.
    """

    min_factor: float = 0.8
    max_factor: float = 1.25

    def __post_init__(self):
        _check_factors(self.min_factor, self.max_factor)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with changed contrast."""
        factor = rng.uniform(self.min_factor, self.max_factor)
        mean = LazyImage.of(sample["image"]).mean()
        return _recolored(sample, color.contrast(factor, mean))


@dataclasses.dataclass(frozen=True)
class AdjustHue:
    """Shifts the hue in HSV.

    Args:
        max_delta: Maximum absolute shift, as a fraction of the color circle.
    """

    max_delta: float = 0.02

    def __post_init__(self):
        _check_delta(self.max_delta)
        if self.max_delta > 0.5:
            raise ValueError(
                "max_delta must be 0.5 (half of the color circle) or less, got "
                f"{self.max_delta}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with changed hue."""
        delta = rng.uniform(-self.max_delta, self.max_delta)
        return _recolored(sample, color.HueSaturation(hue=delta))


@dataclasses.dataclass(frozen=True)
class AdjustSaturation:
    """Scales the saturation in HSV.

    Args:
        min_factor, max_factor: Range of the random factor.
    """

    min_factor: float = 0.8
    max_factor: float = 1.25

    def __post_init__(self):
        _check_factors(self.min_factor, self.max_factor)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with changed saturation."""
        factor = rng.uniform(self.min_factor, self.max_factor)
        return _recolored(sample, color.HueSaturation(saturation=factor))


@dataclasses.dataclass(frozen=True)
class AdjustGamma:
    """Computes `gain * value ** gamma` for values of 0..1; not random.

    Args:
        gamma: Exponent, 0 or more.
        gain: Factor, 0 or more.
    """

    gamma: float = 1.0
    gain: float = 1.0

    def __post_init__(self):
        if not (self.gamma >= 0 and self.gain >= 0):
            raise ValueError(
                f"gamma and gain must be 0 or more, got {self.gamma} and {self.gain}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with changed tones."""
        return _recolored(sample, Gamma(self.gamma, self.gain))


@dataclasses.dataclass(frozen=True)
class RgbToGray:
    """Replaces the colors by their luma with a given probability.

    The image keeps three channels, which are equal, since models read three. (The
    original's rgb_to_gray returns one.)

    Args:
        probability: Probability; 0 means never.
    """

    probability: float = 1.0

    def __post_init__(self):
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in 0..1, got {self.probability}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, gray or unchanged."""
        if self.probability < 1 and rng.random() > self.probability:
            return sample
        return _recolored(sample, Gray())


def _recolored(sample: Sample, change: ColorChange) -> Sample:
    return sample | {"image": LazyImage.of(sample["image"]).recolor(change)}


def _check_delta(delta: float) -> None:
    if not delta >= 0:
        raise ValueError(f"max_delta must be 0 or more, got {delta}")


def _check_factors(low: float, high: float) -> None:
    if not 0 <= low <= high:
        raise ValueError(f"needs 0 <= min_delta <= max_delta, got {low} and {high}")
