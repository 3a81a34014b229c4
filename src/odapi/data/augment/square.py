"""Square crops of random scale: the augmentations of CenterNet and EfficientDet."""

import dataclasses
import math

import numpy as np

from odapi.data.augment import transforms
from odapi.data.augment.transforms import Window
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class SquareCropByScale:
    """Crops a square whose side is proportional to the longer side; padding is black.

    Args:
        max_border: Minimum distance of the square's center from the edges of the image,
            in pixels; halved until it fits into a small image.
        scale_min, scale_max: Range of the square relative to the longer side.
        num_scales: Number of equally spaced scales.

    Source: Zhou et al. 2019 (https://arxiv.org/abs/1904.07850), its augmentation.
    The original omits the image's last row and column; this does not.
    """

    max_border: int = 128
    scale_min: float = 0.6
    scale_max: float = 1.3
    num_scales: int = 8

    def __post_init__(self):
        if self.max_border < 1:
            raise ValueError(f"max_border must be 1 or more, got {self.max_border}")
        _check_scales(self.scale_min, self.scale_max)
        if self.num_scales < 1:
            raise ValueError(f"num_scales must be 1 or more, got {self.num_scales}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample as a square."""
        height, width = transforms.size_of(sample)
        scales = np.linspace(self.scale_min, self.scale_max, self.num_scales)
        side = max(int(rng.choice(scales) * max(height, width)), 1)
        top = self._center(height, rng) - side // 2
        left = self._center(width, rng) - side // 2
        moved = transforms.move_to(sample, Window(top, left, side, side))
        return transforms.drop_outside(moved)

    def _center(self, size: int, rng: np.random.Generator) -> int:
        # The border is halved until twice the border fits into the image.
        halvings = max(math.ceil(math.log2(2.0 * self.max_border / size)), 0)
        border = self.max_border // min(2**halvings, self.max_border)
        if 2 * border > size:
            return size // 2
        return int(rng.integers(border, size - border, endpoint=True))


@dataclasses.dataclass(frozen=True)
class ScaleCropPadToSquare:
    """Scales at random, then crops or pads with black to a square.

    Args:
        output_size: Side of the square, in pixels.
        scale_min, scale_max: Range of the longer side of the scaled image relative to
            `output_size`.

    Source: Tan et al. 2019 (https://arxiv.org/abs/1911.09070), scale jittering.
    """

    output_size: int = 512
    scale_min: float = 0.1
    scale_max: float = 2.0

    def __post_init__(self):
        if self.output_size < 1:
            raise ValueError(f"output_size must be 1 or more, got {self.output_size}")
        _check_scales(self.scale_min, self.scale_max)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample as a square."""
        height, width = transforms.size_of(sample)
        scale = rng.uniform(self.scale_min, self.scale_max) * self.output_size
        scale /= max(height, width)
        offsets = rng.random(2)
        top, rows, new_height = self._cut(height, scale, offsets[0])
        left, columns, new_width = self._cut(width, scale, offsets[1])
        # Cropped before scaling, so that only visible pixels are computed.
        sample = transforms.move_to(sample, Window(top, left, rows, columns))
        sample = transforms.resize(sample, new_height, new_width)
        square = Window(0, 0, self.output_size, self.output_size)
        return transforms.drop_outside(transforms.move_to(sample, square))

    def _cut(self, size: int, scale: float, offset: float) -> tuple[int, int, int]:
        """Returns the start, the number of pixels, and their number once scaled."""
        scaled = max(int(size * scale), 1)
        if scaled <= self.output_size:
            return 0, size, scaled
        taken = min(max(round(self.output_size * size / scaled), 1), size)
        return int((size - taken + 1) * offset), taken, self.output_size


def _check_scales(low: float, high: float) -> None:
    if not 0 < low <= high:
        raise ValueError(f"needs 0 < scale_min <= scale_max, got {low} and {high}")
