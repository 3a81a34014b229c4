"""Image resizers: they set the final size of a picture, and carry its changes out.

A resizer takes the sample that the augmentations leave, makes the picture in one
warp, pads it at the bottom and right, and moves masks, boxes and keypoints along.
Boxes and keypoints are then normalised to the padded picture, as anchors are.

Padding is 0 in uint8, before the model normalises colours. The model knows
`true_size` and sets the padding to 0 again after normalising, as the original does,
which normalises first.
"""

import dataclasses
from typing import Literal, Protocol

import cv2
import numpy as np

from odapi.data.image import warp
from odapi.data.image.interpolate import resize_area, resize_cubic
from odapi.data.image.lazy import LazyImage
from odapi.data.positions import scaled_positions
from odapi.data.sample import Sample

Method = Literal["bilinear", "nearest", "bicubic", "area"]

# Luma of ITU-R BT.601, with the digits that TensorFlow uses.
_GRAY = np.array([[0.2989, 0.5870, 0.1140]])

# Sizes of images that between them show what a resizer does.
_PROBES = ((97, 61), (61, 97), (1999, 1013))

_SEPARATE = {"bicubic": resize_cubic, "area": resize_area}
_WARPED = {"bilinear": warp.sample_bilinear, "nearest": warp.sample_nearest}
_METHODS = (*_WARPED, *_SEPARATE)


class Resizer(Protocol):
    """What sets the final size of the pictures."""

    @property
    def method(self) -> str:
        """How to read between pixels, such as "bilinear"."""

    def __call__(self, sample: Sample) -> Sample:
        """Returns the sample with its picture made, resized and padded.

        Adds `original_size`, unless it is there, and `true_size`: int32 [2].
        """

    def resize(self, image: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        """Returns `image [h, w, 3]`, uint8 or float32, resized, and its true size."""

    def true_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized picture, without padding."""

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized picture, with padding."""


def fixed_size(resizer: Resizer) -> tuple[int, int] | None:
    """Returns the size (h, w) that every picture gets, or None where it varies."""
    sizes = {resizer.output_size(*size) for size in _PROBES}
    return sizes.pop() if len(sizes) == 1 else None


def may_pad(resizer: Resizer) -> bool:
    """Tells whether pictures can get padding."""
    return any(resizer.true_size(*s) != resizer.output_size(*s) for s in _PROBES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Resizer:
    """What all resizers do alike; they differ in their two sizes.

    Args:
        method: How to read between pixels.
        grayscale: Whether to make one channel of the three.
        pad_value: Colour of the padding, one value a channel; empty for zeros.

    Raises:
        ValueError: A size is below 1, or the method is not known.
    """

    method: Method = "bilinear"
    grayscale: bool = False
    pad_value: tuple[float, ...] = ()

    def __post_init__(self):
        if self.method not in _METHODS:
            raise ValueError(f"method must be one of {_METHODS}, got {self.method!r}")
        channels = 1 if self.grayscale else 3
        if self.pad_value and len(self.pad_value) != channels:
            raise ValueError(
                f"per_channel_pad_value has {len(self.pad_value)} values for "
                f"{channels} channels"
            )

    def true_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized picture, without padding."""
        return height, width

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized picture, with padding."""
        return self.true_size(height, width)

    def resize(self, image: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        """Returns `image [h, w, 3]`, uint8 or float32, resized, and its true size."""
        sample = self({"image": image})
        height, width = sample["true_size"].tolist()
        return sample["image"], (height, width)

    def __call__(self, sample: Sample) -> Sample:
        """Returns the sample with its picture made, resized and padded."""
        image = LazyImage.of(sample["image"])
        height, width = image.shape[:2]
        true, padded = self.true_size(height, width), self.output_size(height, width)
        made = {
            "original_size": np.array([height, width], np.int32),
            **sample,
            "image": self._padded(self._made(image, *true), padded),
            "true_size": np.array(true, np.int32),
        }
        if "masks" in sample:
            masks = image.resize(*true).render_masks(sample["masks"])
            bottom, right = padded[0] - true[0], padded[1] - true[1]
            made["masks"] = np.pad(masks, ((0, 0), (0, bottom), (0, right)))
        scale = np.array(true, np.float32) / np.array(padded, np.float32)
        return made | (scaled_positions(sample, scale) if true != padded else {})

    def _made(self, image: LazyImage, height: int, width: int) -> np.ndarray:
        if self.method in _SEPARATE and image.shape[:2] != (height, width):
            pixels = _SEPARATE[self.method](image.render(), height, width)
        else:
            pixels = image.resize(height, width).render(
                _WARPED.get(self.method, warp.sample_bilinear)
            )
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
            padded[...] = np.rint(self.pad_value) if whole else self.pad_value
        padded[:height, :width] = pixels
        return padded


@dataclasses.dataclass(frozen=True)
class FixedShape(_Resizer):
    """Resizes to one size, whatever the aspect ratio.

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
    """Makes the shorter side `min_dimension`, unless the longer one grows too long.

    Args:
        min_dimension: Pixels of the shorter side.
        max_dimension: Most pixels of the longer side; it decides where both
            cannot be had.
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
        """Returns the size of a resized picture, without padding."""
        # In float32, half to even: the original's size to the pixel.
        size = np.array([height, width], np.float32)
        grown = np.rint(size * (np.float32(self.min_dimension) / size.min()))
        if grown.max() > self.max_dimension:
            grown = np.rint(size * (np.float32(self.max_dimension) / size.max()))
        return max(int(grown[0]), 1), max(int(grown[1]), 1)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized picture, with padding."""
        if self.pad_to_max:
            return self.max_dimension, self.max_dimension
        return self.true_size(height, width)


@dataclasses.dataclass(frozen=True)
class Identity(_Resizer):
    """Leaves the size as it is."""


@dataclasses.dataclass(frozen=True)
class ConditionalShape(_Resizer):
    """Resizes only pictures above, or below, a size; keeps the aspect ratio.

    Args:
        condition: "greater" shrinks pictures whose longer side is above the
            threshold to it; "smaller" grows pictures whose shorter side is below.
        threshold: Pixels.
    """

    condition: Literal["greater", "smaller"] = "greater"
    threshold: int = 300

    def __post_init__(self):
        super().__post_init__()
        _positive(size_threshold=self.threshold)
        if self.condition not in ("greater", "smaller"):
            raise ValueError(
                f"condition must be greater or smaller, got {self.condition!r}"
            )

    def true_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a resized picture."""
        if self.condition == "greater":
            side = max(height, width)
            target = min(side, self.threshold)
        else:
            side = min(height, width)
            target = max(side, self.threshold)
        # The original cuts the fraction off a float32 product.
        ratio = np.float32(target) / np.float32(side)
        scaled = (np.array([height, width], np.float32) * ratio).astype(int)
        return max(int(scaled[0]), 1), max(int(scaled[1]), 1)


@dataclasses.dataclass(frozen=True)
class PadToMultiple(_Resizer):
    """Pads height and width with zeros to a multiple of a number; scales nothing.

    Args:
        multiple: Pixels.
    """

    multiple: int = 1

    def __post_init__(self):
        super().__post_init__()
        _positive(multiple=self.multiple)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size of a padded picture."""
        return height + -height % self.multiple, width + -width % self.multiple


def _positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}")
