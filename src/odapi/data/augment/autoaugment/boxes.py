"""Boxes after the geometric operations of AutoAugment, as the original moves them.

They are truncated to whole pixels. Boxes that leave the image stay at its edge with a
twentieth of its size; whether their object is still visible is decided elsewhere.
"""

import numpy as np

# Side of a box that was moved out of the image, relative to the image's.
_LEAST = 0.05


def rotate(boxes: np.ndarray, size: tuple[int, int], degrees: float) -> np.ndarray:
    """Returns boxes `[n, 4]`, normalized, rotated counter-clockwise about the center.

    Args:
        boxes: `[n, 4]`, normalized.
        size: Height and width of the image.
        degrees: The angle.
    """
    height, width = size
    angle = np.radians(degrees)
    y_min, x_min, y_max, x_max = boxes.T.astype(np.float32)
    # From the center, y upwards.
    low_y, high_y = (-np.trunc(height * (y - np.float32(0.5))) for y in (y_min, y_max))
    low_x, high_x = (np.trunc(width * (x - np.float32(0.5))) for x in (x_min, x_max))
    y = np.array([low_y, low_y, high_y, high_y])
    x = np.array([low_x, high_x, low_x, high_x])
    new_y = np.trunc(np.cos(angle) * y + np.sin(angle) * x)
    new_x = np.trunc(-np.sin(angle) * y + np.cos(angle) * x)
    return _checked(
        -(new_y.max(axis=0) / height - 0.5),
        new_x.min(axis=0) / width + 0.5,
        -(new_y.min(axis=0) / height - 0.5),
        new_x.max(axis=0) / width + 0.5,
    )


def shear(
    boxes: np.ndarray, size: tuple[int, int], level: float, along_x: bool
) -> np.ndarray:
    """Returns boxes whose rows (or columns) are shifted by `-level` times their y (x).

    Args:
        boxes: `[n, 4]`, normalized.
        size: Height and width of the image.
        level: Shift per pixel.
        along_x: Whether rows are shifted.
    """
    height, width = size
    low_y, low_x, high_y, high_x = _pixels(boxes, size)
    y = np.array([low_y, low_y, high_y, high_y])
    x = np.array([low_x, high_x, low_x, high_x])
    if along_x:
        x = np.trunc(x - level * y)
    else:
        y = np.trunc(y - level * x)
    return _checked(
        y.min(axis=0) / height, x.min(axis=0) / width,
        y.max(axis=0) / height, x.max(axis=0) / width,
    )  # fmt: skip


def translate(
    boxes: np.ndarray, size: tuple[int, int], pixels: float, along_x: bool
) -> np.ndarray:
    """Returns boxes shifted to the left (or upwards) by a number of pixels.

    Args:
        boxes: `[n, 4]`, normalized.
        size: Height and width of the image.
        pixels: The shift, truncated to an integer.
        along_x: Whether to shift to the left.
    """
    height, width = size
    low_y, low_x, high_y, high_x = _pixels(boxes, size)
    if along_x:
        low_x = np.maximum(0, low_x - int(pixels))
        high_x = np.minimum(width, high_x - int(pixels))
    else:
        low_y = np.maximum(0, low_y - int(pixels))
        high_y = np.minimum(height, high_y - int(pixels))
    return _checked(low_y / height, low_x / width, high_y / height, high_x / width)


def _pixels(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    scale = np.tile(np.array(size, np.float32), 2)
    return np.trunc(boxes.astype(np.float32) * scale).T


def _checked(
    y_min: np.ndarray, x_min: np.ndarray, y_max: np.ndarray, x_max: np.ndarray
) -> np.ndarray:
    """Returns boxes `[n, 4]` clipped to the image, none of them without area at 0."""
    y_min, x_min, y_max, x_max = np.clip([y_min, x_min, y_max, x_max], 0, 1)
    y_min, y_max = _with_extent(y_min, y_max)
    x_min, x_max = _with_extent(x_min, x_max)
    return np.stack([y_min, x_min, y_max, x_max], axis=1).astype(np.float32)


def _with_extent(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    empty = low == high
    grown, lowered = np.maximum(high, _LEAST), np.minimum(low, 1 - _LEAST)
    return np.where(empty, lowered, low), np.where(empty, grown, high)
