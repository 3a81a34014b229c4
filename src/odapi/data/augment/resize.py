"""Changes of the image's resolution; normalized coordinates do not change.

The image is rendered where it shrinks, so that lost detail stays lost. Enlarging is
recorded and joined with the changes that follow.
"""

import dataclasses
import math

import numpy as np

from odapi.data.augment import transforms
from odapi.data.augment.transforms import Window
from odapi.data.image.lazy import LazyImage
from odapi.data.image.lazy_masks import sampled_masks
from odapi.data.image.resize import (
    METHODS,
    ConditionalShape,
    FixedShape,
    Identity,
    KeepAspectRatio,
    Method,
    PadToMultiple,
    placed_on_grid,
    resized_pixels,
)
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class Resize:
    """Resizes, and pads at the bottom and right, as an image resizer does.

    With the resizers these are the functions of the TF Object Detection API:

        resize_image                `Resize(FixedShape(height, width))`
        resize_to_range             `Resize(KeepAspectRatio(min, max))`
        resize_to_max_dimension     `Resize(ConditionalShape("greater", size))`
        resize_to_min_dimension     `Resize(ConditionalShape("smaller", size))`
        resize_pad_to_multiple      `Resize(PadToMultiple(multiple))`

    As in the original, the corner pixels stay in the third and fourth: pixel `i` reads
    the old image at `i * (old size - 1) / (new size - 1)`.

    Args:
        resizer: One of `odapi.data.image.resize`, without `grayscale`.
    """

    resizer: FixedShape | KeepAspectRatio | ConditionalShape | PadToMultiple | Identity

    def __post_init__(self):
        if self.resizer.grayscale:
            raise ValueError("grayscale is only possible in the model's image_resizer")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the resized and padded sample."""
        size = transforms.size_of(sample)
        true, padded = self.resizer.true_size(*size), self.resizer.output_size(*size)
        sample = resized(sample, *true, self.resizer.method, self.resizer.keeps_corners)
        if true == padded:
            return sample
        color = self.resizer.pad_value or (0.0, 0.0, 0.0)
        return transforms.move_to(sample, Window(0, 0, *padded), color)


@dataclasses.dataclass(frozen=True)
class ResizeByRandomMethod:
    """Resizes to a fixed size, by one of the four interpolation methods at random.

    Args:
        height, width: Pixels.
    """

    height: int
    width: int

    def __post_init__(self):
        if min(self.height, self.width) < 1:
            raise ValueError(
                "target_height and target_width must be 1 or more, got "
                f"{self.height} and {self.width}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the resized sample."""
        method = METHODS[rng.integers(len(METHODS))]
        return resized(sample, self.height, self.width, method)


@dataclasses.dataclass(frozen=True)
class ImageScale:
    """Scales the image by a random factor, keeping its aspect ratio.

    As in the original, the corner pixels stay: pixel `i` reads the old image at
    `i * (old size - 1) / (new size - 1)`.

    Args:
        min_scale, max_scale: Range of the factor.
    """

    min_scale: float = 0.5
    max_scale: float = 2.0

    def __post_init__(self):
        if not 0 < self.min_scale <= self.max_scale:
            raise ValueError(
                "needs 0 < min_scale_ratio <= max_scale_ratio, got "
                f"{self.min_scale} and {self.max_scale}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the scaled sample."""
        scale = rng.uniform(self.min_scale, self.max_scale)
        height, width = (
            max(int(side * scale), 1) for side in transforms.size_of(sample)
        )
        return resized(sample, height, width, keeps_corners=True)


@dataclasses.dataclass(frozen=True)
class DownscaleToPixels:
    """Shrinks the image to a random number of pixels; smaller images stay.

    Args:
        min_pixels, max_pixels: Range of the number; the maximum is excluded, as in
            the original.
        random_coef: Probability of not shrinking.
    """

    min_pixels: int = 300_000
    max_pixels: int = 800_000
    random_coef: float = 0.0

    def __post_init__(self):
        if not 1 <= self.min_pixels <= self.max_pixels:
            raise ValueError(
                "needs 1 <= min_target_pixels <= max_target_pixels, got "
                f"{self.min_pixels} and {self.max_pixels}"
            )
        if not 0 <= self.random_coef <= 1:
            raise ValueError(f"random_coef must be in 0..1, got {self.random_coef}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, shrunk or unchanged."""
        stays = rng.random() < self.random_coef
        pixels = self.min_pixels
        if self.max_pixels > pixels:
            pixels = int(rng.integers(pixels, self.max_pixels))
        height, width = transforms.size_of(sample)
        if stays or pixels >= height * width:
            return sample
        scale = math.sqrt(pixels / (height * width))
        return resized(sample, max(int(height * scale), 1), max(int(width * scale), 1))


def resized(
    sample: Sample,
    height: int,
    width: int,
    method: Method = "bilinear",
    keeps_corners: bool = False,
) -> Sample:
    """Returns the sample with its image resized, sampled as in the resizers.

    Args:
        sample: The sample.
        height, width: The new size.
        method: Interpolation; masks are always sampled by nearest neighbor.
        keeps_corners: Whether the corner pixels stay.
    """
    image = LazyImage.of(sample["image"])
    rows, columns, _ = image.shape
    if (rows, columns) == (height, width):
        return sample
    placed = placed_on_grid(image, height, width, keeps_corners)
    if method == "bilinear" and height >= rows and width >= columns:
        return sample | {"image": placed}
    pixels = resized_pixels(image, height, width, method, keeps_corners)
    sample = sample | {"image": pixels}
    if "masks" in sample:
        sample["masks"] = sampled_masks(sample["masks"], placed.rows, placed.columns)
    return sample
