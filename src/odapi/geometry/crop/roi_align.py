"""Features of regions of interest: each box cut out of the map that suits it."""

import dataclasses
import math
from collections.abc import Sequence

from keras import ops

from odapi.geometry.crop.crop_and_resize import gather_bilinear
from odapi.kernels.crop import has_native_crop, native_crop
from odapi.structures import Tensor

# Side of the images that backbones learn to classify; boxes of that size are read
# from the level that a classifier reads.
_CLASSIFIED_PX = 224.0
_SNAP = 65536.0


@dataclasses.dataclass(frozen=True)
class CropAndResize:
    """Reads maps at points: the first and last on the edges of the box.

    0 and 1 of a box are the centres of the first and last cell of the map.

    Args:
        zero_pad_border: Interpolate between the border and zeros one cell outside the
            map. Otherwise every point outside is 0, even if it is outside only by
            rounding: the last row of a box at the edge of the map may be 0.

    Source: `tf.image.crop_and_resize`; with `fade`, the original's
    `matmul_crop_and_resize`.
    """

    zero_pad_border: bool = False
    samples: int = dataclasses.field(default=1, init=False)

    def pad(self, maps: Tensor) -> Tensor:
        """Returns maps with the cells around them that points may read."""
        if not self.zero_pad_border:
            return maps
        return ops.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))

    def sample_range(self, first: Tensor, last: Tensor, cells: Tensor, points: int):
        """Returns the places of the first and last point on an axis, normalised.

        Args:
            first, last: `[b, p]`, edges of boxes, normalised.
            cells: `[b, p]` or a number, cells on the axis, without those that
                `pad` adds.
            points: Points on the axis.
        """
        if not self.zero_pad_border:
            return first, last
        return tuple((edge * (cells - 1) + 1) / (cells + 1) for edge in (first, last))


@dataclasses.dataclass(frozen=True)
class RoiAlign:
    """Divides a box into bins, and takes the mean of points spread in each.

    0 and 1 of a box are the outer edges of the first and last cell of the map.
    Points less than half a cell outside of the map read its outer cells; others 0.

    Args:
        samples: Points in a bin, along each axis.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870), section 3, in the
    variant without the shift by half a cell (Detectron2, "aligned").
    """

    samples: int = 2

    def __post_init__(self):
        if self.samples < 1:
            raise ValueError(f"samples must be 1 or more, got {self.samples}")

    def pad(self, maps: Tensor) -> Tensor:
        """Returns maps with their outer cells twice."""
        # TensorFlow's and torch's padding have no such mode.
        maps = ops.concatenate([maps[:, :1], maps, maps[:, -1:]], axis=1)
        return ops.concatenate([maps[:, :, :1], maps, maps[:, :, -1:]], axis=2)

    def sample_range(self, first: Tensor, last: Tensor, cells: Tensor, points: int):
        """Returns the places of the first and last point; see `CropAndResize`."""
        inset = (last - first) * (0.5 / points)
        if points == 1:  # One point is read in the middle of the ends.
            inset = 0.0
        places = (first + inset, last - inset)
        return tuple((place * cells + 0.5) / (cells + 1) for place in places)


CropMethod = CropAndResize | RoiAlign
CROP_AND_RESIZE = CropAndResize()


def crop_rois(
    maps: Sequence[Tensor],
    boxes: Tensor,
    size: tuple[int, int],
    method: CropMethod = CROP_AND_RESIZE,
    image_size: tuple[int, int] | None = None,
) -> Tensor:
    """Returns the features of boxes, all of one size.

    Args:
        maps: One map `[b, h, w, c]`, or the levels of a pyramid, largest first.
        boxes: `[b, p, 4]` normalised to the maps.
        size: Rows and columns.
        method: What is read.
        image_size: Height and width, in pixels, of the images that the maps show;
            needed for a pyramid, of which large boxes are cut out of small maps.

    Returns:
        `[b, p, rows, columns, c]` in the dtype of the maps.
    """
    maps = list(maps)
    boxes = ops.cast(boxes, "float32")
    levels = None
    if len(maps) > 1:
        if image_size is None:
            raise ValueError("levels of a pyramid are chosen by the size of the image")
        levels = roi_levels(boxes, len(maps), image_size)
    points = (size[0] * method.samples, size[1] * method.samples)
    crops = _crop(maps, boxes, levels, points, method)
    return crops if method.samples == 1 else _bin_means(crops, size, method.samples)


def crop_masks(
    masks: Tensor,
    owners: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    method: CropAndResize = CROP_AND_RESIZE,
) -> Tensor:
    """Returns what boxes show of one mask each, float32.

    Args:
        masks: `[b, n, h, w]`, also of integers.
        owners: `[b, p]` int32: the mask that a box is cut out of.
        boxes: `[b, p, 4]` normalised to the masks.
        size: Rows and columns.
        method: What is read.

    Returns:
        `[b, p, rows, columns]`.
    """
    number, height, width = (int(side) for side in masks.shape[1:])
    flat = method.pad(ops.reshape(masks, (-1, height, width, 1)))
    boxes = _placed(ops.cast(boxes, "float32"), (height, width), size, method)
    if has_native_crop():
        crops = native_crop([flat], [boxes], size, owners=owners, maps_each=number)
    else:
        height, width = (int(side) for side in flat.shape[1:3])
        table = ops.reshape(flat, (-1, number * height * width, 1))
        owners = ops.cast(owners, "int32")
        areas = ops.ones_like(owners)
        sides = (areas * height, areas * width)
        crops = _read(table, boxes, sides, size, owners * (height * width))
    return ops.squeeze(crops, -1)


def roi_levels(boxes: Tensor, num_levels: int, image_size: tuple[int, int]) -> Tensor:
    """Returns the level of a pyramid that shows a box best, `[b, p]` int32 from 0.

    A box as large as the images that backbones learn from gets the level before the
    last, smaller and larger ones those around it.

    Args:
        boxes: `[b, p, 4]` normalised.
        num_levels: Of the pyramid.
        image_size: Height and width in pixels.

    Source: Lin et al. 2017 (https://arxiv.org/abs/1612.03144), equation 1; which
    level comes first is the original's.
    """
    y0, x0, y1, x1 = ops.unstack(ops.cast(boxes, "float32"), 4, axis=-1)
    area = ops.maximum((y1 - y0) * (x1 - x0), 0.0)
    ratio = math.sqrt(image_size[0] * image_size[1]) / _CLASSIFIED_PX
    side = (ops.sqrt(area) * ratio)[..., None]
    # Comparisons, not the floor of a logarithm: that differs between backends.
    bounds = [2.0 ** (n - (num_levels - 2)) for n in range(1, num_levels)]
    above = side >= ops.convert_to_tensor(bounds, dtype="float32")
    return ops.sum(ops.cast(above, "int32"), axis=-1)


def pool_rois(crops: Tensor, size: int, stride: int) -> Tensor:
    """Returns the maximum of each window of crops `[b, p, h, w, c]`.

    Args:
        crops: As `crop_rois` returns them.
        size: Side of a window; windows that reach beyond a crop are left out.
        stride: Cells from one to the next.
    """
    if size == 1 and stride == 1:
        return crops
    *outer, height, width, depth = ops.shape(crops)
    flat = ops.reshape(crops, (-1, height, width, depth))
    pooled = ops.max_pool(flat, size, stride, "valid", data_format="channels_last")
    return ops.reshape(pooled, (*outer, *pooled.shape[1:]))


def _crop(
    maps: list[Tensor],
    boxes: Tensor,
    levels: Tensor | None,
    points: tuple[int, int],
    method: CropMethod,
) -> Tensor:
    """Reads `points` rows and columns in boxes."""
    sizes = [(int(each.shape[1]), int(each.shape[2])) for each in maps]
    maps = [method.pad(each) for each in maps]
    if has_native_crop():
        placed = [_placed(boxes, size, points, method) for size in sizes]
        crops = native_crop(maps, placed, points, levels)
        return ops.cast(crops, maps[0].dtype)
    size = sizes[0] if levels is None else _of_levels(sizes, levels)
    tables = [
        ops.reshape(each, (-1, each.shape[1] * each.shape[2], each.shape[3]))
        for each in maps
    ]
    starts = [sum(each.shape[1] for each in tables[:n]) for n in range(len(maps))]
    start = None
    if levels is not None:
        start = ops.take(ops.convert_to_tensor(starts, dtype="int32"), levels)
    table = tables[0] if len(maps) == 1 else ops.concatenate(tables, axis=1)
    boxes = _placed(boxes, size, points, method)
    added = maps[0].shape[1] - sizes[0][0]
    grown = tuple(axis + added for axis in size)
    return _read(table, boxes, grown, points, start, snap=_may_snap(method))


def _of_levels(sizes: list[tuple[int, int]], levels: Tensor) -> tuple[Tensor, ...]:
    """Returns the height and the width of the map of each box, `[b, p]` int32."""
    return tuple(
        ops.take(ops.convert_to_tensor(axis, dtype="int32"), levels)
        for axis in zip(*sizes, strict=True)
    )


def _placed(
    boxes: Tensor,
    size: tuple[Tensor, ...],
    points: tuple[int, int],
    method: CropMethod,
) -> Tensor:
    """Returns boxes whose edges are the first and last points of a crop."""
    y0, x0, y1, x1 = ops.unstack(boxes, 4, axis=-1)
    height, width = (ops.cast(axis, "float32") for axis in size)
    top, bottom = method.sample_range(y0, y1, height, points[0])
    left, right = method.sample_range(x0, x1, width, points[1])
    return ops.stack([top, left, bottom, right], axis=-1)


def _read(
    table: Tensor,
    boxes: Tensor,
    size: tuple[Tensor, ...],
    points: tuple[int, int],
    start: Tensor | None,
    snap: bool = False,
) -> Tensor:
    """Crops by reading by index; `size` are numbers, or `[b, p]`."""
    if start is not None:
        size = tuple(ops.cast(axis, "int32")[..., None] for axis in size)
    y0, x0, y1, x1 = ops.unstack(boxes, 4, axis=-1)
    rows = _positions(y0, y1, size[0], points[0])
    columns = _positions(x0, x1, size[1], points[1])
    if snap:
        rows, columns = _snapped(rows), _snapped(columns)
    return gather_bilinear(table, rows, columns, size, start)


def _positions(first: Tensor, last: Tensor, length: Tensor, count: int) -> Tensor:
    """Returns `[b, p, count]`: positions on an axis, as TensorFlow rounds them.

    To the last bit: a point that is outside by a rounding reads 0.
    """
    most = ops.cast(length, "float32") - 1.0
    first, last = first[..., None], last[..., None]
    if count == 1:
        return 0.5 * (first + last) * most
    # XLA would multiply and add at once, with one rounding, and by the inverse of a
    # constant instead of dividing. It knows neither what is a number nor what is 0.
    known = ops.equal(first, first)
    steps = ops.where(known, float(count - 1), 1.0)
    scale = (last - first) * most / steps
    start = ops.where(known, first * most, 0.0)
    beyond = ops.where(known, ops.arange(count, dtype="float32") * scale, 0.0)
    return start + beyond


def _may_snap(method: CropMethod) -> bool:
    # Without a cell around the map a rounding decides whether a point is outside.
    return isinstance(method, RoiAlign) or method.zero_pad_border


def _snapped(positions: Tensor) -> Tensor:
    """Returns positions to 1/65536 of a cell.

    XLA computes them twice, for the cell and for its share, and rounds each in its
    own way: of a point on the edge of two cells, one would get the share of the other.
    """
    return ops.floor(positions * _SNAP + 0.5) / _SNAP


def _bin_means(crops: Tensor, size: tuple[int, int], samples: int) -> Tensor:
    """Returns the means of `samples` x `samples` points, `[b, p, *size, c]`."""
    batch, number, _, _, depth = ops.shape(crops)
    bins = (batch, number, size[0], samples, size[1], samples, depth)
    return ops.mean(ops.reshape(crops, bins), axis=(3, 5))
