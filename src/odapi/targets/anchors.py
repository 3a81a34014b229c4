"""Anchor generators. Anchors are constants: NumPy in, NumPy out, no layers.

A generator is called `(image_size (h, w), grid_sizes [(h, w), ...])` and returns
`[anchors, 4]` float32, `[y_min, x_min, y_max, x_max]` normalized by the image size,
not clipped, in the order level, row, column, anchor of the location. `per_location`
is the number of anchors per location of each level. An empty grid has no anchors.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from odapi.wording import counted

Size = tuple[int, int]  # height, width


class AnchorGenerator(Protocol):
    """Interface of all anchor generators."""

    @property
    def per_location(self) -> tuple[int, ...]:
        """Number of anchors per location, per level."""

    def __call__(self, image_size: Size, grid_sizes: Sequence[Size]) -> np.ndarray:
        """Returns normalized anchors `[anchors, 4]` float32."""

    def __hash__(self) -> int:
        """Returns the hash of the settings, for `cached_anchors`."""


def cached_anchors(
    generator: AnchorGenerator, image_size: Size, grid_sizes: tuple[Size, ...]
) -> np.ndarray:
    """Returns the anchors of a generator from a cache; the array is read-only."""
    return _cached(generator, image_size, grid_sizes)


@functools.lru_cache(maxsize=64)
def _cached(
    generator: AnchorGenerator, image_size: Size, grids: tuple[Size, ...]
) -> np.ndarray:
    anchors = generator(image_size, grids)
    anchors.setflags(write=False)
    return anchors


@dataclasses.dataclass(frozen=True)
class GridAnchors:
    """Anchors on one feature map, all aspect ratios at all scales.

    At a location the aspect ratio is the outer loop, the scale the inner one.

    Args:
        base_size: Height and width in pixels of the anchor of scale 1.
        stride: Rows and columns of pixels between the centers.
        offset: Row and column in pixels of the first center.
        scales: Factors of the base size.
        aspect_ratios: Width / height.
    """

    base_size: tuple[float, float] = (256.0, 256.0)
    stride: tuple[float, float] = (16.0, 16.0)
    offset: tuple[float, float] = (0.0, 0.0)
    scales: tuple[float, ...] = (1.0,)
    aspect_ratios: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        _check_positive("scales", self.scales)
        _check_positive("aspect_ratios", self.aspect_ratios)
        _check_positive("base_size", self.base_size)
        _check_positive("stride", self.stride)

    @property
    def per_location(self) -> tuple[int, ...]:
        """Number of anchors per location, per level."""
        return (len(self.scales) * len(self.aspect_ratios),)

    def __call__(self, image_size: Size, grid_sizes: Sequence[Size]) -> np.ndarray:
        """Returns normalized anchors `[anchors, 4]` float32."""
        _check_levels(grid_sizes, 1)
        sizes = sizes_of(self.scales, self.aspect_ratios, self.base_size)
        boxes = _tile(grid_sizes[0], sizes, self.stride, self.offset)
        return _normalize(boxes, image_size)


@dataclasses.dataclass(frozen=True)
class SsdAnchors:
    """Anchors of SSD: scales relative to the image, one per feature map.

    Each map has the aspect ratios at its scale, then one anchor at the geometric
    mean of its scale and the next. The next scale of the last map is 1.

    Args:
        scales: One scale per level; heights and widths are relative to the shorter
            side of the image. See `SsdAnchors.spaced` for evenly spaced ones.
        aspect_ratios: Width / height.
        interpolated_aspect_ratio: Aspect ratio of the anchor between two scales; 0
            omits it.
        reduce_lowest: The first map has only three anchors: scale 0.1 square, and the
            map's scale at aspect ratios 2 and 0.5.
        base_size: Height and width of the anchor of scale 1, relative to the shorter
            side of the image.
        strides: Pixels between centers, one pair per level; empty: locations fill the
            image.
        offsets: Pixels to the first center, one pair per level; empty: half a stride.

    Source: Liu et al. 2016 (https://arxiv.org/abs/1512.02325), section 2.2.
    """

    scales: tuple[float, ...]
    aspect_ratios: tuple[float, ...] = (1.0, 2.0, 0.5, 3.0, 1.0 / 3)
    interpolated_aspect_ratio: float = 1.0
    reduce_lowest: bool = True
    base_size: tuple[float, float] = (1.0, 1.0)
    strides: tuple[tuple[float, float], ...] = ()
    offsets: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        _check_positive("scales", self.scales)
        _check_positive("aspect_ratios", self.aspect_ratios, may_be_empty=True)
        _check_positive("base_anchor_height and base_anchor_width", self.base_size)
        for name in ("strides", "offsets"):
            values = getattr(self, name)
            if values and len(values) != len(self.scales):
                raise ValueError(
                    f"{name} must be empty or have one pair per level "
                    f"({counted(len(self.scales), 'level')}), got {len(values)}"
                )
        if 0 in self.per_location:
            raise ValueError("a level has no anchors; set aspect_ratios")

    @classmethod
    def spaced(
        cls, num_levels: int, low: float, high: float, **options: Any
    ) -> "SsdAnchors":
        """Returns anchors with scales evenly spaced from `low` to `high`."""
        if num_levels < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_levels}")
        steps = max(num_levels - 1, 1)
        scales = tuple(low + (high - low) * i / steps for i in range(num_levels))
        return cls(scales, **options)

    @property
    def per_location(self) -> tuple[int, ...]:
        """Number of anchors per location, per level."""
        return tuple(len(level) for level in self._anchors_per_level())

    def __call__(self, image_size: Size, grid_sizes: Sequence[Size]) -> np.ndarray:
        """Returns normalized anchors `[anchors, 4]` float32."""
        _check_levels(grid_sizes, len(self.scales))
        height, width = image_size
        short = min(height, width)
        base = (short / height * self.base_size[0], short / width * self.base_size[1])
        levels = []
        for i, (grid, anchors) in enumerate(
            zip(grid_sizes, self._anchors_per_level(), strict=True)
        ):
            stride = (1.0 / max(grid[0], 1), 1.0 / max(grid[1], 1))
            if self.strides:
                stride = (self.strides[i][0] / height, self.strides[i][1] / width)
            offset = (0.5 * stride[0], 0.5 * stride[1])
            if self.offsets:
                offset = (self.offsets[i][0] / height, self.offsets[i][1] / width)
            sizes = np.array([_size(s, a, base) for s, a in anchors], "float32")
            levels.append(_tile(grid, sizes, stride, offset))
        return np.concatenate(levels)

    def unit_sizes(self, level: int) -> np.ndarray:
        """Returns height and width `[n, 2]` of a level's anchors, of a base of 1."""
        pairs = self._anchors_per_level()[level]
        return np.array([_size(s, a, (1.0, 1.0)) for s, a in pairs], "float32")

    def _anchors_per_level(self) -> list[list[tuple[float, float]]]:
        """Returns (scale, aspect ratio) per anchor, one list per level."""
        levels = []
        for i, scale in enumerate(self.scales):
            if i == 0 and self.reduce_lowest:
                levels.append([(0.1, 1.0), (scale, 2.0), (scale, 0.5)])
                continue
            anchors = [(scale, ratio) for ratio in self.aspect_ratios]
            if self.interpolated_aspect_ratio > 0:
                following = (*self.scales, 1.0)[i + 1]
                between = math.sqrt(scale * following)
                anchors.append((between, self.interpolated_aspect_ratio))
            levels.append(anchors)
        return levels


@dataclasses.dataclass(frozen=True)
class PyramidAnchors:
    """Anchors on a feature pyramid: several sizes per octave, any aspect ratio.

    At level `l` the stride is `2**l` pixels and the base anchor is `scale * 2**l`
    pixels square. At a location the aspect ratio is the outer loop.

    Args:
        min_level, max_level: First and last pyramid level, inclusive.
        scale: Side of the base anchor, in strides.
        aspect_ratios: Width / height.
        scales_per_octave: Number of sizes per level, spaced by `2**(1 / n)`.

    Source: Lin et al. 2017 (https://arxiv.org/abs/1708.02002), section 4.
    """

    min_level: int = 3
    max_level: int = 7
    scale: float = 4.0
    aspect_ratios: tuple[float, ...] = (1.0, 2.0, 0.5)
    scales_per_octave: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.min_level <= self.max_level:
            raise ValueError(
                "needs 0 <= min_level <= max_level, got "
                f"{self.min_level} and {self.max_level}"
            )
        if self.scales_per_octave < 1:
            raise ValueError(
                f"scales_per_octave must be at least 1, got {self.scales_per_octave}"
            )
        _check_positive("anchor_scale", (self.scale,))
        _check_positive("aspect_ratios", self.aspect_ratios)

    @property
    def octave_scales(self) -> list[float]:
        """Factors of the base anchor."""
        n = self.scales_per_octave
        return [2.0 ** (i / n) for i in range(n)]

    @property
    def per_location(self) -> tuple[int, ...]:
        """Number of anchors per location, per level."""
        anchors = len(self.aspect_ratios) * self.scales_per_octave
        return (anchors,) * (self.max_level - self.min_level + 1)

    def __call__(self, image_size: Size, grid_sizes: Sequence[Size]) -> np.ndarray:
        """Returns normalized anchors `[anchors, 4]` float32."""
        _check_levels(grid_sizes, len(self.per_location))
        scales = self.octave_scales
        levels = []
        for level, grid in zip(itertools.count(self.min_level), grid_sizes):
            stride = 2.0**level
            base = (self.scale * stride, self.scale * stride)
            # As in the original: a side that the stride does not divide has its
            # first center at 0.
            offset = tuple(0.5 * stride if s % stride == 0 else 0.0 for s in image_size)
            sizes = sizes_of(scales, self.aspect_ratios, base)
            levels.append(_tile(grid, sizes, (stride, stride), offset))
        return _normalize(np.concatenate(levels), image_size)


@dataclasses.dataclass(frozen=True)
class FlexibleGrid:
    """Anchors of one level of `FlexibleGridAnchors`, all lengths in pixels.

    Args:
        base_sizes: Side of the square of the same area, one per anchor.
        aspect_ratios: Width / height, one per anchor.
        stride: Rows and columns between centers.
        offset: Row and column of the first center.
    """

    base_sizes: tuple[float, ...]
    aspect_ratios: tuple[float, ...]
    stride: tuple[float, float]
    offset: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if len(self.base_sizes) != len(self.aspect_ratios):
            raise ValueError(
                "base_sizes and aspect_ratios need one entry per anchor, got "
                f"{len(self.base_sizes)} and {len(self.aspect_ratios)}"
            )
        _check_positive("base_sizes", self.base_sizes)
        _check_positive("aspect_ratios", self.aspect_ratios)
        _check_positive("height_stride and width_stride", self.stride)

    @property
    def sizes(self) -> np.ndarray:
        """Height and width of each anchor, `[n, 2]` float32."""
        pairs = zip(self.base_sizes, self.aspect_ratios, strict=True)
        return np.array([_size(s, a, (1.0, 1.0)) for s, a in pairs], "float32")


@dataclasses.dataclass(frozen=True)
class FlexibleGridAnchors:
    """Anchors that are listed individually, for each level.

    Args:
        grids: One grid per level.
    """

    grids: tuple[FlexibleGrid, ...]

    def __post_init__(self) -> None:
        if not self.grids:
            raise ValueError("anchor_grid is empty; give one per feature map")

    @property
    def per_location(self) -> tuple[int, ...]:
        """Number of anchors per location, per level."""
        return tuple(len(g.base_sizes) for g in self.grids)

    def __call__(self, image_size: Size, grid_sizes: Sequence[Size]) -> np.ndarray:
        """Returns normalized anchors `[anchors, 4]` float32."""
        _check_levels(grid_sizes, len(self.grids))
        levels = []
        for grid, shape in zip(self.grids, grid_sizes, strict=True):
            levels.append(_tile(shape, grid.sizes, grid.stride, grid.offset))
        return _normalize(np.concatenate(levels), image_size)


def _tile(
    grid: Size,
    sizes: np.ndarray,
    stride: Sequence[float],
    offset: Sequence[float],
) -> np.ndarray:
    """Places anchors of `sizes [n, 2]` at each location; `[h * w * n, 4]` float32."""
    y, x = (
        np.arange(n, dtype="float32") * np.float32(s) + np.float32(o)
        for n, s, o in zip(grid, stride, offset, strict=True)
    )
    centers = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)[:, :, None, :]
    half = np.float32(0.5) * sizes.astype("float32")  # [n, 2]
    boxes = np.concatenate([centers - half, centers + half], axis=-1)
    return boxes.reshape(-1, 4).astype("float32")


def sizes_of(
    scales: Sequence[float], ratios: Sequence[float], base: Sequence[float]
) -> np.ndarray:
    """Returns (height, width) `[ratios * scales, 2]`, aspect ratio as outer loop."""
    return np.array([_size(s, a, base) for a in ratios for s in scales], "float32")


def _size(scale: float, ratio: float, base: Sequence[float]) -> tuple[float, float]:
    root = math.sqrt(ratio)
    return scale / root * base[0], scale * root * base[1]


def _normalize(boxes: np.ndarray, image_size: Size) -> np.ndarray:
    height, width = image_size
    normalized: np.ndarray = boxes / np.array([height, width] * 2, "float32")
    return normalized


def _check_levels(grid_sizes: Sequence[Size], levels: int) -> None:
    if len(grid_sizes) != levels:
        raise ValueError(
            f"the anchor generator is for {levels} feature map(s), "
            f"the model has {len(grid_sizes)}"
        )


def _check_positive(
    name: str, values: Sequence[float], may_be_empty: bool = False
) -> None:
    if not values and not may_be_empty:
        raise ValueError(f"{name} is empty; give at least one number")
    low = [v for v in values if not (v > 0 and math.isfinite(v))]
    if low:
        raise ValueError(f"{name} must be above 0, got {low[0]}")
