"""Random patches that hide parts of the image; objects under them stay annotated."""

import dataclasses
import math

import numpy as np

from odapi.data.augment.pixels import change_pixels
from odapi.data.image.noise import random_bytes
from odapi.data.sample import Sample

# Range of the aspect ratio of an erased rectangle.
_ASPECT_RATIO = (0.3, 1 / 0.3)


@dataclasses.dataclass(frozen=True)
class BlackPatches:
    """Sets square patches at random positions to black.

    Patches of less than a pixel change nothing. (In the original they are an error.)

    Args:
        max_patches: Number of patches that are tried.
        probability: Probability of each.
        size: Side of a patch relative to the shorter side of the image.
    """

    max_patches: int = 10
    probability: float = 0.5
    size: float = 0.1

    def __post_init__(self):
        if self.max_patches < 0:
            raise ValueError(
                f"max_black_patches must be 0 or more, got {self.max_patches}"
            )
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in 0..1, got {self.probability}")
        if not 0 <= self.size <= 1:
            raise ValueError(f"size_to_image_ratio must be in 0..1, got {self.size}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with black patches."""
        height, width = sample["image"].shape[:2]
        side = int(self.size * min(height, width))
        corners = []
        for _ in range(self.max_patches):
            if rng.random() > self.probability:
                continue
            y, x = rng.uniform(0, 1 - self.size), rng.uniform(0, 1 - self.size)
            corners.append((int(y * height), int(x * width)))
        if not corners or not side:
            return sample

        def blacken(image: np.ndarray) -> np.ndarray:
            for top, left in corners:
                image[top : top + side, left : left + side] = 0
            return image

        return change_pixels(sample, blacken, all_channels=True)


@dataclasses.dataclass(frozen=True)
class RandomErasing:
    """Fills random rectangles with random values, with a given probability.

    Args:
        probability: Probability; 0 means never.
        area: Range of the area of a rectangle relative to the image's.
        max_rectangles: Maximum number of rectangles; 1 to this number are drawn.

    Source: Zhong et al. 2017 (https://arxiv.org/abs/1708.04896), with random values
    per pixel and aspect ratios from 0.3 to 3.3.
    """

    probability: float = 0.5
    area: tuple[float, float] = (0.02, 0.2)
    max_rectangles: int = 1

    def __post_init__(self):
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in 0..1, got {self.probability}")
        low, high = self.area
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"needs 0 <= min_area <= max_area <= 1, got {low} and {high}"
            )
        if self.max_rectangles < 1:
            raise ValueError(
                f"max_rectangles must be 1 or more, got {self.max_rectangles}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with erased rectangles, or unchanged."""
        if rng.random() >= self.probability:
            return sample
        count = int(rng.integers(1, self.max_rectangles, endpoint=True))

        def erase(image: np.ndarray) -> np.ndarray:
            for _ in range(count):
                rows, columns = self.draw(image.shape[0], image.shape[1], rng)
                part = image[rows, columns]
                part[...] = random_bytes(part.shape, rng)
            return image

        return change_pixels(sample, erase, all_channels=True)

    def draw(
        self, height: int, width: int, rng: np.random.Generator
    ) -> tuple[slice, slice]:
        """Returns the rows and columns of a random rectangle in the image."""
        area = rng.uniform(*self.area) * height * width
        # Height / width, where neither exceeds the image's.
        low = max(_ASPECT_RATIO[0], area / width**2)
        high = min(_ASPECT_RATIO[1], height**2 / max(area, 1e-6))
        low, high = min(low, high), max(low, high)
        ratio = math.exp(rng.uniform(math.log(low), math.log(high)))
        rows = min(max(round(math.sqrt(area * ratio)), 1), height)
        columns = min(max(round(math.sqrt(area / ratio)), 1), width)
        top = int(rng.integers(0, height - rows, endpoint=True))
        left = int(rng.integers(0, width - columns, endpoint=True))
        return slice(top, top + rows), slice(left, left + columns)
