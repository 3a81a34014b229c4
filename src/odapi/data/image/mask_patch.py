"""Masks that are stored as the rectangle around their object."""

import dataclasses

import cv2
import numpy as np

from odapi.data.image.homography import move, shifted, warp_image


@dataclasses.dataclass(frozen=True, eq=False)
class MaskPatch:
    """A mask of which only a rectangle is stored; a call returns the whole.

    Args:
        pixels: uint8 `[h, w]` in {0, 1}.
        top, left: Position of its first pixel.
        size: Height and width of the whole mask.
    """

    pixels: np.ndarray
    top: int
    left: int
    size: tuple[int, int]

    def __call__(self) -> np.ndarray:
        """Returns the whole mask, uint8 `[h, w]` in {0, 1}."""
        whole = np.zeros(self.size, np.uint8)
        height, width = self.pixels.shape
        whole[self.top : self.top + height, self.left : self.left + width] = self.pixels
        return whole

    def box(self) -> np.ndarray | None:
        """Returns the box of the mask `[4]` in pixels, or None if it is empty."""
        left, top, width, height = cv2.boundingRect(self.pixels)
        if not width:
            return None
        top, left = top + self.top, left + self.left
        return np.array([top, left, top + height, left + width], float)


def warp_mask(
    mask: np.ndarray, matrix: np.ndarray
) -> tuple[MaskPatch, np.ndarray] | None:
    """Returns a mask after a map of the image, and the extent of the whole object.

    Only the pixels around the object are computed.

    Args:
        mask: uint8 `[h, w]` in {0, 1}.
        matrix: The map, see `homography`.

    Returns:
        The visible part of the mask, which may be empty, and the box `[4]` in pixels
        of all its pixels, also of those outside of the image. None if the mask is
        empty.
    """
    left, top, width, height = cv2.boundingRect(mask)
    if not width:
        return None
    pixels = np.ascontiguousarray(mask[top : top + height, left : left + width])
    matrix = matrix @ shifted(left, top)
    (x_min, y_min), (x_max, y_max) = _extent(pixels, matrix)
    rows, columns = mask.shape
    low_y, high_y = _range(y_min, y_max, rows)
    low_x, high_x = _range(x_min, x_max, columns)
    size = (high_y - low_y, high_x - low_x)
    if not all(size):
        warped = np.zeros((0, 0), np.uint8)
    else:
        shift = shifted(-low_x, -low_y)
        warped = warp_image(pixels, shift @ matrix, 0, nearest=True, size=size)
    patch = MaskPatch(warped, low_y, low_x, mask.shape)
    return patch, np.array([y_min, x_min, y_max, x_max])


def _extent(pixels: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lowest and the highest (x, y) of the moved corners of all pixels."""
    outlines, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    points = np.concatenate(outlines).reshape(-1, 1, 2)
    corners = points + np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    moved = move(matrix, corners.reshape(-1, 2))
    return moved.min(axis=0), moved.max(axis=0)


def _range(low: float, high: float, size: int) -> tuple[int, int]:
    """Returns the pixels of an axis that an interval touches."""
    first = min(max(int(np.floor(low)), 0), size)
    return first, max(min(int(np.ceil(high)), size), first)
