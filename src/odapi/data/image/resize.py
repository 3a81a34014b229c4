"""Image resizers: they render an image at its final size.

A resizer takes the sample after augmentation, renders the image in one warp, pads it
at the bottom and right, and transforms masks, boxes and keypoints accordingly.
Coordinates are normalized to the padded image, as anchors are.

Padding is 0 in uint8, before the model normalizes colors. The model knows
`true_size` and sets the padding to 0 again after normalizing, since the original
normalizes before it pads.
"""

import dataclasses
from typing import ClassVar, Literal, Protocol

import cv2
import numpy as np

from odapi.data.image import warp
from odapi.data.image.interpolate import resize_area, resize_cubic
from odapi.data.image.lazy import LazyImage
from odapi.data.image.tone_ops import LUMA
from odapi.data.positions import scaled_positions
from odapi.data.sample import Sample
from odapi.wording import counted

Method = Literal["bilinear", "nearest", "bicubic", "area"]

_GRAY = np.array([LUMA])

# Image sizes that reveal the behavior of a resizer.
_PROBES = ((97, 61), (61, 97), (1999, 1013))

_SEPARATE = {"bicubic": resize_cubic, "area": resize_area}
_WARPED = {"bilinear": warp.sample_bilinear, "nearest": warp.sample_nearest}
METHODS: tuple[Method, ...] = ("bilinear", "nearest", "bicubic", "area")


class Resizer(Protocol):
    """Renders images at their final size."""

    @property
    def method(self) -> str:
        """Interpolation method, such as "bilinear"."""

    @property
    def keeps_corners(self) -> bool:
        """True if the corner pixels stay, see `Axis.resize_corners`."""

    def __call__(self, sample: Sample) -> Sample:
        """Returns the sample with its image rendered, resized and padded.

        Adds `original_size`, unless present, and `true_size`: int32 [2].
        """

    def resize(self, image: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        """Returns `image [h, w, c]`, uint8 or float32, resized, and its true size."""

    def true_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized image, without padding."""

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized image, with padding."""


def fixed_size(resizer: Resizer) -> tuple[int, int] | None:
    """Returns the size (h, w) that every image gets, or None if it varies."""
    sizes = {resizer.output_size(*size) for size in _PROBES}
    return sizes.pop() if len(sizes) == 1 else None


def may_pad(resizer: Resizer) -> bool:
    """Returns whether images can get padding."""
    return any(resizer.true_size(*s) != resizer.output_size(*s) for s in _PROBES)


def resized_pixels(
    image: LazyImage,
    height: int,
    width: int,
    method: Method = "bilinear",
    keeps_corners: bool = False,
) -> np.ndarray:
    """Returns an image `[height, width, c]`, sampled as the original's resizers do."""
    if method in _SEPARATE and image.shape[:2] != (height, width):
        return _SEPARATE[method](image.render(), height, width, keeps_corners)
    placed = placed_on_grid(image, height, width, keeps_corners)
    return placed.render(_WARPED.get(method, warp.sample_bilinear))


def placed_on_grid(
    image: LazyImage, height: int, width: int, keeps_corners: bool
) -> LazyImage:
    """Returns the image scaled, on one of the two grids of the original's resizers."""
    resize = image.resize_corners if keeps_corners else image.resize
    return resize(height, width)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Resizer:
    """Base of all resizers, which differ in their two sizes.

    Args:
        method: Interpolation method.
        grayscale: Whether to convert to one gray channel.
        pad_value: Color of the padding, of RGB or gray; empty for zeros. Additional
            channels are padded with zeros.

    Raises:
        ValueError: A size is below 1, or the method is unknown.
    """

    method: Method = "bilinear"
    grayscale: bool = False
    pad_value: tuple[float, ...] = ()

    keeps_corners: ClassVar[bool] = False

    def __post_init__(self):
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {METHODS}, got {self.method!r}")
        channels = 1 if self.grayscale else 3
        if self.pad_value and len(self.pad_value) != channels:
            raise ValueError(
                f"per_channel_pad_value has {counted(len(self.pad_value), 'value')} "
                f"for "
                f"{channels} channels"
            )

    def true_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized image, without padding."""
        return height, width

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized image, with padding."""
        return self.true_size(height, width)

    def resize(self, image: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        """Returns `image [h, w, c]`, uint8 or float32, resized, and its true size."""
        sample = self({"image": image})
        height, width = sample["true_size"].tolist()
        return sample["image"], (height, width)

    def __call__(self, sample: Sample) -> Sample:
        """Returns the sample with its image rendered, resized and padded."""
        image = LazyImage.of(sample["image"])
        height, width = image.shape[:2]
        true, padded = self.true_size(height, width), self.output_size(height, width)
        resized = {
            "original_size": np.array([height, width], np.int32),
            **sample,
            "image": self._padded(self._rendered(image, *true), padded),
            "true_size": np.array(true, np.int32),
        }
        if "masks" in sample:
            placed = placed_on_grid(image, *true, self.keeps_corners)
            masks = placed.render_masks(sample["masks"])
            bottom, right = padded[0] - true[0], padded[1] - true[1]
            resized["masks"] = np.pad(masks, ((0, 0), (0, bottom), (0, right)))
        scale = np.array(true, np.float32) / np.array(padded, np.float32)
        return resized | (scaled_positions(sample, scale) if true != padded else {})

    def _rendered(self, image: LazyImage, height: int, width: int) -> np.ndarray:
        corners = self.keeps_corners
        pixels = resized_pixels(image, height, width, self.method, corners)
        if self.grayscale and pixels.shape[2] == 3:
            pixels = cv2.transform(pixels, _GRAY).reshape(height, width, 1)
        return pixels

    def _padded(self, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        height, width, channels = pixels.shape
        if (height, width) == size:
            return pixels
        padded = np.zeros((*size, channels), pixels.dtype)
        if any(self.pad_value):
            whole = pixels.dtype == np.uint8
            color = np.rint(self.pad_value) if whole else self.pad_value
            padded[..., : len(self.pad_value)] = color
        padded[:height, :width] = pixels
        return padded


@dataclasses.dataclass(frozen=True)
class FixedShape(_Resizer):
    """Resizes to a fixed size, regardless of the aspect ratio.

    Args:
        height, width: Pixels.
    """

    height: int = 300
    width: int = 300

    def __post_init__(self):
        super().__post_init__()
        _positive(height=self.height, width=self.width)

    def true_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the fixed size."""
        return self.height, self.width


@dataclasses.dataclass(frozen=True)
class KeepAspectRatio(_Resizer):
    """Resizes the shorter side to `min_dimension`, up to a limit of the longer side.

    Args:
        min_dimension: Pixels of the shorter side.
        max_dimension: Maximum number of pixels of the longer side; it takes precedence.
        pad_to_max: Whether to pad to a square of side `max_dimension`.
    """

    min_dimension: int = 600
    max_dimension: int = 1024
    pad_to_max: bool = False

    def __post_init__(self):
        super().__post_init__()
        _positive(min_dimension=self.min_dimension, max_dimension=self.max_dimension)
        if self.min_dimension > self.max_dimension:
            raise ValueError(
                f"min_dimension {self.min_dimension} is above "
                f"max_dimension {self.max_dimension}"
            )

    def true_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized image, without padding."""
        # float32, rounded half to even: exactly the size of the original.
        size = np.array([height, width], np.float32)
        grown = np.rint(size * (np.float32(self.min_dimension) / size.min()))
        if grown.max() > self.max_dimension:
            grown = np.rint(size * (np.float32(self.max_dimension) / size.max()))
        return max(int(grown[0]), 1), max(int(grown[1]), 1)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized image, with padding."""
        if self.pad_to_max:
            return self.max_dimension, self.max_dimension
        return self.true_size(height, width)


@dataclasses.dataclass(frozen=True)
class Identity(_Resizer):
    """Does not change the size."""


@dataclasses.dataclass(frozen=True)
class ConditionalShape(_Resizer):
    """Resizes only images above or below a size; keeps the aspect ratio.

    Args:
        condition: "greater" shrinks images whose longer side exceeds the threshold to
            it; "smaller" enlarges images whose shorter side is below it.
        threshold: Pixels.
    """

    condition: Literal["greater", "smaller"] = "greater"
    threshold: int = 300

    # Unlike in the other resizers, as in the original.
    keeps_corners: ClassVar[bool] = True

    def __post_init__(self):
        super().__post_init__()
        _positive(size_threshold=self.threshold)
        if self.condition not in ("greater", "smaller"):
            raise ValueError(
                f"condition must be greater or smaller, got {self.condition!r}"
            )

    def true_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized image."""
        if self.condition == "greater":
            side = max(height, width)
            target = min(side, self.threshold)
        else:
            side = min(height, width)
            target = max(side, self.threshold)
        # The original truncates a float32 product.
        ratio = np.float32(target) / np.float32(side)
        scaled = (np.array([height, width], np.float32) * ratio).astype(int)
        return max(int(scaled[0]), 1), max(int(scaled[1]), 1)


@dataclasses.dataclass(frozen=True)
class PadToMultiple(_Resizer):
    """Pads height and width with zeros to a multiple of a number; without scaling.

    Args:
        multiple: Pixels.
    """

    multiple: int = 1

    def __post_init__(self):
        super().__post_init__()
        _positive(multiple=self.multiple)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a padded image."""
        return height + -height % self.multiple, width + -width % self.multiple


def _positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}")
