"""Features of regions of interest, by `crop_and_resize` or RoIAlign."""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

from keras import ops

from odapi.geometry.crop.sampling import (
    Border,
    Cells,
    gather_bilinear,
    pad_border,
    sample_positions,
    snap_positions,
)
from odapi.geometry.map_size import MapSize, is_static, map_size
from odapi.kernels.crop import has_native_crop, native_crop
from odapi.kernels.portable import is_portable
from odapi.structures import Tensor

# Side of the images that backbones are trained on; boxes of that size are cropped from
# the level that a classifier uses.
_CLASSIFIER_IMAGE_PX = 224.0
_EDGE = 1e-3  # Of a cell: how near an edge counts as on it.


class SampleRange(NamedTuple):
    """First and last sampling point on an axis, per box.

    A point `p` lies at the position `p * extent + offset`, in cells.
    """

    first: Tensor  # [b, p] float32, normalized
    last: Tensor  # [b, p] float32, normalized
    extent: Tensor  # [b, p] float32, or a number
    offset: float


@dataclasses.dataclass(frozen=True)
class CropAndResize:
    """Samples a grid of points; the first and last lie on the edges of the box.

    0 and 1 of a box are the centers of the first and last cell of the map.

    Args:
        zero_pad_border: Interpolate between the border and zeros one cell outside the
            map. Otherwise every point outside is 0, even if it is outside only by
            rounding: the last row of a box at the edge of the map may be 0.

    Source: `tf.image.crop_and_resize`; with `zero_pad_border`, the original's
    `matmul_crop_and_resize`.
    """

    zero_pad_border: bool = False
    sampling_ratio: int = dataclasses.field(default=1, init=False)

    @property
    def border(self) -> Border:
        """Values outside the map."""
        return "zero_pad" if self.zero_pad_border else "none"

    def sample_range(
        self, first: Tensor, last: Tensor, cells: Tensor, points: int
    ) -> SampleRange:
        """Returns the range of the sampling points on an axis.

        Args:
            first, last: `[b, p]`, edges of boxes, normalized.
            cells: `[b, p]` or a number, float32: length of the axis.
            points: Number of points on the axis.
        """
        return SampleRange(first, last, cells - 1.0, 0.0)


@dataclasses.dataclass(frozen=True)
class RoiAlign:
    """Divides a box into bins and averages sampling points spread over each.

    0 and 1 of a box are the outer edges of the first and last cell of the map. Points
    at most half a cell outside the map read its outer cells; others are 0.

    Args:
        sampling_ratio: Points per bin along each axis.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870), section 3, in the
    variant without the shift by half a cell (`aligned` in Detectron2).
    """

    sampling_ratio: int = 2

    def __post_init__(self) -> None:
        if self.sampling_ratio < 1:
            raise ValueError(
                f"sampling_ratio must be 1 or more, got {self.sampling_ratio}"
            )

    @property
    def border(self) -> Border:
        """Values outside the map."""
        return "replicate"

    def sample_range(
        self, first: Tensor, last: Tensor, cells: Tensor, points: int
    ) -> SampleRange:
        """Returns the range of the sampling points; see `CropAndResize`."""
        if points > 1:  # A single point is sampled in the middle of the range.
            inset = (last - first) * (0.5 / points)
            first, last = first + inset, last - inset
        return SampleRange(first, last, cells, -0.5)


CropMethod = CropAndResize | RoiAlign
CROP_AND_RESIZE = CropAndResize()


def crop_rois(
    maps: Sequence[Tensor],
    boxes: Tensor,
    size: tuple[int, int],
    method: CropMethod = CROP_AND_RESIZE,
    image_size: MapSize | None = None,
) -> Tensor:
    """Returns the features of boxes, all of one size.

    Args:
        maps: One map `[b, h, w, c]`, or the levels of a pyramid, largest first.
        boxes: `[b, p, 4]` normalized to the maps.
        size: Rows and columns.
        method: Sampling method.
        image_size: Height and width of the images in pixels; required for a pyramid,
            where larger boxes are cropped from smaller maps.

    Returns:
        `[b, p, rows, columns, c]` in the dtype of the maps.

    Raises:
        ValueError: There are several maps and no `image_size`.
    """
    maps = list(maps)
    boxes = ops.cast(boxes, "float32")
    levels = None
    if len(maps) > 1:
        if image_size is None:
            raise ValueError(
                "image_size is required to assign boxes to the levels of a pyramid"
            )
        levels = roi_levels(boxes, len(maps), image_size)
    ratio = method.sampling_ratio
    points = (size[0] * ratio, size[1] * ratio)
    if has_native_crop():
        crops = _native_crops(maps, boxes, levels, points, method)
    else:
        crops = _gathered_crops(maps, boxes, levels, points, method)
    return crops if ratio == 1 else _bin_means(crops, size, ratio)


def crop_masks(
    masks: Tensor,
    mask_indices: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    method: CropAndResize = CROP_AND_RESIZE,
) -> Tensor:
    """Crops each box out of the mask of its object.

    Args:
        masks: `[b, n, h, w]`, float or integers.
        mask_indices: `[b, p]` int32: the mask that a box is cropped from.
        boxes: `[b, p, 4]` normalized to the masks.
        size: Rows and columns.
        method: Sampling method.

    Returns:
        `[b, p, rows, columns]` float32.
    """
    number, height, width = (int(side) for side in masks.shape[1:])
    boxes = ops.cast(boxes, "float32")
    mask_indices = ops.cast(mask_indices, "int32")
    if has_native_crop():
        flat = pad_border(ops.reshape(masks, (-1, height, width, 1)), method.border)
        boxes = _native_boxes(boxes, (height, width), size, method)
        crops = native_crop(
            [flat], [boxes], size, map_indices=mask_indices, maps_per_image=number
        )
    else:
        table = ops.reshape(masks, (-1, number * height * width, 1))
        rows, columns = _grid_positions(boxes, (height, width), size, method)
        crops = gather_bilinear(
            table,
            rows,
            columns,
            (height, width),
            mask_indices * (height * width),
            border=method.border,
        )
    return ops.squeeze(crops, -1)


def roi_levels(boxes: Tensor, num_levels: int, image_size: MapSize) -> Tensor:
    """Assigns boxes to the levels of a pyramid, `[b, p]` int32 from 0.

    A box as large as the images that backbones are trained on gets the level before the
    last, smaller and larger boxes the levels around it.

    Args:
        boxes: `[b, p, 4]` normalized.
        num_levels: Number of levels of the pyramid.
        image_size: Height and width in pixels.

    Source: Lin et al. 2017 (https://arxiv.org/abs/1612.03144), equation 1; the
    first level is that of the original.
    """
    y0, x0, y1, x1 = ops.unstack(ops.cast(boxes, "float32"), 4, axis=-1)
    area = ops.maximum((y1 - y0) * (x1 - x0), 0.0)
    if is_static(image_size):
        ratio = math.sqrt(image_size[0] * image_size[1]) / _CLASSIFIER_IMAGE_PX
    else:
        pixels = ops.cast(image_size[0] * image_size[1], "float32")
        ratio = ops.sqrt(pixels) / _CLASSIFIER_IMAGE_PX
    side = (ops.sqrt(area) * ratio)[..., None]
    # Comparisons, not the floor of a logarithm, which differs between backends.
    bounds = [2.0 ** (n - (num_levels - 2)) for n in range(1, num_levels)]
    above = side >= ops.convert_to_tensor(bounds, dtype="float32")
    return ops.sum(ops.cast(above, "int32"), axis=-1)


def pool_rois(crops: Tensor, size: int, stride: int) -> Tensor:
    """Max-pools crops `[b, p, h, w, c]`.

    Args:
        crops: As returned by `crop_rois`.
        size: Side of a window; windows that extend beyond a crop are dropped.
        stride: Distance of neighboring windows, in cells.
    """
    if size == 1 and stride == 1:
        return crops
    *outer, height, width, depth = ops.shape(crops)
    flat = ops.reshape(crops, (-1, height, width, depth))
    pooled = ops.max_pool(flat, size, stride, "valid", data_format="channels_last")
    return ops.reshape(pooled, (*outer, *pooled.shape[1:]))


def _native_crops(
    maps: list[Tensor],
    boxes: Tensor,
    levels: Tensor | None,
    points: tuple[int, int],
    method: CropMethod,
) -> Tensor:
    """Samples `points` rows and columns of boxes with TensorFlow's operation."""
    sizes = [map_size(each) for each in maps]
    padded = [pad_border(each, method.border) for each in maps]
    native = [_native_boxes(boxes, size, points, method) for size in sizes]
    return ops.cast(native_crop(padded, native, points, levels), maps[0].dtype)


def _native_boxes(
    boxes: Tensor, size: MapSize, points: tuple[int, int], method: CropMethod
) -> Tensor:
    """Returns boxes whose edges are the sampling range, normalized to padded maps."""
    pad = 0.0 if method.border == "none" else 1.0
    y0, x0, y1, x1 = ops.unstack(boxes, 4, axis=-1)
    axes = []
    for first, last, cells, count in (
        (y0, y1, size[0], points[0]),
        (x0, x1, size[1], points[1]),
    ):
        cells = ops.cast(cells, "float32")
        span = method.sample_range(first, last, cells, count)
        ends = (span.first, span.last)
        if pad:
            shift, length = span.offset + pad, cells - 1.0 + 2.0 * pad
            ends = tuple((end * span.extent + shift) / length for end in ends)
        axes.append(ends)
    (top, bottom), (left, right) = axes
    return ops.stack([top, left, bottom, right], axis=-1)


def _gathered_crops(
    maps: list[Tensor],
    boxes: Tensor,
    levels: Tensor | None,
    points: tuple[int, int],
    method: CropMethod,
) -> Tensor:
    """Samples `points` rows and columns of boxes by index."""
    sizes = [map_size(each) for each in maps]
    tables = [
        ops.reshape(each, (ops.shape(each)[0], -1, each.shape[3])) for each in maps
    ]
    size: tuple[Cells, Cells] = sizes[0]
    start, table = None, tables[0]
    if levels is not None:
        heights, widths = zip(*sizes, strict=True)
        starts = [sum(h * w for h, w in sizes[:n]) for n in range(len(sizes))]
        size = (_per_box(heights, levels), _per_box(widths, levels))
        start = _per_box(starts, levels)
        table = ops.concatenate(tables, axis=1)
    rows, columns = _grid_positions(boxes, size, points, method)
    # Without a border, rounding decides whether a point is outside: do not move it.
    if method.border != "none":
        rows, columns = snap_positions(rows), snap_positions(columns)
    if levels is not None:
        height, width = (ops.expand_dims(axis, -1) for axis in size)
        size = (height, width)
    if method.border == "none" and is_portable():
        rows, columns = _onto_edges(rows, size[0]), _onto_edges(columns, size[1])
    return gather_bilinear(table, rows, columns, size, start, border=method.border)


def _onto_edges(positions: Tensor, cells: Cells) -> Tensor:
    """Moves positions next to the first and the last cell onto them.

    Other runtimes round differently from TensorFlow, and a point that is outside by the
    last digit reads 0 instead of the edge.
    """
    last = ops.cast(cells, "float32") - 1.0
    for edge in (0.0, last):
        near = ops.absolute(positions - edge) < _EDGE
        positions = ops.where(near, edge + ops.zeros_like(positions), positions)
    return positions


def _per_box(values: Sequence[int | Tensor], levels: Tensor) -> Tensor:
    """Returns `[b, p]` int32: the value of the level of each box."""
    return ops.take(ops.stack([ops.cast(v, "int32") for v in values]), levels)


def _grid_positions(
    boxes: Tensor,
    size: tuple[Cells, Cells],
    points: tuple[int, int],
    method: CropMethod,
) -> tuple[Tensor, Tensor]:
    """Returns rows `[b, p, points]` and columns of the sampling points, in cells."""
    y0, x0, y1, x1 = ops.unstack(boxes, 4, axis=-1)
    positions = []
    for first, last, cells, count in (
        (y0, y1, size[0], points[0]),
        (x0, x1, size[1], points[1]),
    ):
        span = method.sample_range(first, last, ops.cast(cells, "float32"), count)
        at = sample_positions(span.first, span.last, span.extent, count)
        positions.append(at + span.offset if span.offset else at)
    return positions[0], positions[1]


def _bin_means(crops: Tensor, size: tuple[int, int], ratio: int) -> Tensor:
    """Returns the means of `ratio` x `ratio` points, `[b, p, *size, c]`."""
    batch, number, _, _, depth = ops.shape(crops)
    bins = (batch, number, size[0], ratio, size[1], ratio, depth)
    return ops.mean(ops.reshape(crops, bins), axis=(3, 5))
