"""CenterNet targets of objects: center heatmaps, sizes and offsets."""

import dataclasses
from typing import NamedTuple

from keras import ops

from odapi.geometry.heatmaps import draw_gaussians, gaussian_sigma
from odapi.structures import Groundtruth, Tensor
from odapi.wording import counted


class CellTargets(NamedTuple):
    """Targets of the cells of object centers."""

    y: Tensor  # [b, n] int32, row of the cell
    x: Tensor  # [b, n] int32, column
    sizes: Tensor  # [b, n, 2] float32, height and width in cells
    offsets: Tensor  # [b, n, 2] float32 in [0, 1): from the cell to the center
    weights: Tensor  # [b, n] float32, 0 for padding


def to_cells(boxes: Tensor, map_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Returns centers and sizes, `[b, n, 2]` in cells, of normalized boxes.

    For a center on the border of two cells, rounding decides: the operations are in the
    order of the original.
    """
    scale = ops.convert_to_tensor([float(n) for n in map_size], dtype="float32")
    low, high = boxes[..., :2] * scale, boxes[..., 2:] * scale
    size = high - low
    return low + size / 2.0, size


def cell_of(points: Tensor, map_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Returns row and column of the cells of points `[..., 2]`, clipped to the map."""
    cell = ops.cast(ops.floor(points), "int32")
    height, width = map_size
    return (
        ops.clip(cell[..., 0], 0, height - 1),
        ops.clip(cell[..., 1], 0, width - 1),
    )


def cell_targets(truth: Groundtruth, map_size: tuple[int, int]) -> CellTargets:
    """Returns the size and offset targets of the cells of box centers."""
    center, size = to_cells(truth.boxes, map_size)
    y, x = cell_of(center, map_size)
    weights = ops.where(truth.valid, truth.weights, 0.0)
    return CellTargets(y, x, size, center - ops.floor(center), weights)


@dataclasses.dataclass(frozen=True)
class WeightedKeypoints:
    """Defines object centers as the mean of keypoints instead of the box center.

    Args:
        class_id: The class of the objects; other objects have no center.
        indices: Indices of the keypoints in the groundtruth.
        weights: Weight per keypoint, 0 or more.
    """

    class_id: int
    indices: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.indices) != len(self.weights):
            raise ValueError(
                "keypoint_weights_for_center needs one weight per keypoint of its "
                f"class: {counted(len(self.indices), 'keypoint')}, got "
                f"{len(self.weights)} weights"
            )
        if min(self.weights, default=0.0) < 0 or not any(self.weights):
            raise ValueError(
                "keypoint_weights_for_center must be 0 or more, and not all 0"
            )


def center_heatmaps(
    truth: Groundtruth,
    num_classes: int,
    map_size: tuple[int, int],
    min_iou: float,
) -> Tensor:
    """Returns `[b, h, w, num_classes]`: Gaussians at the centers of the boxes.

    Args:
        truth: The objects, normalized.
        num_classes: Number of classes.
        map_size: Height and width of the maps.
        min_iou: IoU of boxes within the Gaussian radius, see `gaussian_radius`.
    """
    center, size = to_cells(truth.boxes, map_size)
    sigma = gaussian_sigma(size[..., 0], size[..., 1], min_iou)
    weights = ops.where(truth.valid, truth.weights, 0.0)
    return draw_gaussians(center, sigma, weights, truth.classes, num_classes, map_size)


def keypoint_center_heatmaps(
    truth: Groundtruth,
    keypoints: WeightedKeypoints,
    num_classes: int,
    map_size: tuple[int, int],
    min_iou: float,
) -> Tensor:
    """Returns `[b, h, w, num_classes]`: Gaussians at the means of keypoints.

    The size of an object is twice the mean distance of its keypoints from their mean.
    Unlabeled keypoints are ignored; an object without any is not drawn.

    Args:
        truth: The objects, normalized, with keypoints.
        keypoints: Indices and weights of the keypoints.
        num_classes, map_size, min_iou: As for `center_heatmaps`.
    """
    scale = ops.convert_to_tensor([float(n) for n in map_size], dtype="float32")
    index = ops.convert_to_tensor(keypoints.indices, dtype="int32")
    points = ops.take(truth.keypoints, index, axis=2)
    known = ops.logical_not(ops.any(ops.isnan(points), axis=-1))
    there = ops.logical_and(truth.valid, truth.classes == keypoints.class_id)
    counts = ops.logical_and(known, there[..., None])
    points = ops.where(known[..., None], points, 0.0) * scale
    share = ops.convert_to_tensor(keypoints.weights, dtype="float32")
    share = ops.cast(counts, "float32") * share
    total = ops.sum(share, axis=-1)
    seen = total > 0
    share = share / ops.where(seen, total, 1.0)[..., None]
    mean = ops.sum(points * share[..., None], axis=2)
    away = ops.sum(ops.square(points - mean[:, :, None, :]), axis=-1)
    side = 2.0 * ops.sum(ops.sqrt(away) * share, axis=-1)
    weights = ops.where(ops.logical_and(seen, there), truth.weights, 0.0)
    sigma = gaussian_sigma(side, side, min_iou)
    return draw_gaussians(mean, sigma, weights, truth.classes, num_classes, map_size)
