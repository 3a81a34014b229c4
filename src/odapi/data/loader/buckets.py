"""Few sizes for pictures of many sizes, so that models are compiled few times."""

import dataclasses
import math

import numpy as np

from odapi.data.image.resize import KeepAspectRatio, Resizer, fixed_size

# Sides of buckets are multiples of it: strides of models divide them.
_MULTIPLE = 32


@dataclasses.dataclass(frozen=True)
class Buckets:
    """Sizes to pad pictures to.

    Each side grows to the next of `sides`; beyond the last of them, and where there
    are none, to the next of `steps` sides for each doubling. Long pictures then get
    a long size, and not a square that is empty by half.

    Args:
        sides: Pixels, ascending.
        steps: Sides for each doubling, 1 or more.
    """

    sides: tuple[int, ...] = ()
    steps: int = 4

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"steps must be 1 or more, got {self.steps}")
        if list(self.sides) != sorted(set(self.sides)):
            raise ValueError(f"sides must ascend, got {self.sides}")

    def __call__(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of the bucket of a picture, in pixels.

        >>> Buckets((800, 1088, 1344))(800, 1067)
        (800, 1088)
        """
        return self._side(height), self._side(width)

    def _side(self, pixels: int) -> int:
        for side in self.sides:
            if pixels <= side:
                return side
        # Rounded, so that a power of two is not taken for the one after it.
        step = math.ceil(round(math.log2(max(pixels, 1)) * self.steps, 6))
        return _rounded_up(max(2 ** (step / self.steps), pixels))


def buckets_of(resizer: Resizer, count: int) -> Buckets | None:
    """Returns the buckets that suit what a resizer makes.

    Args:
        resizer: Sets the size of the pictures.
        count: Sides between the shortest and the longest of a resizer that keeps
            within bounds, else for each doubling; 0: no buckets.

    Returns:
        None where all pictures get one size, or there are to be no buckets.
    """
    if count == 0 or fixed_size(resizer) is not None:
        return None
    if not isinstance(resizer, KeepAspectRatio):
        return Buckets(steps=count)
    sides = np.linspace(resizer.min_dimension, resizer.max_dimension, max(count, 2))
    return Buckets(tuple(sorted({_rounded_up(float(s)) for s in sides})), count)


def _rounded_up(pixels: float) -> int:
    return _MULTIPLE * math.ceil(round(pixels / _MULTIPLE, 6))
