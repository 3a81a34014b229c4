"""What CenterNet is to predict of objects: heatmaps of centres, sizes, offsets."""

import dataclasses
from typing import NamedTuple

from keras import ops

from odapi.geometry.heatmaps import draw_gaussians, gaussian_sigma
from odapi.structures import Groundtruth, Tensor


class CellTargets(NamedTuple):
    """Where the centres of objects lie, and what their cells are to say."""

    y: Tensor  # [b, n] int32, row of the cell
    x: Tensor  # [b, n] int32, column
    sizes: Tensor  # [b, n, 2] float32, height and width in cells
    offsets: Tensor  # [b, n, 2] float32 in [0, 1): from the cell to the centre
    weights: Tensor  # [b, n] float32, 0 for padding


def to_cells(boxes: Tensor, map_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Returns centres and sizes, `[b, n, 2]` in cells, of normalised boxes.

    A centre may lie on the border of two cells, and rounding decides which one it is:
    the steps are those of the original.
    """
    scale = ops.convert_to_tensor([float(n) for n in map_size], dtype="float32")
    low, high = boxes[..., :2] * scale, boxes[..., 2:] * scale
    size = high - low
    return low + size / 2.0, size


def cell_of(points: Tensor, map_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Returns row and column of the cells of points `[..., 2]`, cut to the map."""
    cell = ops.cast(ops.floor(points), "int32")
    height, width = map_size
    return (
        ops.clip(cell[..., 0], 0, height - 1),
        ops.clip(cell[..., 1], 0, width - 1),
    )


def cell_targets(truth: Groundtruth, map_size: tuple[int, int]) -> CellTargets:
    """Returns what the cells of the centres of boxes are to say."""
    center, size = to_cells(truth.boxes, map_size)
    y, x = cell_of(center, map_size)
    weights = ops.where(truth.valid, truth.weights, 0.0)
    return CellTargets(y, x, size, center - ops.floor(center), weights)


@dataclasses.dataclass(frozen=True)
class WeightedKeypoints:
    """The centre of an object is the mean of its keypoints instead of its box.

    Args:
        class_id: The class whose objects count; others have no centre.
        indices: Which keypoints of the groundtruth.
        weights: How much each of them counts, 0 or more.
    """

    class_id: int
    indices: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.indices) != len(self.weights):
            raise ValueError(
                f"keypoint_weights_for_center needs a weight for each of the "
                f"{len(self.indices)} keypoints of its class, got {len(self.weights)}"
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
    """Returns `[b, h, w, num_classes]`: Gaussians at the centres of the boxes.

    Args:
        truth: The objects, normalised.
        num_classes: Number of classes.
        map_size: Height and width of the maps.
        min_iou: What a box that is predicted inside of the Gaussian overlaps.
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

    An object is as large as twice the mean distance of its keypoints from their mean.
    Keypoints that are not labelled do not count; an object without any is not drawn.

    Args:
        truth: The objects, normalised, with keypoints.
        keypoints: Which ones, and how much each counts.
        num_classes, map_size, min_iou: As of `center_heatmaps`.
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
