"""Images whose geometric and color changes are computed once, at the end."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np

from odapi.data.image import warp
from odapi.data.image.warp import Axis
from odapi.data.sample import Sample

# Approximate number of pixels that the mean of an unrendered image is taken over.
_MEAN_OVER = 1 << 14
# Channels that colors change; others follow them.
_RGB = 3


class ColorChange(Protocol):
    """A color operation on single pixels."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Returns `image [h, w, 3]`, uint8 or float32 in 0..255, changed."""

    def then(self, other: "ColorChange") -> "ColorChange | None":
        """Returns both operations as one, or None if two are needed."""


class Layer(NamedTuple):
    """A rectangle of padding in one color; higher layers may cover it."""

    rows: Axis
    columns: Axis
    color: tuple[float, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class LazyImage:
    """An image given by `pixels` and the changes to apply to them.

    Args:
        pixels: `[h, w, c]` uint8 or float32 in 0..255: the source, RGB and additional
            channels, whose values no color operation changes.
        rows, columns: The part of the source that is visible.
        colors: Color operations, in order.
        layers: Padding under the source, the lowest first, in its final colors.
    """

    pixels: np.ndarray
    rows: Axis
    columns: Axis
    colors: tuple[ColorChange, ...] = ()
    layers: tuple[Layer, ...] = ()

    @classmethod
    def of(cls, image: "np.ndarray | LazyImage") -> "LazyImage":
        """Returns the image that shows `image [h, w, c]` unchanged."""
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
        """True if there is no padding."""
        return self.rows.is_covered and self.columns.is_covered

    def flip_columns(self) -> "LazyImage":
        """Returns the image flipped left to right."""
        layers = (Layer(r, c.flip(), color) for r, c, color in self.layers)
        return self._placed(self.rows, self.columns.flip(), layers)

    def flip_rows(self) -> "LazyImage":
        """Returns the image flipped top to bottom."""
        layers = (Layer(r.flip(), c, color) for r, c, color in self.layers)
        return self._placed(self.rows.flip(), self.columns, layers)

    def rotate90(self) -> "LazyImage":
        """Returns the image rotated by 90 degrees counter-clockwise.

        The source is transposed; masks of the source must be transposed, too.
        """
        pixels = np.ascontiguousarray(self.pixels.swapaxes(0, 1))
        layers = tuple(Layer(c.flip(), r, color) for r, c, color in self.layers)
        rows, columns = self.columns.flip(), self.rows
        return LazyImage(pixels, rows, columns, self.colors, layers)

    def resize(self, height: int, width: int, centered: bool = False) -> "LazyImage":
        """Returns the image scaled to `height x width`; see `Axis.resize`."""
        layers = (
            Layer(r.resize(height, centered), c.resize(width, centered), color)
            for r, c, color in self.layers
        )
        rows = self.rows.resize(height, centered)
        return self._placed(rows, self.columns.resize(width, centered), layers)

    def resize_corners(self, height: int, width: int) -> "LazyImage":
        """Returns the image scaled so that corner pixels stay; see `Axis`."""
        layers = (
            Layer(r.resize_corners(height), c.resize_corners(width), color)
            for r, c, color in self.layers
        )
        rows, columns = self.rows.resize_corners(height), self.columns
        return self._placed(rows, columns.resize_corners(width), layers)

    @property
    def is_crop(self) -> bool:
        """True for an unscaled crop of the source, without padding."""
        height, width, _ = self.pixels.shape
        rows, columns = self.rows, self.columns
        part = rows.high - rows.low < height or columns.high - columns.low < width
        copied = rows.is_copied and columns.is_copied
        return part and copied and self.is_covered

    @property
    def shows_source(self) -> bool:
        """True if each pixel shows the source pixel at its position."""
        height, width, _ = self.pixels.shape
        return self.rows == Axis.of(height) and self.columns == Axis.of(width)

    def as_float(self) -> "LazyImage":
        """Returns the image in float32, whose values are neither rounded nor bounded.

        The colors that are already recorded stay clipped to 0..255.
        """
        pixels = self.pixels.astype(np.float32, copy=False)
        return dataclasses.replace(self, pixels=pixels)

    def shift(self, down: float, right: float) -> "LazyImage":
        """Returns the image shifted by a fraction of a pixel."""
        rows, columns = self.rows.shift(down), self.columns.shift(right)
        return self._placed(rows, columns, self.layers)

    def window(
        self,
        top: int,
        left: int,
        height: int,
        width: int,
        fill: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> "LazyImage":
        """Returns a rectangle of the image; the outside has the color `fill`."""
        layers = [
            Layer(r.window(top, height), c.window(left, width), color)
            for r, c, color in self.layers
        ]
        grown = top < 0 or left < 0
        if grown or top + height > self.rows.size or left + width > self.columns.size:
            color = self._filled(fill)
            layers.insert(0, Layer(Axis.of(height), Axis.of(width), color))
        rows, columns = self.rows.window(top, height), self.columns.window(left, width)
        return self._placed(rows, columns, layers)

    def recolor(self, change: ColorChange) -> "LazyImage":
        """Returns the image with a color operation added."""
        layers = tuple(
            Layer(r, c, tuple(_recolored(_pixel(color), (change,))[0, 0]))
            for r, c, color in self.layers
        )
        joint = self.colors[-1].then(change) if self.colors else None
        colors = (*self.colors[:-1], joint) if joint else (*self.colors, change)
        return LazyImage(self.pixels, self.rows, self.columns, colors, layers)

    def mean(self) -> np.ndarray:
        """Returns the mean color `[3]`, estimated from a sample of pixels."""
        height, width, _ = self.shape
        mean = np.zeros(_RGB)
        for rows, columns, color in self.layers:
            share = _area(rows, columns) / (height * width)
            mean = (1 - share) * mean + share * np.array(color[:_RGB])
        view = self.pixels[slice(*self.rows.read), slice(*self.columns.read), :_RGB]
        if not view.size:
            return mean
        if self.colors:
            view = _recolored(_some_rows(view), self.colors)
        share = _area(self.rows, self.columns) / (height * width)
        return (1 - share) * mean + share * np.array(cv2.mean(view)[:_RGB])

    @property
    def dtype(self) -> np.dtype:
        """Type of the values, as of an array."""
        return self.pixels.dtype

    def render(
        self, sample: Any = warp.sample_bilinear, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns the image `[h, w, c]`, with the dtype of the source.

        Args:
            sample: Interpolation: `warp.sample_bilinear` or
                `warp.sample_nearest`.
            out: Destination, possibly a view; None allocates a new array.
        """
        pixels, colors = self.pixels, self.colors
        rows, columns = self.rows, self.columns
        if not _area(rows, columns):
            return self._canvas(out)
        view = pixels[slice(*rows.read), slice(*columns.read)]
        if colors and view.shape[0] * view.shape[1] < _area(rows, columns):
            # Before enlarging, since there are fewer pixels.
            pixels, colors = _recolored(view, colors), ()
            rows, columns = rows.without(rows.read[0]), columns.without(columns.read[0])
        if out is None and self.is_covered:
            return _recolored(sample(pixels, rows, columns), colors)
        canvas = self._canvas(out)
        part = canvas[slice(*rows.span), slice(*columns.span)]
        if colors:
            part[...] = _recolored(sample(pixels, rows, columns), colors)
        else:
            sample(pixels, rows, columns, part)
        return canvas

    def render_masks(self, masks: Any) -> np.ndarray:
        """Returns masks `[n, h, w]` of the source, transformed as the image is."""
        return warp.sample_masks(masks, self.rows, self.columns)

    def _filled(self, fill: Sequence[float]) -> tuple[float, ...]:
        """Returns a color of padding; additional channels are 0."""
        color = [float(value) for value in fill]
        return (*color, *[0.0] * (self.pixels.shape[2] - len(color)))

    def _placed(
        self, rows: Axis, columns: Axis, layers: Iterable[Layer]
    ) -> "LazyImage":
        if rows.is_covered and columns.is_covered:
            layers = ()  # The source covers all padding.
        return LazyImage(self.pixels, rows, columns, self.colors, tuple(layers))

    def _canvas(self, out: np.ndarray | None = None) -> np.ndarray:
        """Returns an array of the padding colors."""
        canvas = np.zeros(self.shape, self.pixels.dtype) if out is None else out
        if out is not None and not self.is_covered:
            canvas[...] = 0
        for rows, columns, color in self.layers:
            part = canvas[slice(*rows.span), slice(*columns.span)]
            if canvas.dtype == np.uint8:
                color = tuple(np.clip(np.rint(color), 0, 255).tolist())
            if not part.size or (part[0, 0] == color).all():
                continue
            part[:1] = color
            part[1:] = part[:1]  # Whole rows: much faster than pixel by pixel.
        return canvas


def rendered(sample: Sample) -> Sample:
    """Returns the sample with its image and masks rendered to arrays."""
    image = sample["image"]
    if not isinstance(image, LazyImage):
        return sample
    sample = sample | {"image": image.render()}
    if "masks" in sample:
        sample["masks"] = image.render_masks(sample["masks"])
    return sample


def _some_rows(image: np.ndarray) -> np.ndarray:
    """Returns equally spaced rows of a large image: contiguous, hence fast to read."""
    height, width = image.shape[:2]
    stride = max(height * width // _MEAN_OVER, 1)
    return np.ascontiguousarray(image[stride // 2 % height :: stride])


def _area(rows: Axis, columns: Axis) -> int:
    """Returns the number of pixels that show the source."""
    (top, bottom), (left, right) = rows.span, columns.span
    return (bottom - top) * (right - left)


def _recolored(image: np.ndarray, colors: tuple[ColorChange, ...]) -> np.ndarray:
    """Returns an image with its colors changed; additional channels stay."""
    if colors and image.shape[2] > _RGB:
        changed = _recolored(np.ascontiguousarray(image[..., :_RGB]), colors)
        return np.concatenate([changed, image[..., _RGB:]], axis=2)
    for change in colors:
        image = change(image)
    return image


def _pixel(color: Sequence[float]) -> np.ndarray:
    """Returns a color as an image of one pixel, `[1, 1, c]`."""
    return np.array(color, np.float32)[None, None]
