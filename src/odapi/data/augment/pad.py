"""Random padding."""

import dataclasses

import numpy as np

from odapi.data.augment import transforms
from odapi.data.augment.transforms import Window
from odapi.data.image.lazy import LazyImage
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class AbsolutePad:
    """Pads the image by a random number of pixels, at a random position.

    As in the original, the bounds are excluded: fewer rows and columns than the maximum
    are added, none by default, and the image never ends at the lower or right edge of
    an image with added rows or columns.

    Args:
        max_height, max_width: Bounds of the numbers of added rows and columns.
        color: Red, green and blue of the padding, 0..255; empty means the mean color
            of the image.
    """

    max_height: int = 1
    max_width: int = 1
    color: tuple[float, ...] = ()

    def __post_init__(self):
        if min(self.max_height, self.max_width) < 0:
            raise ValueError(
                "max_height_padding and max_width_padding must be 0 or more, got "
                f"{self.max_height} and {self.max_width}"
            )
        if len(self.color) not in (0, 3):
            raise ValueError(
                "pad_color needs the three values red, green and blue, got "
                f"{list(self.color)}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the padded sample."""
        height, width = transforms.size_of(sample)
        rows, columns = _below(self.max_height, rng), _below(self.max_width, rng)
        top, left = _below(rows, rng), _below(columns, rng)
        if not rows and not columns:
            return sample
        color = self.color or tuple(LazyImage.of(sample["image"]).mean().tolist())
        window = Window(-top, -left, height + rows, width + columns)
        return transforms.move_to(sample, window, color)


def _below(bound: int, rng: np.random.Generator) -> int:
    """Returns a random integer in [0, bound); 0 if the bound is 0."""
    return int(rng.integers(bound)) if bound else 0
