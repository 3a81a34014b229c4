"""Random noise on the pixels of the image, or of a patch of it."""

import dataclasses

import numpy as np

from odapi.data.augment.pixels import change_pixels
from odapi.data.image.noise import add_gaussian, scale_values
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class PixelValueScale:
    """Multiplies each value of the image by its own random factor.

    Args:
        minimum, maximum: Range of the factor.
    """

    minimum: float = 0.9
    maximum: float = 1.1

    def __post_init__(self):
        if not 0 <= self.minimum <= self.maximum:
            raise ValueError(
                f"needs 0 <= minval <= maxval, got {self.minimum} and {self.maximum}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with changed values."""
        return change_pixels(
            sample, lambda image: scale_values(image, self.minimum, self.maximum, rng)
        )


@dataclasses.dataclass(frozen=True)
class PatchGaussian:
    """Adds normal noise to a square patch at a random position.

    Args:
        random_coef: Probability of not changing the image.
        size: Range of the patch's side in pixels; as in the original, the maximum is
            excluded. The patch is cut at the edge of the image.
        stddev: Range of the standard deviation, as a fraction of 255.

    Source: Lopes et al. 2019 (https://arxiv.org/abs/1906.02611).
    """

    random_coef: float = 0.0
    size: tuple[int, int] = (1, 250)
    stddev: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self):
        if not 0 <= self.random_coef <= 1:
            raise ValueError(f"random_coef must be in 0..1, got {self.random_coef}")
        low, high = self.size
        if not 1 <= low <= high:
            raise ValueError(
                f"needs 1 <= min_patch_size <= max_patch_size, got {low} and {high}"
            )
        lowest, highest = self.stddev
        if not 0 <= lowest <= highest:
            raise ValueError(
                "needs 0 <= min_gaussian_stddev <= max_gaussian_stddev, got "
                f"{lowest} and {highest}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with a noisy patch, or unchanged."""
        if rng.random() < self.random_coef:
            return sample
        side = int(rng.integers(self.size[0], max(self.size[1], self.size[0] + 1)))
        stddev = 255.0 * rng.uniform(*self.stddev)
        height, width = sample["image"].shape[:2]
        top = int(rng.integers(0, height)) - side // 2
        left = int(rng.integers(0, width)) - side // 2
        rows = slice(max(top, 0), top + side)
        columns = slice(max(left, 0), left + side)

        def add(image: np.ndarray) -> np.ndarray:
            image[rows, columns] = add_gaussian(image[rows, columns], stddev, rng)
            return image

        return change_pixels(sample, add)


@dataclasses.dataclass(frozen=True)
class RandomNoise:
    """Adds normal noise to the whole image with a given probability.

    Args:
        probability: Probability; 0 means never.
        max_stddev: Maximum standard deviation, as a fraction of 255.
    """

    probability: float = 0.1
    max_stddev: float = 0.05

    def __post_init__(self):
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in 0..1, got {self.probability}")
        if not self.max_stddev >= 0:
            raise ValueError(f"max_stddev must be 0 or more, got {self.max_stddev}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, noisy or unchanged."""
        if rng.random() >= self.probability:
            return sample
        stddev = 255.0 * rng.uniform(0.0, self.max_stddev)
        return change_pixels(sample, lambda image: add_gaussian(image, stddev, rng))
