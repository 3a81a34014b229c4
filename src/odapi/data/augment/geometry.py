"""The geometric changes that augmentations are made of.

Each moves the picture, boxes, masks and keypoints alike. The picture only notes the
change (see `odapi.data.lazy`); boxes and keypoints, which cost nothing, are moved at
once. Masks wait with the picture.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from odapi.data import people
from odapi.data.keypoints import KEYPOINT_KEYS
from odapi.data.lazy import LazyImage
from odapi.data.sample import Sample, keep_objects


class Window(NamedTuple):
    """A part of a picture, in pixels; it may reach beyond the picture."""

    top: int
    left: int
    height: int
    width: int

    def box(self, height: int, width: int) -> np.ndarray:
        """Returns `[4]`: the window in a picture of this size, normalised."""
        ends = [self.top, self.left, self.top + self.height, self.left + self.width]
        return np.array(ends) / (height, width, height, width)


def size_of(sample: Sample) -> tuple[int, int]:
    """Returns height and width of the sample's picture, in pixels."""
    height, width = sample["image"].shape[:2]
    return height, width


def flip(sample: Sample, permutation: Sequence[int] = ()) -> Sample:
    """Returns the sample mirrored left to right.

    Args:
        sample: The sample.
        permutation: For each keypoint, the one that takes its place; empty: none
            changes places.
    """
    image = LazyImage.of(sample["image"]).flip_columns()
    return _moved(sample, image, lambda y, x: (y, 1 - x), permutation)


def flip_rows(sample: Sample, permutation: Sequence[int] = ()) -> Sample:
    """Returns the sample mirrored top to bottom; arguments as of `flip`."""
    image = LazyImage.of(sample["image"]).flip_rows()
    return _moved(sample, image, lambda y, x: (1 - y, x), permutation)


def turn(sample: Sample, permutation: Sequence[int] = ()) -> Sample:
    """Returns the sample turned counter-clockwise by 90 degrees; see `flip`."""
    image = LazyImage.of(sample["image"]).turn()
    turned = _moved(sample, image, lambda y, x: (1 - x, y), permutation)
    if "masks" in sample:  # They wait with the picture, whose source is transposed.
        turned["masks"] = sample["masks"].swapaxes(1, 2)
    return turned


def _moved(
    sample: Sample,
    image: LazyImage,
    move: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    permutation: Sequence[int],
) -> Sample:
    """Returns the sample with its points moved, whose sides stay sides."""
    moved = sample | {"image": image}
    if "boxes" in sample:
        y_min, x_min, y_max, x_max = sample["boxes"].T
        y, x = move(np.stack([y_min, y_max]), np.stack([x_min, x_max]))
        moved["boxes"] = np.stack([y.min(0), x.min(0), y.max(0), x.max(0)], axis=1)
    if "keypoints" in sample:
        points = move(sample["keypoints"][..., 0], sample["keypoints"][..., 1])
        moved["keypoints"] = np.stack(points, axis=-1)
    for key in KEYPOINT_KEYS:
        if key in moved:
            moved[key] = _permuted(moved[key], permutation)
    return moved | people.moved(sample, move)


def resize(sample: Sample, height: int, width: int) -> Sample:
    """Returns the sample with its picture scaled; normalised boxes do not change."""
    image = LazyImage.of(sample["image"])
    return sample | {"image": image.resize(height, width, centered=True)}


def move_to(
    sample: Sample, window: Window, fill: Sequence[float] = (0.0, 0.0, 0.0)
) -> Sample:
    """Returns the sample seen through a window; keeps every object.

    Args:
        sample: The sample.
        window: What is seen.
        fill: Colour of what lies outside the picture, 0..255.
    """
    image = LazyImage.of(sample["image"])
    height, width = image.shape[:2]
    moved = sample | {"image": image.window(*window, fill)}
    # New positions are `position * scale - shift`.
    scale = np.array([height / window.height, width / window.width])
    shift = np.array([window.top / window.height, window.left / window.width])
    if "boxes" in sample:
        boxes = sample["boxes"].reshape(-1, 2, 2) * scale - shift
        moved["boxes"] = boxes.reshape(-1, 4).astype(np.float32)
    if "keypoints" in sample:
        moved["keypoints"] = (sample["keypoints"] * scale - shift).astype(np.float32)
    return moved | people.rescaled(sample, scale, shift)


def drop_outside(sample: Sample, clip: bool = True) -> Sample:
    """Returns the sample without the objects of which nothing is in the picture.

    Args:
        sample: The sample.
        clip: Whether to cut boxes at the edges of the picture. Keypoints outside
            then become NaN, their visibility 0, and DensePose points are dropped.
    """
    boxes = sample.get("boxes")
    if boxes is None:
        return sample
    y_min, x_min, y_max, x_max = boxes.T
    inside = (y_min < 1) & (x_min < 1) & (y_max > 0) & (x_max > 0)
    if not inside.all():
        sample = keep_objects(sample, inside)
    if not clip:
        return sample
    sample = sample | {"boxes": np.clip(sample["boxes"], 0, 1)}
    sample = people.without_points_outside(sample)
    if "keypoints" in sample:
        keypoints = sample["keypoints"]
        seen = ((keypoints >= 0) & (keypoints <= 1)).all(axis=-1)  # NaN: False.
        nan = np.float32(np.nan)
        sample["keypoints"] = np.where(seen[..., None], keypoints, nan)
        if "keypoint_visibility" in sample:
            sample["keypoint_visibility"] = sample["keypoint_visibility"] * seen
    return sample


def covered_share(boxes: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Returns the share of each box's area that lies within a window.

    Args:
        boxes: `[..., n, 4]`.
        window: `[..., 4]`, in the same unit.

    Returns:
        `[..., n]` in [0, 1]; NaN for boxes without area.
    """
    sides = np.minimum(boxes[..., 2:], window[..., None, 2:])
    sides = sides - np.maximum(boxes[..., :2], window[..., None, :2])
    sides = np.maximum(sides, 0)
    common = sides[..., 0] * sides[..., 1]
    sides = boxes[..., 2:] - boxes[..., :2]
    area = sides[..., 0] * sides[..., 1]
    return np.divide(common, area, out=np.full_like(common, np.nan), where=area > 0)


def _permuted(values: np.ndarray, permutation: Sequence[int]) -> np.ndarray:
    if not len(permutation):
        return values
    if len(permutation) != values.shape[1]:
        raise ValueError(
            f"the permutation of keypoints has {len(permutation)} entries, objects "
            f"have {values.shape[1]} keypoints"
        )
    return values[:, list(permutation)]
