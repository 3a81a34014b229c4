"""Bicubic and area interpolation, exactly as TensorFlow's original resize ops.

Each axis is a matrix `[new size, old size]` of which each row has a few weights: those
of the pixels that a new pixel is made of. OpenCV's functions are close, but not equal
for all sizes.
"""

import functools
from typing import NamedTuple

import cv2
import numpy as np

# Keys' parameter, and TensorFlow's quantization of the weights' position.
_CUBIC = -0.75
_CUBIC_STEPS = 1024


def resize_cubic(
    image: np.ndarray, height: int, width: int, keeps_corners: bool = False
) -> np.ndarray:
    """Returns `image [h, w, c]` resized, bicubic, without half-pixel centers."""
    rows, columns, _ = image.shape
    return _resize(
        image,
        _cubic(rows, height, keeps_corners),
        _cubic(columns, width, keeps_corners),
    )


def resize_area(
    image: np.ndarray, height: int, width: int, keeps_corners: bool = False
) -> np.ndarray:
    """Returns `image [h, w, c]` resized; each pixel is the mean of its area."""
    rows, columns, _ = image.shape
    return _resize(
        image, _area(rows, height, keeps_corners), _area(columns, width, keeps_corners)
    )


def _scale(old: int, new: int, keeps_corners: bool) -> float:
    """Returns the distance of neighboring pixels in the old image."""
    return (old - 1) / (new - 1) if keeps_corners and new > 1 else old / new


class Taps(NamedTuple):
    """One axis of an interpolation.

    Args:
        pixels: `[n, new size]`: the old pixels of each new one.
        weights: `[n, new size]`: their weights, float32.
    """

    pixels: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, matrix: np.ndarray) -> "Taps":
        """Returns the weights of `matrix [new size, old size]` that are not 0."""
        number = int((matrix != 0).sum(axis=1).max())
        order = np.argsort(matrix == 0, axis=1, kind="stable")[:, :number]
        return cls(order.T, np.take_along_axis(matrix, order, axis=1).T)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Returns `values [old size, m]`, float32, interpolated: `[new size, m]`."""
        total = np.zeros((self.pixels.shape[1], values.shape[1]), np.float32)
        for pixels, weights in zip(self.pixels, self.weights, strict=True):
            total += values[pixels] * weights[:, None]
        return total


def _resize(image: np.ndarray, rows: Taps, columns: Taps) -> np.ndarray:
    height, width, channels = image.shape
    tall = rows(image.reshape(height, width * channels).astype(np.float32))
    # Columns as rows, which lie together in memory.
    turned = tall.reshape(-1, width, channels).swapaxes(0, 1).reshape(width, -1)
    wide = columns(turned).reshape(-1, len(tall), channels)
    # OpenCV transposes at most four channels.
    few = channels <= 4
    resized = cv2.transpose(wide) if few else wide.swapaxes(0, 1)
    resized = np.ascontiguousarray(resized).reshape(len(tall), -1, channels)
    if image.dtype == np.uint8:
        return cv2.convertScaleAbs(np.maximum(resized, 0)).reshape(resized.shape)
    return resized


@functools.lru_cache(maxsize=64)
def _cubic(old: int, new: int, keeps_corners: bool) -> Taps:
    scale = np.float32(_scale(old, new, keeps_corners))
    at = np.arange(new, dtype=np.float32) * scale
    pixel = np.floor(at).astype(int)
    shift = np.rint((at - pixel) * _CUBIC_STEPS) / _CUBIC_STEPS
    weights = np.zeros((new, old), np.float32)
    for tap in (-1, 0, 1, 2):
        distance = np.abs(shift - tap)
        near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
        far = _CUBIC * (((distance - 5) * distance + 8) * distance - 4)
        index = np.clip(pixel + tap, 0, old - 1)
        np.add.at(weights, (np.arange(new), index), np.where(distance <= 1, near, far))
    return Taps.of(weights)


@functools.lru_cache(maxsize=64)
def _area(old: int, new: int, keeps_corners: bool) -> Taps:
    scale = _scale(old, new, keeps_corners)
    begin = np.arange(new)[:, None] * scale  # [new, 1]
    pixel = np.arange(old)[None]
    # The last pixel is repeated beyond the edge.
    end = np.where(pixel < old - 1, pixel + 1.0, np.inf)
    overlap = np.minimum(begin + scale, end) - np.maximum(begin, pixel)
    return Taps.of((np.clip(overlap, 0, None) / scale).astype(np.float32))
