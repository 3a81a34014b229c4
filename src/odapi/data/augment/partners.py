"""Other samples of a dataset, for augmentations that combine several into one."""

import dataclasses
from collections.abc import Callable

import numpy as np

from odapi.data.sample import Sample
from odapi.data.sample_checks import InvalidSampleError
from odapi.errors import DataError

# Draws before the sample is combined with itself.
_ATTEMPTS = 20


def _ignore(error: DataError) -> None:
    pass


def _unchanged(height: int, width: int) -> tuple[int, int]:
    return height, width


@dataclasses.dataclass(frozen=True)
class Partners:
    """Random samples of the dataset, without augmentation.

    Args:
        read: Returns the sample with an index; raises DataError where it cannot.
        draw: Returns the index of a random sample.
        alone: The sample to combine with if no other one can be read.
        size: Returns the size that the model's resizer gives to an image of a height
            and a width. Combined images are rendered at this size, so that no pixel is
            computed twice; by default they keep their size.
        skipped: Called with the error of each sample that cannot be read.
    """

    read: Callable[[int], Sample]
    draw: Callable[[np.random.Generator], int]
    alone: Sample
    size: Callable[[int, int], tuple[int, int]] = _unchanged
    skipped: Callable[[DataError], None] = _ignore

    @classmethod
    def none(cls, sample: Sample) -> "Partners":
        """Returns the partners of the only sample of a dataset."""
        return cls(lambda _: sample, lambda _: 0, sample)

    def __call__(self, rng: np.random.Generator) -> Sample:
        """Returns a random sample; those that cannot be read are replaced."""
        for _ in range(_ATTEMPTS):
            try:
                return self.read(self.draw(rng))
            except InvalidSampleError:
                raise  # A mistake in the user's code, not damaged data.
            except DataError as error:
                self.skipped(error)
        return self.alone


@dataclasses.dataclass(frozen=True)
class Combination:
    """Base class of augmentations that combine the sample with others.

    Args:
        probability: Probability of combining.
    """

    probability: float = 1.0

    def __post_init__(self):
        check_share("probability", self.probability)

    def __call__(
        self,
        sample: Sample,
        rng: np.random.Generator,
        partners: Partners | None = None,
    ) -> Sample:
        """Returns the sample, combined or unchanged.

        Args:
            sample: The sample.
            rng: Source of random numbers, also for the selection of partners.
            partners: The others; None: the sample is combined with itself.
        """
        if rng.random() >= self.probability:
            return sample
        return self.combined(sample, rng, partners or Partners.none(sample))

    def combined(
        self, sample: Sample, rng: np.random.Generator, partners: Partners
    ) -> Sample:
        """Returns the combined sample."""
        raise NotImplementedError


def check_share(name: str, value: float) -> None:
    """Raises ValueError unless a value is in 0..1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in 0..1, got {value}")
