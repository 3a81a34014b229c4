"""Random rotation, scale, shear, translation and perspective in one warp."""

import dataclasses

import numpy as np

from odapi.data.augment import transforms
from odapi.data.augment.warping import warp_sample
from odapi.data.image.homography import about, rotated, shifted
from odapi.data.sample import Sample, keep_objects


@dataclasses.dataclass(frozen=True)
class RandomPerspective:
    """Warps the image about its center, with a given probability; its size stays.

    The new box of an object is that of its mask, or of the corners of the old box if it
    has none. The outside is gray.

    Args:
        probability: Probability; 0 means never.
        max_rotation, max_shear: Maximum absolute angles, in degrees; shear along both
            axes.
        scale: Range of the scale.
        max_translation: Maximum absolute shift along each axis, relative to the
            image's size.
        max_perspective: Maximum absolute perspective coefficient: the change of the
            denominator over the width and the height of the image.
        overlap_thresh: An object is kept if at least this share of its box stays in
            the image.
    """

    probability: float = 1.0
    max_rotation: float = 0.0
    max_shear: float = 0.0
    scale: tuple[float, float] = (0.5, 1.5)
    max_translation: float = 0.1
    max_perspective: float = 0.0
    overlap_thresh: float = 0.3

    def __post_init__(self):
        for name in ("probability", "overlap_thresh"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in 0..1, got {value}")
        limits = {"max_rotation": 180, "max_shear": 80, "max_translation": 1}
        for name, limit in limits.items():
            if not 0 <= getattr(self, name) <= limit:
                raise ValueError(
                    f"{name} must be in 0..{limit}, got {getattr(self, name)}"
                )
        # The denominator stays positive everywhere in the image.
        if not 0 <= self.max_perspective < 1:
            raise ValueError(
                "max_perspective must be 0 or more and below 1, got "
                f"{self.max_perspective}"
            )
        low, high = self.scale
        if not 0 < low <= high:
            raise ValueError(f"needs 0 < min_scale <= max_scale, got {low} and {high}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, warped or unchanged."""
        if rng.random() >= self.probability:
            return sample
        matrix = self.draw(transforms.size_of(sample), rng)
        moved, share = warp_sample(sample, matrix)
        keep = (share >= self.overlap_thresh) & (share > 0)
        if not keep.all():
            moved = keep_objects(moved, keep)
        return transforms.drop_outside(moved)

    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """Returns a random map of positions, for an image of this height and width."""
        height, width = size
        angle = rng.uniform(-self.max_rotation, self.max_rotation)
        scale = rng.uniform(*self.scale)
        shear_x, shear_y = np.tan(
            np.radians([self._symmetric(self.max_shear, rng) for _ in range(2)])
        )
        right, down = (self._symmetric(self.max_translation, rng) for _ in range(2))
        tilt_x, tilt_y = (self._symmetric(self.max_perspective, rng) for _ in range(2))
        shear = np.array([[1.0, shear_x, 0.0], [shear_y, 1.0, 0.0], [0.0, 0.0, 1.0]])
        perspective = np.eye(3)
        perspective[2, :2] = tilt_x / width, tilt_y / height
        matrix = shear @ rotated(angle) @ np.diag([scale, scale, 1.0]) @ perspective
        center = (width / 2, height / 2)
        return shifted(right * width, down * height) @ about(center, matrix)

    @staticmethod
    def _symmetric(limit: float, rng: np.random.Generator) -> float:
        return rng.uniform(-limit, limit)
