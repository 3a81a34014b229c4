"""Random losses of image quality: JPEG compression and blur."""

import dataclasses
import functools
import math

import cv2
import numpy as np
import simplejpeg

from odapi.data.augment.pixels import as_uint8, change_pixels
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class JpegQuality:
    """Compresses the image as JPEG with a random quality.

    Args:
        random_coef: Probability of not changing the image.
        quality: Range of the quality, 0..100; as in the original, the maximum is
            excluded.
    """

    random_coef: float = 0.0
    quality: tuple[int, int] = (0, 100)

    def __post_init__(self):
        if not 0 <= self.random_coef <= 1:
            raise ValueError(f"random_coef must be in 0..1, got {self.random_coef}")
        low, high = self.quality
        if not 0 <= low <= high <= 100:
            raise ValueError(
                "needs 0 <= min_jpeg_quality <= max_jpeg_quality <= 100, got "
                f"{low} and {high}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with traces of JPEG compression, or unchanged."""
        if rng.random() < self.random_coef:
            return sample
        low, high = self.quality
        quality = int(rng.integers(low, max(high, low + 1)))
        return change_pixels(sample, lambda image: compressed(image, quality))


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    """Returns `image [h, w, 3]`, encoded as JPEG and decoded, with its dtype.

    The pixels are those of TensorFlow: OpenCV writes the same file, and the fast
    inverse transform is TensorFlow's default.
    """
    whole = as_uint8(image)
    # OpenCV's channel order is blue, green, red.
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    encoded = cv2.imencode(".jpg", cv2.cvtColor(whole, cv2.COLOR_RGB2BGR), settings)[1]
    decoded = simplejpeg.decode_jpeg(encoded.tobytes(), fastdct=True)
    return decoded.astype(image.dtype, copy=False)


@dataclasses.dataclass(frozen=True)
class RandomBlur:
    """Blurs the image with a Gaussian or along a line, with a given probability.

    Args:
        probability: Probability; 0 means never.
        max_kernel_size: Maximum side of the kernel in pixels, odd; from 3 on, each odd
            size is equally likely.
        motion_probability: Fraction of motion blur, along a random direction.
    """

    probability: float = 0.1
    max_kernel_size: int = 7
    motion_probability: float = 0.0

    def __post_init__(self):
        for name in ("probability", "motion_probability"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in 0..1, got {value}")
        if self.max_kernel_size < 3 or self.max_kernel_size % 2 == 0:
            raise ValueError(
                f"max_kernel_size must be odd and 3 or more, got {self.max_kernel_size}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample, blurred or unchanged."""
        if rng.random() >= self.probability:
            return sample
        size = 1 + 2 * int(rng.integers(1, self.max_kernel_size // 2, endpoint=True))
        if rng.random() >= self.motion_probability:
            blur = functools.partial(_gaussian, size=size)
            return change_pixels(sample, blur, all_channels=True)
        kernel = line_kernel(size, rng.uniform(0.0, math.pi))
        blur = functools.partial(_filtered, kernel=kernel)
        return change_pixels(sample, blur, all_channels=True)


def line_kernel(size: int, angle: float) -> np.ndarray:
    """Returns a kernel `[size, size]` that averages along a line through its center.

    Args:
        size: Side in pixels, odd.
        angle: Counter-clockwise from the x axis, in radians.
    """
    center = size // 2
    kernel = np.zeros((size, size), np.float32)
    reach = np.array([math.cos(angle), -math.sin(angle)]) * center
    start, end = np.rint(center - reach), np.rint(center + reach)
    cv2.line(kernel, start.astype(int).tolist(), end.astype(int).tolist(), (1.0,))
    return kernel / kernel.sum()


def _gaussian(image: np.ndarray, size: int) -> np.ndarray:
    return cv2.GaussianBlur(image, (size, size), 0.0).reshape(image.shape)


def _filtered(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return cv2.filter2D(image, -1, kernel).reshape(image.shape)
