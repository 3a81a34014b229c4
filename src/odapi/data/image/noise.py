"""Random noise on pixels, from random bytes.

Bytes are the fastest random numbers of NumPy: a table of 256 levels turns them into
normal or uniform ones, in a tenth of the time of NumPy's normal numbers. On images of
uint8, the steps between the levels are below those of rounding.
"""

import functools
import statistics

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
        rng: Source of random numbers.
    """
    return add_noise(image, gaussian(image.shape, stddev, rng))


def gaussian(
    shape: tuple[int, ...], stddev: float, rng: np.random.Generator
) -> np.ndarray:
    """Returns normal noise `[h, w, 3]`, float32, of at most 2.9 deviations."""
    table = np.float32(stddev) * _normal_quantiles()
    return cv2.LUT(random_bytes(shape, rng), table).reshape(shape)


def random_bytes(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Returns uniform values of 0..255, uint8."""
    return np.frombuffer(rng.bytes(int(np.prod(shape))), np.uint8).reshape(shape)


@functools.cache
def _normal_quantiles() -> np.ndarray:
    """Returns equally likely levels `[256]` of mean 0 and standard deviation 1."""
    normal = statistics.NormalDist()
    levels = np.array([normal.inv_cdf((i + 0.5) / _LEVELS) for i in range(_LEVELS)])
    return (levels / levels.std()).astype(np.float32)


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
    return scale_by_levels(image, random_bytes(image.shape, rng), low, high)


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
