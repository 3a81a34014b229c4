"""Chains of augmentations, some of which end before the training does."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from odapi.data.augment.augmentation import Augmentation
from odapi.data.augment.partners import Combination, Partners
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class Closing:
    """An augmentation that is applied before a position of the order only.

    The position, not the number of batches so far, decides: a resumed training and
    data processes make the same batches.

    Args:
        augmentation: `(sample, rng) -> sample`.
        end: First position in the order of samples at which it is not applied.
    """

    augmentation: Augmentation
    end: int

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the augmented sample."""
        return self.augmentation(sample, rng)


def innermost(augmentation: Augmentation) -> Augmentation:
    """Returns the augmentation that a `Closing` holds, and any other as it is."""
    if isinstance(augmentation, Closing):
        return augmentation.augmentation
    return augmentation


def augment(
    sample: Sample,
    rng: np.random.Generator,
    augmentations: Iterable[Augmentation],
    position: int = 0,
    partners: Partners | None = None,
) -> Sample:
    """Returns the sample with augmentations applied, in order.

    Args:
        sample: One image with its annotations.
        rng: Source of random numbers.
        augmentations: Functions `(sample, rng) -> sample`.
        position: Of the sample in the order of the training; 0 closes nothing.
        partners: Other samples, for augmentations that combine several; None: the
            sample is combined with itself.
    """
    for augmentation in augmentations:
        if isinstance(augmentation, Closing) and position >= augmentation.end:
            continue
        step = innermost(augmentation)
        if isinstance(step, Combination):
            sample = step(sample, rng, partners)
        else:
            sample = step(sample, rng)
    return sample
