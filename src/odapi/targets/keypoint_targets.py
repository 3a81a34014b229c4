"""CenterNet targets of keypoints: heatmaps, offsets, regression and depths.

Points are (y, x) in cells of the maps. The box of an object without the keypoint, or of
another class, is excluded from the loss of the heatmap.
"""

from typing import NamedTuple

from keras import ops

from odapi.geometry.box_maps import cover_boxes
from odapi.geometry.heatmaps import gaussian_sigma
from odapi.geometry.keypoints import MIN_IOU
from odapi.structures import Groundtruth, Tensor
from odapi.targets.center_targets import to_cells

_MIN_WEIGHT = 1e-3  # Keypoints of a lower weight are not labeled.


class Points(NamedTuple):
    """Keypoints of the objects of one class."""

    points: Tensor  # [b, n, k, 2] float32, 0 if not labeled
    weights: Tensor  # [b, n, k] float32, 0 if not labeled


class HeatmapTargets(NamedTuple):
    """Heatmaps of keypoints, and weights of their cells."""

    heatmaps: Tensor  # [b, h, w, k] float32 in 0 to 1
    weights: Tensor  # [b, h, w, k] float32, 0: not known
    number: Tensor  # float32: number of keypoints in the batch


class CellTargets(NamedTuple):
    """Targets of single cells for one keypoint each."""

    y: Tensor  # [b, m] int32, row of the cell
    x: Tensor  # [b, m] int32, column
    keypoints: Tensor  # [b, m] int32, index of the keypoint
    values: Tensor  # [b, m, 2] float32, or [b, m, 1] for depths
    weights: Tensor  # [b, m] float32


def keypoints_of_class(
    truth: Groundtruth,
    class_id: int,
    indices: tuple[int, ...],
    map_size: tuple[int, int],
) -> Points:
    """Returns the keypoints of the objects of a class, in cells.

    Args:
        truth: The objects.
        class_id: Their class, from 0.
        indices: Indices of the keypoints in the groundtruth.
        map_size: Height and width of the maps.
    """
    points = select_keypoints(truth.keypoints, indices)
    known = ops.logical_not(ops.any(ops.isnan(points), axis=-1))
    ours = ops.logical_and(truth.valid, truth.classes == class_id)
    weights = ops.where(ours, truth.weights, 0.0)[..., None]
    scale = ops.convert_to_tensor([float(n) for n in map_size], dtype="float32")
    return Points(
        ops.where(known[..., None], points, 0.0) * scale,
        ops.where(known, weights, 0.0),
    )


def select_keypoints(values: Tensor, indices: tuple[int, ...]) -> Tensor:
    """Returns the keypoints `indices` of `values [b, n, k, ...]`."""
    return ops.take(values, ops.convert_to_tensor(indices, dtype="int32"), axis=2)


def heatmap_targets(
    truth: Groundtruth,
    points: Points,
    deviations: tuple[float, ...],
    map_size: tuple[int, int],
) -> HeatmapTargets:
    """Returns Gaussians at the keypoints, scaled by the size of the objects.

    Args:
        truth: The objects.
        points: Their keypoints.
        deviations: Standard deviation per keypoint, relative to that of the box.
        map_size: Height and width of the maps.
    """
    size = to_cells(truth.boxes, map_size)[1]
    sigmas = gaussian_sigma(size[..., 0], size[..., 1], MIN_IOU)[..., None]
    sigmas = sigmas * ops.convert_to_tensor(deviations, dtype="float32")
    heatmaps = draw_keypoints(points, sigmas, map_size)

    unknown = ops.logical_and(truth.valid[..., None], points.weights < _MIN_WEIGHT)
    rows, columns = cover_boxes(truth.boxes, map_size)
    # Number of boxes with an unknown keypoint that cover a cell.
    columns = columns[:, :, :, None] * ops.cast(unknown, "float32")[:, :, None]
    covered = ops.einsum("bnh,bnwk->bhwk", rows, columns)
    # The original rounds the number down per keypoint and image.
    number = ops.sum(ops.floor(ops.sum(points.weights, axis=1)))
    return HeatmapTargets(
        heatmaps,
        ops.cast(covered < 0.5, "float32"),
        number,
    )


def draw_keypoints(points: Points, sigmas: Tensor, map_size: tuple[int, int]) -> Tensor:
    """Draws one Gaussian per keypoint, with the maximum where they overlap.

    Loops over the objects, since one map per object would take too much memory, up to
    the maximum number of objects of an image.

    Args:
        points: The keypoints; rounded down to whole cells.
        sigmas: `[b, n, k]`, standard deviations, above 0.
        map_size: Height and width of the maps.

    Returns:
        `[b, h, w, k]` float32.
    """
    height, width = map_size
    batch, kinds = ops.shape(sigmas)[0], sigmas.shape[2]
    empty = ops.zeros((batch, height, width, kinds), "float32")
    if not sigmas.shape[1]:
        return empty
    cell = ops.floor(points.points)
    variance = 2.0 * ops.square(sigmas)[:, :, None]

    def profile(length: int, axis: int) -> Tensor:
        cells = ops.arange(length, dtype="float32")[None, None, :, None]
        distance = ops.square(cells - cell[:, :, None, :, axis])
        return ops.exp(-distance / variance)  # [b, n, length, k]

    # Objects with keypoints come first; the others are not drawn.
    labeled = ops.cast(ops.any(points.weights > 0, axis=-1), "int32")
    order = ops.argsort(1 - labeled, axis=1)[:, :, None, None]
    rows = profile(height, 0) * points.weights[:, :, None]
    rows = ops.moveaxis(ops.take_along_axis(rows, order, axis=1), 1, 0)
    columns = ops.take_along_axis(profile(width, 1), order, axis=1)
    columns = ops.moveaxis(columns, 1, 0)

    def draw(n: Tensor, maps: Tensor) -> Tensor:
        row, column = ops.take(rows, n, axis=0), ops.take(columns, n, axis=0)
        return ops.maximum(maps, row[:, :, None] * column[:, None])

    count = ops.cast(ops.max(ops.sum(labeled, axis=1)), "int32")
    return ops.stop_gradient(ops.fori_loop(0, count, draw, empty))


def offset_targets(
    points: Points, radius: int, map_size: tuple[int, int]
) -> CellTargets:
    """Returns the offsets of each keypoint from its cell and the cells around it.

    Args:
        points: The keypoints.
        radius: Radius of the disk around the keypoint's cell, in cells.
        map_size: Height and width of the maps.
    """
    return _around(points.points, points, radius, map_size)


def regression_targets(
    truth: Groundtruth, points: Points, radius: int, map_size: tuple[int, int]
) -> CellTargets:
    """Returns the offsets of each keypoint from the cells around its object's center.

    Args:
        truth: The objects.
        points: Their keypoints.
        radius: Radius of the disk around the center's cell, in cells.
        map_size: Height and width of the maps.
    """
    center = to_cells(truth.boxes, map_size)[0][:, :, None]
    return _around(center + 0.0 * points.points, points, radius, map_size)


def depth_targets(
    truth: Groundtruth,
    points: Points,
    indices: tuple[int, ...],
    radius: int,
    map_size: tuple[int, int],
) -> CellTargets:
    """Returns the depth of each keypoint, for its cell and the cells around it.

    Args:
        truth: The objects, with depths.
        points: Their keypoints.
        indices: Indices of the keypoints in the groundtruth.
        radius: Radius of the disk around the keypoint's cell, in cells.
        map_size: Height and width of the maps.
    """
    depths = select_keypoints(truth.keypoint_depths, indices)
    weights = points.weights
    if truth.keypoint_depth_weights is not None:
        weights = weights * select_keypoints(truth.keypoint_depth_weights, indices)
    unknown = ops.logical_or(ops.isnan(depths), ops.isnan(weights))
    depths, weights = (ops.where(unknown, 0.0, v) for v in (depths, weights))
    cells = offset_targets(points._replace(weights=weights), radius, map_size)
    spread = cells.y.shape[1] // (depths.shape[1] * depths.shape[2])
    every = ops.reshape(depths, (-1, depths.shape[1] * depths.shape[2], 1))
    every = ops.repeat(every, spread, axis=2)
    return cells._replace(values=ops.reshape(every, (-1, cells.y.shape[1], 1)))


def _around(
    sources: Tensor, points: Points, radius: int, map_size: tuple[int, int]
) -> CellTargets:
    """Returns offsets of points from the cells around `sources [b, n, k, 2]`."""
    _, number, count, _ = sources.shape
    disk = ops.convert_to_tensor(_disk(radius), dtype="float32")
    cells = ops.floor(sources)[..., None, :] + disk  # [b, n, k, disk, 2]
    height, width = map_size
    end = ops.convert_to_tensor([float(height), float(width)], dtype="float32")
    inside = ops.all(ops.logical_and(cells >= 0, cells < end), axis=-1)
    shifts = points.points[..., None, :] - cells
    weights = ops.where(inside, points.weights[..., None], 0.0)
    cells = ops.cast(ops.where(inside[..., None], cells, 0.0), "int32")
    kind = ops.arange(count, dtype="int32")[:, None] + 0 * cells[..., 0]
    total = number * count * len(_disk(radius))
    flat = (-1, total)
    return CellTargets(
        ops.reshape(cells[..., 0], flat),
        ops.reshape(cells[..., 1], flat),
        ops.reshape(kind, flat),
        ops.reshape(shifts, (-1, total, 2)),
        ops.reshape(weights, flat),
    )


def _disk(radius: int) -> list[tuple[int, int]]:
    """Returns the offsets (y, x) of the cells within a radius.

    >>> _disk(1)
    [(-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)]
    """
    around = range(-radius, radius + 1)
    return [(y, x) for y in around for x in around if y * y + x * x <= radius * radius]
