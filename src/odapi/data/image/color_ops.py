"""Color operations, with the arithmetic of TensorFlow's image ops.

Values are 0..255, uint8 or float32. Each operation clips to that range, as the
original does. uint8 results are the original's float results, rounded once per
operation.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

Rgb = tuple[float, float, float]

# Upper bounds of hue, saturation and value; only saturation is bounded.
_SATURATED = (1e9, 1.0, 1e9)
# Pixels converted to float32 at a time: they stay in the processor's cache.
_BAND = 1 << 15


@dataclasses.dataclass(frozen=True)
class Linear:
    """Per channel, `gain * value + offset`, clipped to a range.

    A sequence of such operations, each clipped to 0..255, is one again: since no gain
    is negative, clipping early equals clipping at the images of 0 and 255 under the
    later operations.

    Args:
        gain: 0 or more.
        offset, low, high: Of red, green and blue.
    """

    gain: float
    offset: Rgb
    low: Rgb = (0.0, 0.0, 0.0)
    high: Rgb = (255.0, 255.0, 255.0)

    def then(self, other: object) -> "Linear | None":
        """Returns both operations as one, or None if `other` is of another kind."""
        if not isinstance(other, Linear):
            return None
        gain, pairs = other.gain, tuple(zip(self.offset, other.offset, strict=True))
        return Linear(
            self.gain * gain,
            _rgb(ours * gain + theirs for ours, theirs in pairs),
            other.limits(self.low),
            other.limits(self.high),
        )

    def limits(self, values: Rgb) -> Rgb:
        """Returns the result for one color."""
        changed = (
            self.gain * value + offset
            for value, offset in zip(values, self.offset, strict=True)
        )
        inside = zip(self.low, changed, self.high, strict=True)
        return _rgb(min(max(low, value), high) for low, value, high in inside)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns `image [h, w, 3]` changed."""
        (red, green, blue), gain = self.offset, self.gain
        matrix = [[gain, 0, 0, red], [0, gain, 0, green], [0, 0, gain, blue]]
        changed = cv2.transform(image, np.array(matrix)).reshape(image.shape)
        low, high = self.low, self.high
        if image.dtype == np.uint8:
            # OpenCV has already rounded and clipped to 0..255.
            low, high = _rgb(map(round, low)), _rgb(map(round, high))
            if not any(low) and min(high) == 255:
                return changed
        return _clipped(changed, low, high)


def _rgb(values: Iterable[float]) -> Rgb:
    red, green, blue = values
    return red, green, blue


def _clipped(image: np.ndarray, low: Rgb, high: Rgb) -> np.ndarray:
    """Returns `image [h, w, 3]` clipped to a range for each channel."""
    if len(image) == 1:  # OpenCV would take an image of one row for a scalar.
        return np.clip(image, low, high).astype(image.dtype)
    lower: Any = (*low, 0.0)
    return _clip_above(cv2.max(image, lower), high)


def _clip_above(image: np.ndarray, high: Rgb) -> np.ndarray:
    if len(image) == 1:
        return np.minimum(image, np.array(high, image.dtype))
    upper: Any = (*high, 0.0)
    return cv2.min(image, upper)


def brighten(delta: float) -> Linear:
    """Returns the operation that adds `255 * delta` to every value."""
    return Linear(1.0, (255.0 * delta,) * 3)


def contrast(factor: float, mean: np.ndarray) -> Linear:
    """Returns the operation that scales differences to the mean `[3]`."""
    red, green, blue = ((1.0 - factor) * np.asarray(mean, float)).tolist()
    return Linear(factor, (red, green, blue))


@dataclasses.dataclass(frozen=True)
class HueSaturation:
    """Shifts the hue and scales the saturation in HSV (the hexcone model).

    Args:
        hue: Shift, as a fraction of the color circle.
        saturation: Factor, 0 or more; the product is clipped to 1.
    """

    hue: float = 0.0
    saturation: float = 1.0

    def then(self, other: object) -> "HueSaturation | None":
        """Returns both operations as one, or None if two are needed."""
        if not isinstance(other, HueSaturation) or 1.0 not in (
            self.saturation,
            other.saturation,
        ):
            return None  # Saturation is clipped between two factors.
        return HueSaturation(self.hue + other.hue, self.saturation * other.saturation)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns `image [h, w, 3]` changed."""
        if image.dtype != np.uint8:
            return self._in_hsv(image)
        if not self.hue:
            return self._saturated(image)
        changed = np.empty_like(image)
        rows = max(_BAND // image.shape[1], 1)
        for top in range(0, len(image), rows):
            band = self._in_hsv(image[top : top + rows].astype(np.float32))
            changed[top : top + rows] = cv2.convertScaleAbs(band)
        return changed

    def _in_hsv(self, image: np.ndarray) -> np.ndarray:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)  # In degrees, 0..1 and 0..255.
        turn = 360.0 * (self.hue % 1.0)  # OpenCV wraps upwards only.
        matrix = [[1.0, 0, 0, turn], [0, self.saturation, 0, 0], [0, 0, 1.0, 0]]
        hsv = cv2.transform(hsv, np.array(matrix))
        if self.saturation > 1:
            hsv = _clip_above(hsv, _SATURATED)
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)

    def _saturated(self, image: np.ndarray) -> np.ndarray:
        # With v the largest channel, HSV gives v - factor * (v - channel).
        factor = self.saturation
        red, green, blue = cv2.split(image)
        value = cv2.max(cv2.max(red, green), blue)
        gray = cv2.merge([value, value, value])
        result = cv2.addWeighted(image, factor, gray, 1.0 - factor, 0.0)
        if factor > 1:
            # Where the saturation would exceed 1, the factor is smaller.
            chroma = cv2.subtract(value, cv2.min(cv2.min(red, green), blue))
            over = cv2.addWeighted(chroma, factor, value, -1.0, 0.0)
            if cv2.countNonZero(over):
                over = cv2.findNonZero(over)
                columns, rows = over.reshape(-1, 2).T
                maximum = value[rows, columns].astype(np.float32)
                allowed = maximum / chroma[rows, columns]
                away = maximum[:, None] - image[rows, columns]
                reduced = maximum[:, None] - allowed[:, None] * away
                result[rows, columns] = np.rint(reduced)
        return result
