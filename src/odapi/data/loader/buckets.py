"""Size buckets: few shapes for images of many sizes, to limit compilation."""

import dataclasses
import math

import numpy as np

from odapi.data.image.resize import KeepAspectRatio, Resizer, fixed_size

# Sides of buckets are multiples of it, as the strides of models require.
_MULTIPLE = 32


@dataclasses.dataclass(frozen=True)
class Buckets:
    """The sizes that images are padded to.

    Each side is padded to the next of `sides`; beyond the last one, or if there are
    none, to the next of `steps` sides per doubling. Height and width are independent,
    so that elongated images are not padded to a square.

    Args:
        sides: Pixels, ascending.
        steps: Sides per doubling, 1 or more.
    """

    sides: tuple[int, ...] = ()
    steps: int = 4

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"steps must be 1 or more, got {self.steps}")
        if list(self.sides) != sorted(set(self.sides)):
            raise ValueError(f"sides must ascend, got {self.sides}")

    def __call__(self, height: int, width: int) -> tuple[int, int]:
        """Returns the bucket of an image size, in pixels.

        >>> Buckets((800, 1088, 1344))(800, 1067)
        (800, 1088)
        """
        return self._side(height), self._side(width)

    def _side(self, pixels: int) -> int:
        for side in self.sides:
            if pixels <= side:
                return side
        # Rounded, so that a power of two is not mapped to the next one.
        step = math.ceil(round(math.log2(max(pixels, 1)) * self.steps, 6))
        return _rounded_up(max(2 ** (step / self.steps), pixels))


def buckets_of(resizer: Resizer, count: int) -> Buckets | None:
    """Returns buckets for the output sizes of a resizer.

    Args:
        resizer: The image resizer.
        count: Number of sides between the bounds of a resizer that has bounds, else
            per doubling; 0 means no buckets.

    Returns:
        None if all images get one size or `count` is 0.
    """
    if count == 0 or fixed_size(resizer) is not None:
        return None
    if not isinstance(resizer, KeepAspectRatio):
        return Buckets(steps=count)
    sides = np.linspace(resizer.min_dimension, resizer.max_dimension, max(count, 2))
    return Buckets(tuple(sorted({_rounded_up(float(s)) for s in sides})), count)


def _rounded_up(pixels: float) -> int:
    return _MULTIPLE * math.ceil(round(pixels / _MULTIPLE, 6))
