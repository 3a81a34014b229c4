"""Mirroring and turning."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from odapi.data.augment import transforms
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class RandomFlip:
    """Mirrors or turns the picture, now and then.

    Args:
        probability: How often; 0 is never. (In the original, 0 is an error.)
        keypoint_permutation: For each keypoint, the one that takes its place, such
            as the left eye for the right eye; empty: none changes places.
    """

    probability: float = 0.5
    keypoint_permutation: tuple[int, ...] = ()

    # Of the permutation in the config, for messages.
    field: ClassVar[str]
    move: ClassVar[Callable[[Sample, Sequence[int]], Sample]]

    def __post_init__(self):
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in 0..1, got {self.probability}")
        order = self.keypoint_permutation
        if sorted(order) != list(range(len(order))):
            name = self.field.rpartition(".")[2]
            raise ValueError(
                f"{name} must hold each of 0..{len(order) - 1} once, got {list(order)}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, moved or not."""
        if rng.random() >= self.probability:
            return sample
        return self.moved(sample)

    def moved(self, sample: Sample) -> Sample:
        """Returns the sample, moved."""
        raise NotImplementedError


class HorizontalFlip(RandomFlip):
    """Mirrors left to right, now and then."""

    field = "random_horizontal_flip.keypoint_flip_permutation"

    def moved(self, sample: Sample) -> Sample:
        """Returns the sample, moved."""
        return transforms.flip(sample, self.keypoint_permutation)


class VerticalFlip(RandomFlip):
    """Mirrors top to bottom, now and then."""

    field = "random_vertical_flip.keypoint_flip_permutation"

    def moved(self, sample: Sample) -> Sample:
        """Returns the sample, moved."""
        return transforms.flip_rows(sample, self.keypoint_permutation)


class Rotation90(RandomFlip):
    """Turns counter-clockwise by 90 degrees, now and then."""

    field = "random_rotation90.keypoint_rot_permutation"

    def moved(self, sample: Sample) -> Sample:
        """Returns the sample, moved."""
        return transforms.turn(sample, self.keypoint_permutation)
