"""Geometric transforms of samples, the building blocks of augmentations.

Each applies to the image, boxes, masks and keypoints. Coordinates are transformed
immediately; the image and masks only record the change (see `odapi.data.image.lazy`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from odapi.data.densepose import drop_points_outside
from odapi.data.image.lazy import LazyImage
from odapi.data.positions import Move, moved_positions, scaled_positions
from odapi.data.sample import Sample, keep_objects
from odapi.fields import per_keypoint
from odapi.geometry.overlap import area, overlap_area
from odapi.wording import counted


class Window(NamedTuple):
    """A rectangle of an image, in pixels; it may extend beyond the image."""

    top: int
    left: int
    height: int
    width: int

    def box(self, height: int, width: int) -> np.ndarray:
        """Returns the window `[4]`, normalized to an image of this size."""
        ends = [self.top, self.left, self.top + self.height, self.left + self.width]
        return np.array(ends) / (height, width, height, width)


def size_of(sample: Sample) -> tuple[int, int]:
    """Returns the height and width of the sample's image, in pixels."""
    height, width = sample["image"].shape[:2]
    return height, width


def flip(sample: Sample, permutation: Sequence[int] = ()) -> Sample:
    """Returns the sample flipped left to right.

    Args:
        sample: The sample.
        permutation: For each keypoint, the index of the one that replaces it; empty: no
            change.
    """
    image = LazyImage.of(sample["image"]).flip_columns()
    return _moved(sample, image, lambda y, x: (y, 1 - x), permutation)


def flip_rows(sample: Sample, permutation: Sequence[int] = ()) -> Sample:
    """Returns the sample flipped top to bottom; arguments as of `flip`."""
    image = LazyImage.of(sample["image"]).flip_rows()
    return _moved(sample, image, lambda y, x: (1 - y, x), permutation)


def rotate90(sample: Sample, permutation: Sequence[int] = ()) -> Sample:
    """Returns the sample rotated counter-clockwise by 90 degrees; see `flip`."""
    image = LazyImage.of(sample["image"]).rotate90()
    rotated = _moved(sample, image, lambda y, x: (1 - x, y), permutation)
    if "masks" in sample:  # Still those of the source, which is transposed.
        rotated["masks"] = sample["masks"].swapaxes(1, 2)
    return rotated


def _moved(
    sample: Sample,
    image: LazyImage,
    move: Move,
    permutation: Sequence[int],
) -> Sample:
    """Returns the sample with its coordinates moved and its keypoints permuted."""
    moved = sample | moved_positions(sample, move) | {"image": image}
    for key in per_keypoint():
        if key in moved:
            moved[key] = _permuted(moved[key], permutation)
    return moved


def resize(sample: Sample, height: int, width: int) -> Sample:
    """Returns the sample with its image scaled; coordinates are normalized."""
    image = LazyImage.of(sample["image"])
    return sample | {"image": image.resize(height, width, centered=True)}


def move_to(
    sample: Sample, window: Window, fill: Sequence[float] = (0.0, 0.0, 0.0)
) -> Sample:
    """Returns the sample cropped or padded to a window; keeps every object.

    Args:
        sample: The sample.
        window: The visible part.
        fill: Color outside the image, 0..255.
    """
    image = LazyImage.of(sample["image"])
    rows, columns, _ = image.shape
    top, left, height, width = window
    return _placed(
        sample,
        image.window(*window, fill),
        (rows / height, columns / width),
        (top / height, left / width),
    )


def _placed(
    sample: Sample,
    image: LazyImage,
    scale: tuple[float, float],
    shift: tuple[float, float],
) -> Sample:
    """Returns the sample with positions `position * scale - shift`, each (y, x)."""
    return sample | scaled_positions(sample, scale, shift) | {"image": image}


def to_grid(sample: Sample, height: int, width: int) -> Sample:
    """Returns a cropped sample with its crop shifted by a fraction of a pixel.

    Resizers read at `i * scale`, so the image starts with its first pixel. Shifted by
    `(scale - 1) / 2` pixels, the grid is centered, which OpenCV computes twice as fast
    as any other. For a random crop this is an equally valid position. Boxes are
    shifted, too.

    Args:
        sample: The sample. Uncropped, padded and scaled images are not changed.
        height, width: Size that it will be resized to.
    """
    image = sample["image"]
    if not isinstance(image, LazyImage) or not image.is_crop:
        return sample
    rows, columns, _ = image.shape
    down, right = (rows / height - 1) / 2, (columns / width - 1) / 2
    shift = (down / rows, right / columns)
    moved = _placed(sample, image.shift(down, right), (1.0, 1.0), shift)
    boxes = sample.get("boxes", np.zeros((0, 4)))
    # Boxes beyond the image were kept there on purpose.
    return drop_outside(moved, clip=bool(((boxes >= 0) & (boxes <= 1)).all()))


def drop_outside(sample: Sample, clip: bool = True) -> Sample:
    """Returns the sample without the objects that lie outside the image.

    Args:
        sample: The sample.
        clip: Whether to clip boxes to the image. Keypoints outside then become NaN,
            their visibility 0, and DensePose points outside are dropped.
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
    return hide_points_outside(sample | {"boxes": np.clip(sample["boxes"], 0, 1)})


def hide_points_outside(sample: Sample) -> Sample:
    """Returns the sample without the points that lie outside the image.

    Keypoints become NaN, their visibility 0, and DensePose points are dropped.
    """
    sample = drop_points_outside(sample)
    if "keypoints" not in sample:
        return sample
    keypoints = sample["keypoints"]
    visible = ((keypoints >= 0) & (keypoints <= 1)).all(axis=-1)  # NaN: False.
    nan = np.float32(np.nan)
    hidden = {"keypoints": np.where(visible[..., None], keypoints, nan)}
    if "keypoint_visibility" in sample:
        hidden["keypoint_visibility"] = sample["keypoint_visibility"] * visible
    return sample | hidden


def covered_share(boxes: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Returns the share of each box's area that lies within a window.

    Args:
        boxes: `[..., n, 4]`.
        window: `[..., 4]`, in the same unit.

    Returns:
        `[..., n]` in [0, 1]; NaN for boxes without area.
    """
    areas = area(boxes)
    common = overlap_area(boxes, window[..., None, :])
    return common / np.where(areas > 0, areas, np.nan)


def _permuted(values: np.ndarray, permutation: Sequence[int]) -> np.ndarray:
    if not len(permutation):
        return values
    if len(permutation) != values.shape[1]:
        raise ValueError(
            f"the permutation of keypoints has "
            f"{counted(len(permutation), 'entry', 'entries')}, objects "
            f"have {counted(values.shape[1], 'keypoint')}"
        )
    return values[:, list(permutation)]
