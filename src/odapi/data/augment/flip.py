"""Mirroring."""

import dataclasses

import numpy as np

from odapi.data.augment import geometry
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class HorizontalFlip:
    """Mirrors left to right, now and then.

    Args:
        probability: How often; 0 is never. (In the original, 0 is an error.)
        keypoint_permutation: For each keypoint, the one that takes its place, such
            as the left eye for the right eye; empty: none changes places.
    """

    probability: float = 0.5
    keypoint_permutation: tuple[int, ...] = ()

    def __post_init__(self):
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in 0..1, got {self.probability}")
        order = self.keypoint_permutation
        if sorted(order) != list(range(len(order))):
            raise ValueError(
                f"keypoint_flip_permutation must hold each of 0..{len(order) - 1} "
                f"once, got {list(order)}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, mirrored or not."""
        if rng.random() >= self.probability:
            return sample
        return geometry.flip(sample, self.keypoint_permutation)
