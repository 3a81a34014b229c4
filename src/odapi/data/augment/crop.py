"""Random crops that keep enough of the objects."""

import dataclasses
import math

import numpy as np

from odapi.data.augment import transforms
from odapi.data.augment.transforms import Window
from odapi.data.sample import Sample, keep_objects

_ATTEMPTS = 100
# One of the first usually fits: checking all of them would cost more.
_FIRST = 6


@dataclasses.dataclass(frozen=True)
class CropImage:
    """Crops a random window that covers enough of at least one object.

    Up to a hundred random windows are tried; if none covers enough, the image is not
    cropped. Objects with too small a remaining share are dropped.

    Args:
        min_object_covered: Minimum share of the area of one object that the window must
            cover. Without objects, the share of the image.
        aspect_ratio: Minimum and maximum width / height of the window, in pixels.
        area: Minimum and maximum share of the image's area.
        overlap_thresh: An object is kept if at least this share of its box is
            within the window.
        clip_boxes: Whether to clip boxes to the window. Keypoints outside then become
            NaN.
        random_coef: Probability of not cropping.

    Source: sample_distorted_bounding_box of TensorFlow, in NumPy. Unlike there, the
    last possible row and column of a window can be drawn, too.
    """

    min_object_covered: float = 1.0
    aspect_ratio: tuple[float, float] = (0.75, 1.33)
    area: tuple[float, float] = (0.1, 1.0)
    overlap_thresh: float = 0.3
    clip_boxes: bool = True
    random_coef: float = 0.0

    def __post_init__(self):
        for name in ("min_object_covered", "overlap_thresh", "random_coef"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in 0..1, got {value}")
        low, high = self.aspect_ratio
        if not 0 < low <= high:
            raise ValueError(
                f"needs 0 < min_aspect_ratio <= max_aspect_ratio, got {low} and {high}"
            )
        low, high = self.area
        if not 0 <= low <= high <= 1 or high == 0:
            raise ValueError(
                f"needs 0 <= min_area <= max_area <= 1, got {low} and {high}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, cropped or unchanged."""
        if self.random_coef and rng.random() <= self.random_coef:
            return sample
        window = self.draw(transforms.size_of(sample), sample["boxes"], rng)
        return crop_to(sample, window, self.overlap_thresh, self.clip_boxes)

    def draw(
        self, size: tuple[int, int], boxes: np.ndarray, rng: np.random.Generator
    ) -> Window:
        """Returns a random window.

        Args:
            size: Height and width of the image, in pixels.
            boxes: `[n, 4]`, normalized.
            rng: Source of random numbers.
        """
        boxes = np.clip(boxes, 0, 1) * np.array([*size, *size])
        if not len(boxes):
            boxes = np.array([[0.0, 0.0, *size]])
        sides = boxes[:, 2:] - boxes[:, :2]
        # Less than a pixel cannot be covered.
        boxes = boxes[sides[:, 0] * sides[:, 1] >= 1]
        for number in (_FIRST, _ATTEMPTS - _FIRST):
            draws = rng.random((number, 4)).tolist()
            windows = [w for w in (self._window(*size, c) for c in draws) if w]
            if not windows:
                continue
            top, left, height, width = np.array(windows, float).T
            edges = np.array([top, left, top + height, left + width])
            share = transforms.covered_share(boxes, edges.T)  # [windows, boxes]
            fits = np.any(share >= self.min_object_covered, axis=1)
            first = int(fits.argmax())
            if fits[first]:
                return windows[first]
        return Window(0, 0, *size)

    def _window(self, height: int, width: int, draws: list[float]) -> Window | None:
        """Returns the window given by four random numbers, or None if not allowed."""
        low, high = self.aspect_ratio
        ratio = low + draws[0] * (high - low)
        min_area, max_area = (
            self.area[0] * height * width,
            self.area[1] * height * width,
        )
        # Rows of the smallest and of the largest window of this aspect ratio.
        widest = int((width + 0.5 - 1e-7) / ratio)
        tallest = min(round(math.sqrt(max_area / ratio)), widest, height)
        lowest = min(round(math.sqrt(min_area / ratio)), tallest)
        rows = lowest + int(draws[1] * (tallest - lowest + 1))
        # Rounding to pixels can just miss the allowed area.
        if rows * round(rows * ratio) < min_area:
            rows += 1
        if rows * round(rows * ratio) > max_area:
            rows -= 1
        columns = round(rows * ratio)
        if not (0 < rows <= height and 0 < columns <= width):
            return None
        if not min_area <= rows * columns <= max_area:
            return None
        top = int(draws[2] * (height - rows + 1))
        left = int(draws[3] * (width - columns + 1))
        return Window(top, left, rows, columns)


@dataclasses.dataclass(frozen=True)
class CropToAspectRatio:
    """Crops the largest window of an aspect ratio, at a random position.

    Args:
        aspect_ratio: Width / height of the window.
        overlap_thresh: An object is kept if at least this share of its box is
            within the window.
        clip_boxes: Whether to clip boxes to the window. Keypoints outside then become
            NaN.
    """

    aspect_ratio: float = 1.0
    overlap_thresh: float = 0.3
    clip_boxes: bool = True

    def __post_init__(self):
        if not self.aspect_ratio > 0:
            raise ValueError(f"aspect_ratio must be above 0, got {self.aspect_ratio}")
        if not 0 <= self.overlap_thresh <= 1:
            raise ValueError(
                f"overlap_thresh must be in 0..1, got {self.overlap_thresh}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the cropped sample."""
        height, width = transforms.size_of(sample)
        rows = min(height, max(round(width / self.aspect_ratio), 1))
        columns = min(width, max(round(height * self.aspect_ratio), 1))
        top = int(rng.integers(height - rows + 1))
        left = int(rng.integers(width - columns + 1))
        window = Window(top, left, rows, columns)
        return crop_to(sample, window, self.overlap_thresh, self.clip_boxes)


def crop_to(
    sample: Sample, window: Window, overlap_thresh: float, clip_boxes: bool
) -> Sample:
    """Returns the sample cropped to a window, with the objects that lie enough in it.

    Args:
        sample: The sample.
        window: The window.
        overlap_thresh: An object is kept if at least this share of its box is
            within the window.
        clip_boxes: Whether to clip boxes to the window.
    """
    box = window.box(*transforms.size_of(sample))
    share = transforms.covered_share(sample["boxes"], box)
    keep = (share >= overlap_thresh) & (share > 0)  # NaN: False.
    if not keep.all():
        sample = keep_objects(sample, keep)
    return transforms.drop_outside(transforms.move_to(sample, window), clip_boxes)


def ssd_operation(share: float) -> CropImage:
    """Returns the crop of SSD that covers and keeps this share of an object."""
    return CropImage(
        min_object_covered=share,
        aspect_ratio=(0.5, 2.0),
        area=(0.1, 1.0),
        overlap_thresh=share,
        random_coef=0.15,
    )


@dataclasses.dataclass(frozen=True)
class SsdRandomCrop:
    """Crops by one of several operations, chosen at random per image.

    Args:
        operations: Equally likely; by default the seven of SSD, from unconstrained
            windows to windows that cover an object completely.

    Source: Liu et al. 2015 (https://arxiv.org/abs/1512.02325), section 2.2.
    """

    operations: tuple[CropImage, ...] = tuple(
        ssd_operation(share) for share in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    )

    def __post_init__(self):
        if not self.operations:
            raise ValueError("operations must not be empty")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, cropped or unchanged."""
        return self.operations[rng.integers(len(self.operations))](sample, rng)
