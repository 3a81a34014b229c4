"""Anchors of images whose size is known only when a graph runs.

The anchors are those that the generator makes for the size, as operations on tensors.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from keras import ops

from odapi.geometry.map_size import MapSize, is_static
from odapi.structures import Tensor
from odapi.targets import anchors as generators
from odapi.targets.anchors import AnchorGenerator, cached_anchors


class _Level(NamedTuple):
    """Anchors of one feature map, in any unit."""

    sizes: Tensor  # [n, 2] height and width of the anchors of a location
    stride: Sequence[Tensor]  # vertical and horizontal distance of the centers
    offset: Sequence[Tensor]  # of the first center


# The levels, and height and width of the image in their unit.
_Levels = tuple[list[_Level], Sequence[Any]]


def anchors_of_size(
    generator: AnchorGenerator, image_size: MapSize, grid_sizes: Sequence[MapSize]
) -> Tensor:
    """Returns the normalized anchors `[anchors, 4]` of a generator, as a tensor.

    Args:
        generator: One of `odapi.targets.anchors`.
        image_size: Height and width of the images.
        grid_sizes: Height and width of each feature map.
    """
    if is_static(image_size):
        grids = tuple((height, width) for height, width in grid_sizes)
        return ops.convert_to_tensor(cached_anchors(generator, image_size, grids))
    size = [ops.cast(side, "float32") for side in image_size]
    levels, unit = _LEVELS[type(generator)](generator, size, grid_sizes)
    boxes = [_tile(*pair) for pair in zip(grid_sizes, levels, strict=True)]
    return ops.concatenate(boxes, axis=0) / ops.stack([*unit, *unit])


def _grid(generator: Any, size: Sequence[Tensor], grids: Sequence[MapSize]) -> _Levels:
    own = generator
    sizes = generators.sizes_of(own.scales, own.aspect_ratios, own.base_size)
    return [_Level(sizes, own.stride, own.offset)], size


def _pyramid(
    generator: Any, size: Sequence[Tensor], grids: Sequence[MapSize]
) -> _Levels:
    own, levels = generator, []
    scales = own.octave_scales
    for level in range(own.min_level, own.max_level + 1):
        stride = 2.0**level
        sizes = generators.sizes_of(
            scales, own.aspect_ratios, (own.scale * stride, own.scale * stride)
        )
        offset = [ops.where(side % stride == 0, 0.5 * stride, 0.0) for side in size]
        levels.append(_Level(sizes, (stride, stride), offset))
    return levels, size


def _flexible(
    generator: Any, size: Sequence[Tensor], grids: Sequence[MapSize]
) -> _Levels:
    return [
        _Level(grid.sizes, grid.stride, grid.offset) for grid in generator.grids
    ], size


def _ssd(generator: Any, size: Sequence[Tensor], grids: Sequence[MapSize]) -> _Levels:
    own, (height, width) = generator, size
    short = ops.minimum(height, width)
    base_height, base_width = own.base_size
    base = ops.stack([short / height * base_height, short / width * base_width])
    levels = []
    for i, grid in enumerate(grids):
        stride = [1.0 / ops.maximum(ops.cast(n, "float32"), 1.0) for n in grid]
        if own.strides:
            stride = [own.strides[i][0] / height, own.strides[i][1] / width]
        offset = [0.5 * s for s in stride]
        if own.offsets:
            offset = [own.offsets[i][0] / height, own.offsets[i][1] / width]
        sizes = ops.convert_to_tensor(own.unit_sizes(i)) * base
        levels.append(_Level(sizes, stride, offset))
    return levels, (1.0, 1.0)


_LEVELS: dict[type, Callable[..., _Levels]] = {
    generators.GridAnchors: _grid,
    generators.PyramidAnchors: _pyramid,
    generators.FlexibleGridAnchors: _flexible,
    generators.SsdAnchors: _ssd,
}


def _tile(grid: MapSize, level: _Level) -> Tensor:
    """Places the anchors of a level at each location; `[h * w * n, 4]` float32."""
    y, x = (
        ops.cast(ops.arange(n), "float32") * s + o
        for n, s, o in zip(grid, level.stride, level.offset, strict=True)
    )
    centers = ops.stack(ops.meshgrid(y, x, indexing="ij"), axis=-1)[:, :, None, :]
    half = 0.5 * ops.cast(level.sizes, "float32")
    boxes = ops.concatenate([centers - half, centers + half], axis=-1)
    return ops.reshape(boxes, (-1, 4))
