"""A picture whose changes of geometry and colour are carried out once, at the end."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import cv2
import numpy as np

from odapi.data import warp
from odapi.data.sample import Sample
from odapi.data.warp import Axis

# The mean of a picture that is not made yet is taken over about so many pixels.
_MEAN_OVER = 1 << 14


class ColorChange(Protocol):
    """A change of colour that looks at one pixel at a time."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns `image [h, w, 3]`, uint8 or float32 in 0..255, changed."""

    def then(self, other: "ColorChange") -> "ColorChange | None":
        """Returns both changes as one, or None where two are needed."""


@dataclasses.dataclass(frozen=True, eq=False)
class LazyImage:
    """A picture made of `pixels`, with the changes still to be carried out.

    Args:
        pixels: `[h, w, c]` uint8 or float32 in 0..255: the source.
        rows, columns: What the picture shows of it.
        colors: Changes of colour, in their order.
        fill: Colour of the padding, `[c]`, as it is in the end.
    """

    pixels: np.ndarray
    rows: Axis
    columns: Axis
    colors: tuple[ColorChange, ...] = ()
    fill: tuple[float, ...] = ()

    @classmethod
    def of(cls, image: "np.ndarray | LazyImage") -> "LazyImage":
        """Returns the picture that shows `image [h, w, c]` as it is."""
        if isinstance(image, LazyImage):
            return image
        height, width, _ = image.shape
        return cls(image, Axis.of(height), Axis.of(width))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels, in pixels, as of an array."""
        return self.rows.size, self.columns.size, self.pixels.shape[2]

    @property
    def is_covered(self) -> bool:
        """Whether there is no padding."""
        return self.rows.is_covered and self.columns.is_covered

    def flip_columns(self) -> "LazyImage":
        """Returns the picture mirrored left to right."""
        return dataclasses.replace(self, columns=self.columns.flip())

    def resize(self, height: int, width: int) -> "LazyImage":
        """Returns the picture scaled to `height x width`."""
        return dataclasses.replace(
            self, rows=self.rows.resize(height), columns=self.columns.resize(width)
        )

    def window(
        self,
        top: int,
        left: int,
        height: int,
        width: int,
        fill: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> "LazyImage":
        """Returns a part of the picture; what lies outside it has the colour `fill`.

        Raises:
            ValueError: The picture has padding of another colour. `rendered` makes
                it part of the picture.
        """
        fill = tuple(float(value) for value in fill)
        grown = top < 0 or left < 0
        grown |= top + height > self.rows.size or left + width > self.columns.size
        if grown and not self.takes(fill):
            raise ValueError(f"padding has the colour {self.fill}, not {fill}")
        return dataclasses.replace(
            self,
            rows=self.rows.window(top, height),
            columns=self.columns.window(left, width),
            fill=fill if grown else self.fill,
        )

    def takes(self, fill: Sequence[float]) -> bool:
        """Whether padding of the colour `fill` can be added."""
        return self.is_covered or self.fill == tuple(fill)

    def recolor(self, change: ColorChange) -> "LazyImage":
        """Returns the picture with its colours changed."""
        fill = self.fill
        if fill:
            fill = tuple(change(np.full((1, 1, 3), fill, np.float32))[0, 0].tolist())
        joint = self.colors[-1].then(change) if self.colors else None
        colors = (*self.colors[:-1], joint) if joint else (*self.colors, change)
        return dataclasses.replace(self, colors=colors, fill=fill)

    def mean(self) -> np.ndarray:
        """Returns the mean colour `[c]`, up to the error of a sample of pixels."""
        view = self.pixels[slice(*self.rows.read), slice(*self.columns.read)]
        height, width, channels = self.shape
        fill = np.array(self.fill or np.zeros(channels))
        if not view.size:
            return fill
        if self.colors:
            stride = max(1, int((view.shape[0] * view.shape[1] / _MEAN_OVER) ** 0.5))
            view = np.ascontiguousarray(view[::stride, ::stride])
            for change in self.colors:
                view = change(view)
        (i0, i1), (j0, j1) = self.rows.span, self.columns.span
        shown = (i1 - i0) * (j1 - j0) / (height * width)
        return shown * np.array(cv2.mean(view)[:channels]) + (1 - shown) * fill

    def render(self, sample: Any = warp.sample_bilinear) -> np.ndarray:
        """Returns the picture `[h, w, c]`, in the type of the source's pixels.

        Args:
            sample: How to read the source: `warp.sample_bilinear` or
                `warp.sample_nearest`.
        """
        pixels, colors = self.pixels, self.colors
        (i0, i1), (j0, j1) = self.rows.span, self.columns.span
        (top, bottom), (left, right) = self.rows.read, self.columns.read
        if i0 == i1 or j0 == j1:
            return self._canvas()
        rows, columns = self.rows, self.columns
        if colors and (bottom - top) * (right - left) < (i1 - i0) * (j1 - j0):
            # Colours where there are fewer pixels: before the picture grows.
            pixels = _recolored(pixels[top:bottom, left:right], colors)
            rows, columns, colors = _moved(rows, top), _moved(columns, left), ()
        content = _recolored(sample(pixels, rows, columns), colors)
        if self.is_covered:
            return content
        canvas = self._canvas()
        canvas[i0:i1, j0:j1] = content
        return canvas

    def render_masks(self, masks: np.ndarray) -> np.ndarray:
        """Returns masks `[n, h, w]` of the source as masks of the picture."""
        return warp.sample_masks(masks, self.rows, self.columns)

    def _canvas(self) -> np.ndarray:
        if not any(self.fill):
            return np.zeros(self.shape, self.pixels.dtype)
        fill = np.array(self.fill)
        if self.pixels.dtype == np.uint8:
            fill = np.clip(np.rint(fill), 0, 255)
        return np.broadcast_to(fill.astype(self.pixels.dtype), self.shape).copy()


def rendered(sample: Sample) -> Sample:
    """Returns the sample with its image and masks as arrays, all changes made."""
    image = sample["image"]
    if not isinstance(image, LazyImage):
        return sample
    sample = sample | {"image": image.render()}
    if "masks" in sample:
        sample["masks"] = image.render_masks(sample["masks"])
    return sample


def _moved(axis: Axis, by: int) -> Axis:
    """Returns the axis for a source that has lost its first `by` pixels."""
    low, high = axis.read
    return dataclasses.replace(
        axis, start=axis.start - by, low=low - by, high=high - by
    )


def _recolored(image: np.ndarray, colors: tuple[ColorChange, ...]) -> np.ndarray:
    for change in colors:
        image = change(image)
    return image
