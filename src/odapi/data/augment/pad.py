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
        check_color(self.color)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the padded sample."""
        height, width = transforms.size_of(sample)
        rows, columns = _below(self.max_height, rng), _below(self.max_width, rng)
        top, left = _below(rows, rng), _below(columns, rng)
        window = Window(-top, -left, height + rows, width + columns)
        return _padded(sample, window, self.color)


@dataclasses.dataclass(frozen=True)
class PadImage:
    """Pads the image to a random size, with the image at a random position.

    As in the original, maxima are excluded, unless they are the minimum, and so is the
    last position of an image with added rows or columns.

    Args:
        min_size: Minimum height and width; None means those of the image, which is
            never cropped.
        max_size: Maximum height and width; None means twice those of the image.
        color: Red, green and blue of the padding, 0..255; empty means the mean color
            of the image.
        center: Whether to put the image into the center.
    """

    min_size: tuple[int, int] | None = None
    max_size: tuple[int, int] | None = None
    color: tuple[float, ...] = ()
    center: bool = False

    def __post_init__(self):
        for name, size in (("min", self.min_size), ("max", self.max_size)):
            if size is not None and (len(size) != 2 or min(size) < 1):
                raise ValueError(
                    f"{name}_image_height and {name}_image_width must both be 1 or "
                    f"more, got {list(size)}"
                )
        check_color(self.color)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the padded sample."""
        size = transforms.size_of(sample)
        low = self.min_size or size
        high = self.max_size or (2 * size[0], 2 * size[1])
        return pad_between(sample, low, high, self.color, rng, self.center)


def pad_between(
    sample: Sample,
    low: tuple[int, int],
    high: tuple[int, int],
    color: tuple[float, ...],
    rng: np.random.Generator,
    center: bool = False,
) -> Sample:
    """Returns the sample padded to a random size between two; see `PadImage`."""
    size = transforms.size_of(sample)
    target = [
        _between(max(least, side), max(most, side), rng)
        for side, least, most in zip(size, low, high, strict=True)
    ]
    added = target[0] - size[0], target[1] - size[1]
    top, left = _below(added[0], rng), _below(added[1], rng)
    if center:
        top, left = added[0] // 2, added[1] // 2
    return _padded(sample, Window(-top, -left, *target), color)


@dataclasses.dataclass(frozen=True)
class PadToAspectRatio:
    """Pads with black at the bottom and right to an aspect ratio and a random size.

    Args:
        aspect_ratio: Width / height of the result.
        min_ratio, max_ratio: Range of the new height and width relative to the old
            ones. The aspect ratio takes precedence.
    """

    aspect_ratio: float = 1.0
    min_ratio: tuple[float, float] = (1.0, 1.0)
    max_ratio: tuple[float, float] = (2.0, 2.0)

    def __post_init__(self):
        if not self.aspect_ratio > 0:
            raise ValueError(f"aspect_ratio must be above 0, got {self.aspect_ratio}")
        check_ratios(self.min_ratio, self.max_ratio)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the padded sample."""
        size = np.array(transforms.size_of(sample), np.float64)
        height, width = size
        # The smallest size of this aspect ratio that contains the image.
        fit = np.array(
            [
                max(height, width / self.aspect_ratio),
                max(width, height * self.aspect_ratio),
            ]
        )
        high = float(np.min(np.maximum(size * self.max_ratio, fit) / fit))
        low = float(np.max(np.maximum(size * self.min_ratio, fit) / fit))
        low = min(low, high)
        rows, columns = np.rint(fit * rng.uniform(low, high)).astype(int).tolist()
        window = Window(0, 0, max(rows, int(height)), max(columns, int(width)))
        return _padded(sample, window, (0.0, 0.0, 0.0))


def _padded(sample: Sample, window: Window, color: tuple[float, ...]) -> Sample:
    """Returns the sample moved to a window; without a color, in its mean color."""
    if window == (0, 0, *transforms.size_of(sample)):
        return sample
    color = color or tuple(LazyImage.of(sample["image"]).mean().tolist())
    return transforms.move_to(sample, window, color)


def check_color(color: tuple[float, ...]) -> None:
    """Checks a color of padding, which may be empty.

    Raises:
        ValueError: It does not have three values.
    """
    if len(color) not in (0, 3):
        raise ValueError(
            f"pad_color needs the three values red, green and blue, got {list(color)}"
        )


def check_ratios(low: tuple[float, float], high: tuple[float, float]) -> None:
    """Checks the sizes of a padded image relative to the image.

    Raises:
        ValueError: They are not two positive numbers each.
    """
    for name, ratio in (("min", low), ("max", high)):
        if len(ratio) != 2 or not min(ratio) > 0:
            raise ValueError(
                f"{name}_padded_size_ratio needs two values above 0, of height and "
                f"width, got {list(ratio)}"
            )


def _between(low: int, high: int, rng: np.random.Generator) -> int:
    """Returns a random integer in [low, high); `high` if that is empty."""
    return int(rng.integers(low, high)) if high > low else high


def _below(bound: int, rng: np.random.Generator) -> int:
    """Returns a random integer in [0, bound); 0 if the bound is 0."""
    return int(rng.integers(bound)) if bound else 0
