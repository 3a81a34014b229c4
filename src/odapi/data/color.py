"""Changes of colour, with the arithmetic of the original's image ops.

Values are 0..255, uint8 or float32. Each change clips to that range, as the
original does after every step. uint8 results are the original's float results,
rounded once a change.
"""

import dataclasses

import cv2
import numpy as np

_Rgb = tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class Linear:
    """Per channel, `clip(gain * value + offset)`; several of them one after another.

    Args:
        steps: Pairs of a gain and the offsets of red, green and blue.
    """

    steps: tuple[tuple[float, _Rgb], ...]

    def then(self, other: object) -> "Linear | None":
        """Returns both changes as one, or None where `other` is of another kind."""
        if isinstance(other, Linear):
            return Linear(self.steps + other.steps)
        return None

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns `image [h, w, 3]` changed."""
        if image.dtype != np.uint8:
            for gain, offset in self.steps:
                shift = np.array(offset, np.float32)
                image = np.clip(image * np.float32(gain) + shift, 0, 255)
            return image
        matrix = self._matrix()
        if len(self.steps) > 1:
            table = self._table()
            joint = np.arange(256)[:, None] * np.diag(matrix) + matrix[:, 3]
            if (table != np.clip(np.rint(joint), 0, 255)).any():
                # Clipping between the steps matters: no single matrix does it.
                return cv2.LUT(image, table[None])
        return cv2.transform(image, matrix)

    def _matrix(self) -> np.ndarray:
        gain, offset = 1.0, np.zeros(3)
        for next_gain, next_offset in self.steps:
            gain, offset = gain * next_gain, offset * next_gain + next_offset
        return np.column_stack([gain * np.eye(3), offset])

    def _table(self) -> np.ndarray:
        values = np.repeat(np.arange(256.0)[:, None], 3, axis=1)
        for gain, offset in self.steps:
            values = np.clip(values * gain + offset, 0, 255)
        return np.rint(values).astype(np.uint8)


def brighten(delta: float) -> Linear:
    """Returns the change that adds `delta`, in parts of 255, to every value."""
    return Linear(((1.0, (255.0 * delta,) * 3),))


def contrast(factor: float, mean: np.ndarray) -> Linear:
    """Returns the change that moves values away from the mean `[3]` by a factor."""
    red, green, blue = ((1.0 - factor) * np.asarray(mean, float)).tolist()
    return Linear(((factor, (red, green, blue)),))


@dataclasses.dataclass(frozen=True)
class HueSaturation:
    """Turns the hue and multiplies the saturation, in HSV (the hexcone model).

    Args:
        hue: What is added, as part of a full turn.
        saturation: Factor, 0 or more; the product is clipped to 1.
    """

    hue: float = 0.0
    saturation: float = 1.0

    def then(self, other: object) -> "HueSaturation | None":
        """Returns both changes as one, or None where two are needed."""
        if not isinstance(other, HueSaturation) or 1.0 not in (
            self.saturation,
            other.saturation,
        ):
            return None  # Two factors have a clip in between.
        return HueSaturation(self.hue + other.hue, self.saturation * other.saturation)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns `image [h, w, 3]` changed."""
        if image.dtype != np.uint8:
            return self._in_hsv(image)
        if self.hue:
            return cv2.convertScaleAbs(self._in_hsv(image.astype(np.float32)))
        return self._saturated(image)

    def _in_hsv(self, image: np.ndarray) -> np.ndarray:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)  # In degrees, 0..1 and 0..255.
        matrix = np.diag([1.0, self.saturation, 1.0])
        turn = [360.0 * (self.hue % 1.0), 0.0, 0.0]  # OpenCV wraps upwards only.
        hsv = cv2.transform(hsv, np.column_stack([matrix, turn]))
        if self.saturation > 1:
            np.minimum(hsv[..., 1], 1.0, out=hsv[..., 1])
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)

    def _saturated(self, image: np.ndarray) -> np.ndarray:
        # With v the largest channel, HSV gives v - factor * (v - channel).
        factor = self.saturation
        red, green, blue = cv2.split(image)
        value = cv2.max(cv2.max(red, green), blue)
        gray = cv2.merge([value, value, value])
        result = cv2.addWeighted(image, factor, gray, 1.0 - factor, 0.0)
        if factor > 1:
            # Where saturation reaches 1, the factor is smaller.
            chroma = cv2.subtract(value, cv2.min(cv2.min(red, green), blue))
            over = cv2.findNonZero(cv2.addWeighted(chroma, factor, value, -1.0, 0.0))
            if over is not None:
                columns, rows = over.reshape(-1, 2).T
                most = value[rows, columns].astype(np.float32)
                allowed = most / chroma[rows, columns]
                away = most[:, None] - image[rows, columns]
                reduced = most[:, None] - allowed[:, None] * away
                result[rows, columns] = np.rint(reduced)
        return result
