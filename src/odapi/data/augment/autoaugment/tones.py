"""Color operations of AutoAugment on uint8 images, with the original's arithmetic.

Results are truncated to integers, not rounded. In `sharpen`, a smooth value that is an
integer before truncation may be one higher than with the original's float32 sums.
"""

from collections.abc import Callable

import cv2
import numpy as np

from odapi.data.image.tone_ops import LUMA

# Added before rounding, it truncates; the rest bridges the error of float32.
_TRUNCATE = -0.4999
# Values below are changed by `solarize_add`.
_DARK = 128
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13


def posterize(image: np.ndarray, bits: int) -> np.ndarray:
    """Returns an image with only the highest bits of each value; 0 keeps one bit."""
    mask = 0xFF << (8 - max(bits, 1)) & 0xFF
    return np.bitwise_and(image, np.uint8(mask))


def solarize(image: np.ndarray, threshold: int) -> np.ndarray:
    """Returns an image whose values from a threshold on are inverted.

    256 inverts all values, as 0 does: in the original it wraps.
    """
    return _looked_up(
        image, lambda v: np.where(v < threshold % 256, v, 255 - v).astype(np.float32)
    )


def solarize_add(image: np.ndarray, addition: int) -> np.ndarray:
    """Returns an image with a number added to all values below 128."""
    return _looked_up(image, lambda v: np.where(v < _DARK, v + addition, v))


def brighten(image: np.ndarray, factor: float) -> np.ndarray:
    """Returns an image with all values multiplied by a factor."""
    return _looked_up(image, lambda v: v * np.float32(factor))


def contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Returns an image whose differences from a gray are multiplied by a factor.

    The gray is not the mean: in the original it is the number of pixels / 256, at most
    255, so that it is white for images from 256 x 256 pixels on.
    """
    gray = np.float32(int(min(image.shape[0] * image.shape[1] / 256.0, 255.0)))
    return _looked_up(image, lambda v: gray + np.float32(factor) * (v - gray))


def saturate(image: np.ndarray, factor: float) -> np.ndarray:
    """Returns an image whose differences from its gray are multiplied by a factor."""
    # TensorFlow scales to 255.5 and truncates.
    matrix = np.array([[*(weight * 255.5 / 255.0 for weight in LUMA), _TRUNCATE]] * 3)
    gray = cv2.transform(image, matrix).reshape(image.shape)
    return _blended(gray, image, factor)


def sharpen(image: np.ndarray, factor: float) -> np.ndarray:
    """Returns an image whose differences from a smooth one are multiplied."""
    smooth = image.copy()
    if min(image.shape[:2]) > 2:  # The edge is not smoothed.
        filtered = cv2.filter2D(image, -1, _SMOOTH, delta=_TRUNCATE)
        smooth[1:-1, 1:-1] = filtered[1:-1, 1:-1]
    return _blended(smooth, image, factor)


def autocontrast(image: np.ndarray) -> np.ndarray:
    """Returns an image whose channels are stretched to 0..255."""
    values = np.arange(256, dtype=np.float32)
    table = np.empty((256, 3), np.uint8)
    flat = image.reshape(-1, 3)
    lows, highs = flat.min(axis=0), flat.max(axis=0)
    for channel, (low, high) in enumerate(zip(lows, highs, strict=True)):
        stretched = values
        if high > low:
            scale = np.float32(255.0) / np.float32(int(high) - int(low))
            stretched = values * scale - np.float32(low) * scale
        table[:, channel] = np.clip(stretched, 0, 255)
    return cv2.LUT(image, table[:, None]).reshape(image.shape)


def equalize(image: np.ndarray) -> np.ndarray:
    """Returns an image whose channels have histograms that are as even as possible."""
    table = np.empty((256, 3), np.uint8)
    for channel in range(3):
        counts = np.bincount(image[..., channel].ravel(), minlength=256)
        step = (counts.sum() - counts[counts > 0][-1]) // 255
        if not step:  # Also if all pixels are equal, and for small images.
            table[:, channel] = np.arange(256)
            continue
        below = np.concatenate([[0], np.cumsum(counts)[:-1]])
        table[:, channel] = np.clip((below + step // 2) // step, 0, 255)
    return cv2.LUT(image, table[:, None]).reshape(image.shape)


def _looked_up(
    image: np.ndarray, change: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Returns an image with a function of each value, truncated and clipped."""
    changed = change(np.arange(256, dtype=np.float32))
    return cv2.LUT(image, np.clip(changed, 0, 255).astype(np.uint8)).reshape(
        image.shape
    )


def _blended(base: np.ndarray, image: np.ndarray, factor: float) -> np.ndarray:
    blend = cv2.addWeighted(image, factor, base, 1.0 - factor, _TRUNCATE)
    return blend.reshape(image.shape)
