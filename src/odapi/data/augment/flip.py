"""Random flips, and rotation by 90 degrees."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from odapi.data.augment import transforms
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class RandomFlip:
    """Flips or rotates the image with a given probability.

    Args:
        probability: Probability; 0 means never. (In the original, 0 is an error.)
        keypoint_permutation: For each keypoint, the index of the one that replaces it,
            such as the left eye for the right eye; empty: no change.
    """

    probability: float = 0.5
    keypoint_permutation: tuple[int, ...] = ()

    # Name of the permutation in the config, for messages.
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
        """Returns the sample, transformed or unchanged."""
        if rng.random() >= self.probability:
            return sample
        return self.transformed(sample)

    def transformed(self, sample: Sample) -> Sample:
        """Returns the transformed sample."""
        raise NotImplementedError


class HorizontalFlip(RandomFlip):
    """Flips left to right with a given probability."""

    field = "random_horizontal_flip.keypoint_flip_permutation"

    def transformed(self, sample: Sample) -> Sample:
        """Returns the transformed sample."""
        return transforms.flip(sample, self.keypoint_permutation)


class VerticalFlip(RandomFlip):
    """Flips top to bottom with a given probability."""

    field = "random_vertical_flip.keypoint_flip_permutation"

    def transformed(self, sample: Sample) -> Sample:
        """Returns the transformed sample."""
        return transforms.flip_rows(sample, self.keypoint_permutation)


class Rotation90(RandomFlip):
    """Rotates counter-clockwise by 90 degrees with a given probability."""

    field = "random_rotation90.keypoint_rot_permutation"

    def transformed(self, sample: Sample) -> Sample:
        """Returns the transformed sample."""
        return transforms.rotate90(sample, self.keypoint_permutation)
