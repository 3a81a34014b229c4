"""Sampling grids of image warps that keep rows and columns apart.

Flips, crops, padding and scaling are separable. Any chain of them is a pair of
`Axis`, computed by a single warp: no intermediate image, and no repeated smoothing.
"""

import math
from typing import Any, NamedTuple

import cv2
import numpy as np

# The loader has its own threads; those of OpenCV would only compete with them.
cv2.setNumThreads(1)

# OpenCV warps 4 channels more than twice as fast as 3. The conversion pays off while
# the source is not much larger than the result.
_FOUR_CHANNELS_UP_TO = 8

# Numbers of channels that OpenCV warps without rounding positions to 1/32 pixel.
_EXACT = (1, 3, 4)

# Tolerance of positions for rounding, in pixels.
_TINY = 1e-6
# A start that is not whole: nearest neighbors are rounded, not rounded down.
_ROUNDED = 1e-9

_CHANNELS_3_TO_4 = cv2.COLOR_RGB2RGBA
_CHANNELS_4_TO_3 = cv2.COLOR_RGBA2RGB


class Axis(NamedTuple):
    """One axis of a warp: pixel `i` shows position `step * i + start` of a source.

    Positions are indices of pixels. Resizers read the source at
    `i * (old size / new size)`, without a shift by half a pixel, as the zoo's models
    were trained; random scales read it at `(i + 0.5) * (old size / new size) - 0.5`,
    where boxes match the pixels exactly.

    Args:
        size: Pixels of the image.
        step, start: The map from output pixels to the source.
        low, high: The pixels of the source that may be read, `low <= i < high`;
            beyond them the edge is repeated.
        first, last: Range of output pixels that show the source; the others are
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
        """Returns the identity axis of a source of `size` pixels."""
        return cls(size, 1.0, 0.0, 0, size, 0.0, float(size))

    @property
    def span(self) -> tuple[int, int]:
        """Range of output pixels that show the source."""
        first, last, size = round(self.first), round(self.last), self.size
        if 0 <= first <= last <= size:
            return first, last  # The common case, on a hot path.
        first = min(max(first, 0), size)
        return first, max(min(last, size), first)

    @property
    def is_covered(self) -> bool:
        """True if there is no padding."""
        return self.span == (0, self.size)

    @property
    def is_copied(self) -> bool:
        """True if every pixel is a copy of a source pixel: nothing is scaled."""
        return abs(self.step) == 1 and self.start == round(self.start)

    @property
    def read(self) -> tuple[int, int]:
        """Range of source pixels that are read."""
        first, last = self.span
        if first == last:
            return self.low, self.low
        ends = (self.step * first + self.start, self.step * (last - 1) + self.start)
        low = min(max(math.floor(min(ends)), self.low), self.high - 1)
        beyond = 1 if self.is_copied else 2  # Interpolation reads two pixels.
        high = min(math.floor(max(ends)) + beyond, self.high)
        return low, max(high, low + 1)

    def flip(self) -> "Axis":
        """Returns the reversed axis."""
        size = self.size
        start = self.step * (size - 1) + self.start
        first, last = size - self.last, size - self.first
        return Axis(size, -self.step, start, self.low, self.high, first, last)

    def window(self, offset: int, size: int) -> "Axis":
        """Returns `size` pixels from `offset` on; outside the image is padding."""
        start = self.start + self.step * offset
        first = min(max(self.first - offset, 0.0), size)
        last = min(max(self.last - offset, 0.0), size)
        moved = Axis(size, self.step, start, self.low, self.high, first, last)
        if not self.is_copied:
            return moved
        # Interpolation at the edge must not read what was cropped.
        return Axis(size, self.step, start, *moved.read, first, last)

    def shift(self, offset: float) -> "Axis":
        """Returns the axis shifted by a fraction of a pixel; the edge is repeated."""
        return self._replace(start=self.start + self.step * offset)

    @property
    def is_spread(self) -> bool:
        """True if the source from `low` to `high` fills the span on a centered grid."""
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
            centered: Whether to align pixel centers (half-pixel centers).
        """
        scale = self.size / size
        start = self.start + (self.step * (scale - 1) / 2 if centered else 0.0)
        return self._scaled(size, scale, start)

    def resize_corners(self, size: int) -> "Axis":
        """Returns the axis scaled to `size` pixels; first and last pixels are kept."""
        scale = (self.size - 1) / (size - 1) if size > 1 else self.size / size
        return self._scaled(size, scale, self.start + _ROUNDED)

    def _scaled(self, size: int, scale: float, start: float) -> "Axis":
        share = size / self.size
        first, last = self.first * share, self.last * share
        return Axis(size, self.step * scale, start, self.low, self.high, first, last)

    def without(self, pixels: int) -> "Axis":
        """Returns the axis for the source without its first `pixels`."""
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
        """Returns the nearest source pixel for each output pixel in `span`."""
        first, last = self.span
        if self.start == round(self.start):
            # Rounded down as in TensorFlow, including its float32 product.
            at = np.arange(first, last, dtype=np.float32) * np.float32(abs(self.step))
            index = self.start + np.sign(self.step) * np.floor(at)
        else:
            index = np.floor(self.start + self.step * np.arange(first, last) + 0.5)
        return np.clip(index.astype(np.int64), self.low, max(self.high - 1, self.low))


def sample_bilinear(
    pixels: np.ndarray, rows: Axis, columns: Axis, out: np.ndarray | None = None
) -> np.ndarray:
    """Returns the spans of two axes, sampled from `pixels [h, w, c]` bilinearly.

    uint8 gives uint8, correctly rounded (after centered scaling, within 1); float32
    gives float32.

    Args:
        pixels: The source.
        rows, columns: The sampling grid.
        out: Destination, possibly a view; None allocates a new array.
    """
    (top, bottom), (left, right) = rows.read, columns.read
    (i0, i1), (j0, j1) = rows.span, columns.span
    if rows.is_copied and columns.is_copied:
        view = pixels[top:bottom, left:right]
        return _flipped(view, rows.step < 0, columns.step < 0, out)
    if pixels.shape[2] not in _EXACT:
        return _by_group(pixels, rows, columns, out)
    if rows.is_spread and columns.is_spread:
        # Half the time of a warp.
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


def _by_group(
    pixels: np.ndarray, rows: Axis, columns: Axis, out: np.ndarray | None
) -> np.ndarray:
    """Samples RGB, then each additional channel, bilinearly."""
    parts = [pixels[..., :3], *np.split(pixels[..., 3:], pixels.shape[2] - 3, axis=2)]
    sampled = [
        sample_bilinear(np.ascontiguousarray(part), rows, columns) for part in parts
    ]
    return np.concatenate(sampled, axis=2, out=out)


def sample_nearest(
    pixels: np.ndarray, rows: Axis, columns: Axis, out: np.ndarray | None = None
) -> np.ndarray:
    """Returns the spans of two axes, sampled from `pixels` by nearest neighbor."""
    shown = pixels.take(rows.nearest(), axis=0).take(columns.nearest(), axis=1)
    return _kept(shown, shown.shape, out)


def sample_masks(masks: Any, rows: Axis, columns: Axis) -> np.ndarray:
    """Returns `masks [n, h, w]` sampled on the grid of two axes, 0 outside.

    Args:
        masks: An array, or `LazyMasks`.
        rows, columns: The sampling grid.
    """
    shown = np.zeros((len(masks), rows.size, columns.size), masks.dtype)
    parts = shown[:, slice(*rows.span), slice(*columns.span)]
    (top, bottom), (left, right) = rows.read, columns.read
    is_copied = rows.is_copied and columns.is_copied
    if is_copied and parts.shape[1:] == (bottom - top, right - left):
        y_step, x_step = int(rows.step), int(columns.step)
        for i, part in enumerate(parts):
            part[...] = masks[i][top:bottom, left:right][::y_step, ::x_step]
        return shown
    y, x = rows.nearest(), columns.nearest()
    for i, part in enumerate(parts):
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
    """Returns `out` with the result, also if OpenCV allocated a new array."""
    made = made.reshape(shape)
    if out is None or made is out:
        return made
    if not np.shares_memory(made, out):
        out[...] = made
    return out
