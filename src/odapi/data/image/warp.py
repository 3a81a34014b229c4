"""Where the pixels of a changed picture come from, one axis at a time.

Flips, crops, padding and scaling keep the axes of an image apart. So any chain
of them is two `Axis`, and is carried out once, by one warp: no picture in
between, and no second smoothing.
"""

import math
from typing import Any, NamedTuple

import cv2
import numpy as np

# One process reads with several threads; OpenCV's own would only get in their way.
cv2.setNumThreads(1)

# OpenCV warps 4 channels more than twice as fast as 3. The detour pays as long as
# the source is not much larger than the result.
_FOUR_CHANNELS_UP_TO = 8

# By which positions may miss each other through rounding, in pixels.
_TINY = 1e-6

_CHANNELS_3_TO_4 = cv2.COLOR_RGB2RGBA
_CHANNELS_4_TO_3 = cv2.COLOR_RGBA2RGB


class Axis(NamedTuple):
    """One axis of a picture: position `i` shows `step * i + start` of a source.

    Positions are indices of pixels. Resizers read the source at
    `i * (old size / new size)`, without a shift by half a pixel, as the zoo's models
    were trained; random scales read it at `(i + 0.5) * (old size / new size) - 0.5`,
    where boxes fit the pixels exactly.

    Args:
        size: Pixels of the picture.
        step, start: The map from positions to the source.
        low, high: The pixels of the source that may be read, `low <= i < high`;
            beyond them the edge repeats.
        first, last: Between these positions the source shows; elsewhere is
            padding.
    """

    size: int
    step: float
    start: float
    low: int
    high: int
    first: float
    last: float

    @classmethod
    def of(cls, size: int) -> "Axis":
        """Returns the axis that shows a source of `size` pixels as it is."""
        return cls(size, 1.0, 0.0, 0, size, 0.0, float(size))

    @property
    def span(self) -> tuple[int, int]:
        """Positions, from and to, that show the source."""
        first, last, size = round(self.first), round(self.last), self.size
        if 0 <= first <= last <= size:
            return first, last  # Nearly always, and asked for often.
        first = min(max(first, 0), size)
        return first, max(min(last, size), first)

    @property
    def is_covered(self) -> bool:
        """Whether there is no padding."""
        return self.span == (0, self.size)

    @property
    def is_copied(self) -> bool:
        """Whether every pixel is one of the source's: nothing is scaled."""
        return abs(self.step) == 1 and self.start == round(self.start)

    @property
    def read(self) -> tuple[int, int]:
        """Pixels of the source, from and to, that the picture is made of."""
        first, last = self.span
        if first == last:
            return self.low, self.low
        ends = (self.step * first + self.start, self.step * (last - 1) + self.start)
        low = min(max(math.floor(min(ends)), self.low), self.high - 1)
        beyond = 1 if self.is_copied else 2  # Between two pixels, both are read.
        high = min(math.floor(max(ends)) + beyond, self.high)
        return low, max(high, low + 1)

    def flip(self) -> "Axis":
        """Returns the axis back to front."""
        size = self.size
        start = self.step * (size - 1) + self.start
        first, last = size - self.last, size - self.first
        return Axis(size, -self.step, start, self.low, self.high, first, last)

    def window(self, offset: int, size: int) -> "Axis":
        """Returns `size` pixels from `offset` on; outside the picture is padding."""
        start = self.start + self.step * offset
        first = min(max(self.first - offset, 0.0), size)
        last = min(max(self.last - offset, 0.0), size)
        moved = Axis(size, self.step, start, self.low, self.high, first, last)
        if not self.is_copied:
            return moved
        # What was cut off must not come back when the edge is smoothed.
        return Axis(size, self.step, start, *moved.read, first, last)

    def shift(self, offset: float) -> "Axis":
        """Returns the axis moved by a part of a pixel; the edge repeats."""
        return self._replace(start=self.start + self.step * offset)

    @property
    def is_spread(self) -> bool:
        """Whether all of the source from `low` to `high` fills the span, centered."""
        first, last = self.span
        step = abs(self.step)
        if abs(step * (last - first) - (self.high - self.low)) > _TINY:
            return False
        ends = (self.step * first + self.start, self.step * (last - 1) + self.start)
        return abs(min(ends) - (self.low + (step - 1) / 2)) < _TINY

    def resize(self, size: int, centered: bool = False) -> "Axis":
        """Returns the axis scaled to `size` pixels.

        Args:
            size: The new size.
            centered: Whether to scale around the centers of pixels.
        """
        scale = self.size / size
        start = self.start + (self.step * (scale - 1) / 2 if centered else 0.0)
        first, last = self.first / scale, self.last / scale
        return Axis(size, self.step * scale, start, self.low, self.high, first, last)

    def without(self, pixels: int) -> "Axis":
        """Returns the axis for what is read of the source, from `pixels` on."""
        low, high = self.read
        return Axis(
            self.size,
            self.step,
            self.start - pixels,
            low - pixels,
            high - pixels,
            self.first,
            self.last,
        )

    def nearest(self) -> np.ndarray:
        """Returns the source's pixel of each position in `span`."""
        first, last = self.span
        if self.start == round(self.start):
            # Rounded down, as in TensorFlow, whose product of float32 decides ties.
            at = np.arange(first, last, dtype=np.float32) * np.float32(abs(self.step))
            index = self.start + np.sign(self.step) * np.floor(at)
        else:
            index = np.floor(self.start + self.step * np.arange(first, last) + 0.5)
        return np.clip(index.astype(np.int64), self.low, max(self.high - 1, self.low))


def sample_bilinear(
    pixels: np.ndarray, rows: Axis, columns: Axis, out: np.ndarray | None = None
) -> np.ndarray:
    """Returns what the spans of two axes show of `pixels [h, w, c]`.

    Reads between pixels linearly. uint8 gives uint8, correctly rounded (after centered
    scaling, within 1); float32 gives float32.

    Args:
        pixels: The source.
        rows, columns: What is shown of it.
        out: Where to write, a part of an array maybe; None makes a new array.
    """
    (top, bottom), (left, right) = rows.read, columns.read
    (i0, i1), (j0, j1) = rows.span, columns.span
    if rows.is_copied and columns.is_copied:
        view = pixels[top:bottom, left:right]
        return _flipped(view, rows.step < 0, columns.step < 0, out)
    if rows.is_spread and columns.is_spread:
        # Faster than a warp by half.
        view = pixels[rows.low : rows.high, columns.low : columns.high]
        scaled = cv2.resize(view, (j1 - j0, i1 - i0)).reshape(i1 - i0, j1 - j0, -1)
        return _flipped(scaled, rows.step < 0, columns.step < 0, out)
    view = pixels[top:bottom, left:right]
    matrix = np.array(
        [
            [columns.step, 0.0, columns.step * j0 + columns.start - left],
            [0.0, rows.step, rows.step * i0 + rows.start - top],
        ]
    )
    return _warp(view, matrix, i1 - i0, j1 - j0, out)


def sample_nearest(
    pixels: np.ndarray, rows: Axis, columns: Axis, out: np.ndarray | None = None
) -> np.ndarray:
    """Returns what the spans of two axes show of `pixels [h, w, c]`, unmixed."""
    shown = pixels.take(rows.nearest(), axis=0).take(columns.nearest(), axis=1)
    return _kept(shown, shown.shape, out)


def sample_masks(masks: Any, rows: Axis, columns: Axis) -> np.ndarray:
    """Returns `masks [n, h, w]` as the picture of two axes shows them, 0 outside.

    Args:
        masks: An array, or what makes one mask at a time.
        rows, columns: What is shown of them.
    """
    shown = np.zeros((len(masks), rows.size, columns.size), masks.dtype)
    y, x = rows.nearest(), columns.nearest()
    for i, part in enumerate(shown[:, slice(*rows.span), slice(*columns.span)]):
        part[...] = masks[i].take(y, axis=0).take(x, axis=1)
    return shown


def _flipped(
    view: np.ndarray, vertical: bool, horizontal: bool, out: np.ndarray | None
) -> np.ndarray:
    if vertical or horizontal:
        code = -1 if vertical and horizontal else int(horizontal)
        return _kept(cv2.flip(view, code, dst=out), view.shape, out)
    if out is None:
        return np.ascontiguousarray(view)
    out[...] = view
    return out


def _warp(
    view: np.ndarray,
    matrix: np.ndarray,
    height: int,
    width: int,
    out: np.ndarray | None,
) -> np.ndarray:
    channels = view.shape[2]
    kwargs: dict[str, Any] = {
        "flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        "borderMode": cv2.BORDER_REPLICATE,
    }
    shape = (height, width, channels)
    area, source_area = height * width, view.shape[0] * view.shape[1]
    if channels == 3 and source_area <= _FOUR_CHANNELS_UP_TO * area:
        four = cv2.cvtColor(view, _CHANNELS_3_TO_4)
        warped = cv2.warpAffine(four, matrix, (width, height), **kwargs)
        return _kept(cv2.cvtColor(warped, _CHANNELS_4_TO_3, dst=out), shape, out)
    warped = cv2.warpAffine(view, matrix, (width, height), dst=out, **kwargs)
    return _kept(warped, shape, out)


def _kept(
    made: np.ndarray, shape: tuple[int, ...], out: np.ndarray | None
) -> np.ndarray:
    """Returns `out` with what was made, should OpenCV have made a new array."""
    made = made.reshape(shape)
    if out is None or made is out:
        return made
    if not np.shares_memory(made, out):
        out[...] = made
    return out
