"""Random changes of boxes alone."""

import dataclasses
from typing import Literal, get_args

import numpy as np

from odapi.data.sample import Sample

Mode = Literal[
    "default",
    "expand",
    "shrink",
    "expand_symmetric",
    "shrink_symmetric",
    "expand_symmetric_xy",
    "shrink_symmetric_xy",
]

# Minimum side of a jittered box.
_MIN_SIDE = 1e-6


@dataclasses.dataclass(frozen=True)
class JitterBoxes:
    """Moves the sides of boxes at random; image, masks and keypoints stay.

    Each side moves by a random fraction of half the height or width. Symmetric modes
    move opposite sides by the same fraction, so that the center stays, and those with
    "xy" all four sides; a symmetric expansion ends where one side reaches the edge of
    the image. Other boxes are clipped to the image.

    Args:
        ratio: Maximum fraction.
        mode: Direction: "default" is both; "expand" and "shrink", with or without
            "_symmetric" and "_symmetric_xy".
    """

    ratio: float = 0.05
    mode: Mode = "default"

    def __post_init__(self):
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {get_args(Mode)}, got {self.mode!r}")
        high = float("inf") if self.mode.startswith("expand") else 1.0
        if not 0 <= self.ratio <= high:
            raise ValueError(
                f"ratio must be 0 or more, and at most 1 unless boxes expand, got "
                f"{self.ratio}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with changed boxes."""
        boxes = sample["boxes"]
        symmetric = "symmetric" in self.mode
        low = 0.0 if self.mode.startswith("expand") else -self.ratio
        high = 0.0 if self.mode.startswith("shrink") else self.ratio
        drawn = rng.uniform(low, high, (len(boxes), 2 if symmetric else 4))
        if self.mode.endswith("xy"):
            drawn = drawn[:, [0, 0]]
        center = (boxes[:, :2] + boxes[:, 2:]) / 2
        half = np.maximum(boxes[:, 2:] - boxes[:, :2], _MIN_SIDE) / 2
        if symmetric:
            drawn = self._within_image(drawn, center, half)
            drawn = np.concatenate([drawn, drawn], axis=1)
        lower = center - half * (1 + drawn[:, :2])
        upper = center + half * (1 + drawn[:, 2:])
        jittered = np.clip(np.concatenate([lower, upper], axis=1), 0, 1)
        return sample | {"boxes": jittered.astype(np.float32)}

    def _within_image(
        self, drawn: np.ndarray, center: np.ndarray, half: np.ndarray
    ) -> np.ndarray:
        """Returns the fractions, limited so that no side leaves the image."""
        limit = np.maximum(np.minimum(center, 1 - center) / half - 1, 0)
        if self.mode.endswith("xy"):
            limit = limit.min(axis=1, keepdims=True)
        return np.minimum(drawn, limit)
