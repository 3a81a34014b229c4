"""Bicubic and area interpolation, exactly as TensorFlow's original resize ops.

Each axis is a matrix `[new size, old size]`; the image is multiplied by both.
OpenCV's functions are close, but not equal for all sizes.
"""

import functools

import numpy as np

# Keys' parameter, and TensorFlow's quantization of the weights' position.
_CUBIC = -0.75
_CUBIC_STEPS = 1024


def resize_cubic(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns `image [h, w, c]` resized, bicubic, without half-pixel centers."""
    return _resize(image, _cubic(image.shape[0], height), _cubic(image.shape[1], width))


def resize_area(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns `image [h, w, c]` resized; each pixel is the mean of its area."""
    return _resize(image, _area(image.shape[0], height), _area(image.shape[1], width))


def _resize(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    height, width, channels = image.shape
    flat = image.reshape(height, width * channels).astype(np.float32)
    tall = (rows @ flat).reshape(len(rows), width, channels)
    # One product of large matrices: many with three columns take ten times as long.
    channels_first = tall.transpose(0, 2, 1).reshape(-1, width)
    resized = (channels_first @ columns.T).reshape(len(rows), channels, len(columns))
    resized = np.ascontiguousarray(resized.transpose(0, 2, 1))
    if image.dtype == np.uint8:
        return np.clip(np.rint(resized), 0, 255).astype(np.uint8)
    return resized


@functools.lru_cache(maxsize=64)
def _cubic(old: int, new: int) -> np.ndarray:
    at = np.arange(new, dtype=np.float32) * np.float32(old / new)
    pixel = np.floor(at).astype(int)
    shift = np.rint((at - pixel) * _CUBIC_STEPS) / _CUBIC_STEPS
    weights = np.zeros((new, old), np.float32)
    for tap in (-1, 0, 1, 2):
        distance = np.abs(shift - tap)
        near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
        far = _CUBIC * (((distance - 5) * distance + 8) * distance - 4)
        index = np.clip(pixel + tap, 0, old - 1)
        np.add.at(weights, (np.arange(new), index), np.where(distance <= 1, near, far))
    return weights


@functools.lru_cache(maxsize=64)
def _area(old: int, new: int) -> np.ndarray:
    scale = old / new
    begin = np.arange(new)[:, None] * scale  # [new, 1]
    pixel = np.arange(old)[None]
    overlap = np.minimum(begin + scale, pixel + 1) - np.maximum(begin, pixel)
    return (np.clip(overlap, 0, None) / scale).astype(np.float32)
