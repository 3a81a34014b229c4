"""Random noise on pixels: NumPy draws seeds and bytes, OpenCV computes.

NumPy's normal numbers take 10 ms for 640 x 480 pixels, OpenCV's 3 ms. OpenCV has one
generator per thread, which is seeded before each use, so that the numbers depend on
the sample alone.
"""

import cv2
import numpy as np

_LEVELS = 256


def add_gaussian(
    image: np.ndarray, stddev: float, rng: np.random.Generator
) -> np.ndarray:
    """Returns an image with normal noise added to each value, clipped to 0..255.

    Args:
        image: `[h, w, 3]`, uint8 or float32.
        stddev: Standard deviation, of values of 0..255.
        rng: Source of the seed.
    """
    noise = gaussian(image.shape, stddev, int(rng.integers(1 << 31)))
    return add_noise(image, noise)


def gaussian(shape: tuple[int, ...], stddev: float, seed: int) -> np.ndarray:
    """Returns normal noise `[h, w, 3]`, float32."""
    cv2.setRNGSeed(seed)
    noise = np.empty(shape, np.float32)
    cv2.randn(noise, np.zeros(3), np.full(3, stddev))
    return noise


def add_noise(image: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Returns `image` with `noise`, float32, added, clipped to 0..255."""
    if image.dtype == np.uint8:
        return cv2.add(image, noise, dtype=cv2.CV_8U).reshape(image.shape)
    return np.clip(image + noise, 0, 255)


def scale_values(
    image: np.ndarray, low: float, high: float, rng: np.random.Generator
) -> np.ndarray:
    """Returns an image with each value multiplied by a random factor.

    Args:
        image: `[h, w, 3]`, uint8 or float32; the result is clipped to 0..255.
        low, high: Range of the factor. For uint8, it has 256 levels, which changes less
            than rounding does.
        rng: Source of random numbers.
    """
    if image.dtype != np.uint8:
        factors = np.float32(low) + np.float32(high - low) * rng.random(
            image.shape, dtype=np.float32
        )
        return np.clip(image * factors, 0, 255)
    levels = np.frombuffer(rng.bytes(image.size), np.uint8).reshape(image.shape)
    return scale_by_levels(image, levels, low, high)


def scale_by_levels(
    image: np.ndarray, levels: np.ndarray, low: float, high: float
) -> np.ndarray:
    """Returns `image` times factors from `low` to `high`, given in 256 levels.

    Args:
        image, levels: `[h, w, 3]` uint8.
        low, high: Factors of an interval, of which each level is a 256th.
    """
    step = (high - low) / _LEVELS
    product = cv2.multiply(image, levels, dtype=cv2.CV_16U)
    scaled = cv2.addWeighted(image, low + step / 2, product, step, 0.0, dtype=cv2.CV_8U)
    return scaled.reshape(image.shape)
