"""Gray, gamma and unclipped linear maps of colors, as `color_ops`."""

import dataclasses
import functools

import cv2
import numpy as np

from odapi.data.image.color_ops import Rgb

# Luma of ITU-R BT.601, with the digits that TensorFlow uses.
LUMA = (0.2989, 0.5870, 0.1140)


@dataclasses.dataclass(frozen=True)
class Gray:
    """Replaces the colors by their luma, in three equal channels."""

    def then(self, other: object) -> "Gray | None":
        """Returns itself if `other` is gray as well, or None if two are needed."""
        return self if isinstance(other, Gray) else None

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns `image [h, w, 3]` changed."""
        return cv2.transform(image, np.array([LUMA] * 3)).reshape(image.shape)


@dataclasses.dataclass(frozen=True)
class Gamma:
    """Computes `gain * value ** gamma` for values of 0..1, clipped to that range.

    Args:
        gamma: Exponent, 0 or more.
        gain: Factor, 0 or more.
    """

    gamma: float = 1.0
    gain: float = 1.0

    def then(self, other: object) -> None:
        """Returns None: the operation cannot be joined with another."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns `image [h, w, 3]` changed."""
        if image.dtype == np.uint8:
            return cv2.LUT(image, _gamma_table(self)).reshape(image.shape)
        return _gamma(image, self)


def _gamma(values: np.ndarray, change: Gamma) -> np.ndarray:
    shares = np.maximum(values, 0) / 255.0
    return np.clip(255.0 * change.gain * shares**change.gamma, 0, 255).astype("float32")


@functools.lru_cache(maxsize=64)
def _gamma_table(change: Gamma) -> np.ndarray:
    return np.rint(_gamma(np.arange(256.0), change)).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Rescale:
    """Computes `gain * value + offset` per channel, without clipping; float32 only.

    Args:
        gain: Of all channels.
        offset: Of red, green and blue.
    """

    gain: float
    offset: Rgb

    def then(self, other: object) -> "Rescale | None":
        """Returns both operations as one, or None if `other` is of another kind."""
        if not isinstance(other, Rescale):
            return None
        red, green, blue = (
            ours * other.gain + theirs
            for ours, theirs in zip(self.offset, other.offset, strict=True)
        )
        return Rescale(self.gain * other.gain, (red, green, blue))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns `image [h, w, 3]`, float32, changed."""
        (red, green, blue), gain = self.offset, self.gain
        matrix = [[gain, 0, 0, red], [0, gain, 0, green], [0, 0, gain, blue]]
        return cv2.transform(image, np.array(matrix)).reshape(image.shape)
