"""Linear maps of pixel values that leave 0..255, as some old configs ask for.

The original applies them to training images only, before the model's own
normalization. So does this: images become float32, and the model normalizes the new
values as if they were 0..255.
"""

import dataclasses

import numpy as np

from odapi.data.image.lazy import LazyImage
from odapi.data.image.tone_ops import Rescale
from odapi.data.sample import Sample
from odapi.wording import counted


@dataclasses.dataclass(frozen=True)
class NormalizeImage:
    """Maps one range of values linearly to another; values are not clipped.

    Args:
        original: Minimum and maximum of the old range.
        target: Minimum and maximum of the new range.
    """

    original: tuple[float, float]
    target: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self):
        low, high = self.original
        if not low < high:
            raise ValueError(
                f"needs original_minval < original_maxval, got {low} and {high}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with a float32 image."""
        (old, old_high), (new, new_high) = self.original, self.target
        gain = (new_high - new) / (old_high - old)
        return _rescaled(sample, Rescale(gain, (new - old * gain,) * 3))


@dataclasses.dataclass(frozen=True)
class SubtractChannelMean:
    """Subtracts one number per channel; values are not clipped.

    Args:
        means: Of red, green and blue; empty subtracts nothing.
    """

    means: tuple[float, ...] = ()

    def __post_init__(self):
        if len(self.means) not in (0, 3):
            raise ValueError(
                f"means has {counted(len(self.means), 'value')} for 3 channels"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with a float32 image."""
        if not self.means:
            return sample
        red, green, blue = self.means
        return _rescaled(sample, Rescale(1.0, (-red, -green, -blue)))


def _rescaled(sample: Sample, change: Rescale) -> Sample:
    image = LazyImage.of(sample["image"]).as_float()
    return sample | {"image": image.recolor(change)}
