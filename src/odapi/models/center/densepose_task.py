"""CenterNet's DensePose: body part and surface coordinates of each pixel."""

import dataclasses
from collections.abc import Sequence

from keras import ops

from odapi.geometry.crop.crop_and_resize import crop_and_resize
from odapi.geometry.gather import gather_cells, gather_rows, sample_cells
from odapi.losses.boxes import BoxLoss
from odapi.losses.classification import ClassificationLoss
from odapi.losses.normalizer import batch_normalizer
from odapi.models.center.task import STRIDE, Frame, Head, Maps, Peaks, Task
from odapi.structures import Detections, Groundtruth, Tensor

PARTS, SURFACE = "densepose/heatmap", "densepose/regression"


@dataclasses.dataclass(frozen=True)
class CenterDensePose(Task):
    """Predicts body parts and surface coordinates, masked by instance masks.

    Args:
        class_id: Class with parts, 0-based.
        part_loss: Loss of the part logits at the points of the groundtruth.
        surface_loss: Loss of the coordinates (v, u) of the part at these points.
        num_parts: Number of body parts.
        weight, part_weight, surface_weight: Weights of the task and of both losses.
        full_resolution: Whether maps are interpolated at pixels instead of read at
            cells.
        bias: Initial bias of the part logits.

    Source: Güler et al. 2018 (https://arxiv.org/abs/1802.00434); the original's
    `center_net_meta_arch.py`.
    """

    class_id: int
    part_loss: ClassificationLoss
    surface_loss: BoxLoss
    num_parts: int = 24
    weight: float = 1.0
    part_weight: float = 1.0
    surface_weight: float = 1.0
    full_resolution: bool = True
    bias: float = -2.19

    def __post_init__(self):
        if self.num_parts < 1:
            raise ValueError(f"num_parts must be 1 or more, got {self.num_parts}")
        if self.surface_loss.on_boxes:
            raise ValueError(
                "the loss compares coordinates, not boxes: weighted_iou and "
                "weighted_giou cannot be used"
            )

    @property
    def heads(self) -> tuple[Head, ...]:
        """Heads whose outputs it reads."""
        return (
            Head(PARTS, self.num_parts, bias=self.bias),
            Head(SURFACE, 2 * self.num_parts),
        )

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Keys of the dict that `losses` returns."""
        return (f"Loss/{PARTS}", f"Loss/{SURFACE}")

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Optional fields of `Groundtruth` that its losses read."""
        return ("densepose_points", "densepose_part_ids", "densepose_num_points")

    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns both losses, weighted, means over points; see `Task.losses`."""
        number, max_points = truth.densepose_part_ids.shape[1:]
        parts = ops.reshape(truth.densepose_part_ids, (-1, number * max_points))
        places = ops.reshape(truth.densepose_points, (-1, number * max_points, 4))
        weights = ops.reshape(
            _point_weights(truth, max_points), (-1, number * max_points)
        )
        wanted = ops.one_hot(parts, self.num_parts)
        part_total: Tensor = 0.0
        surface_total: Tensor = 0.0
        for stage in stages:
            logits = self._read(stage[PARTS], places, frame)
            loss = self.part_loss(logits, wanted, weights[..., None])
            part_total = part_total + ops.sum(loss)
            both = self._read(stage[SURFACE], places, frame)
            own = _of_part(both, parts, self.num_parts)
            loss = self.surface_loss(own, places[..., 2:], weights)
            surface_total = surface_total + ops.sum(loss)
        count = ops.sum(ops.cast(weights > 0, "float32"))
        scale = self.weight / (batch_normalizer(count) * float(len(stages)))
        return {
            f"Loss/{PARTS}": part_total * (scale * self.part_weight),
            f"Loss/{SURFACE}": surface_total * (scale * self.surface_weight),
        }

    def detect(
        self, maps: Maps, peaks: Peaks, detections: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections, those of the class with parts as masks.

        Such masks hold the 1-based part of each pixel, and `surface_coords` the
        coordinates within it.

        Raises:
            ValueError: The detections have no masks.
        """
        if detections.masks is None:
            raise ValueError("DensePose needs masks, and the detections have none")
        size = tuple(detections.masks.shape[2:])
        boxes = frame.to_map_frame(detections.boxes)
        best = ops.full_like(detections.masks, -float("inf"))
        part = ops.zeros_like(detections.masks)
        v = u = ops.zeros_like(detections.masks)

        def crop(name, channel):
            here = ops.full(ops.shape(detections.classes), channel, dtype="int32")
            return crop_and_resize(maps[name], boxes, size, channels=here)

        # One part after the other: crops of all parts together do not fit in memory.
        for n in range(self.num_parts):
            score = crop(PARTS, n)
            better = score > best
            best = ops.where(better, score, best)
            part = ops.where(better, n + 1.0, part)
            v = ops.where(better, crop(SURFACE, 2 * n), v)
            u = ops.where(better, crop(SURFACE, 2 * n + 1), u)
        has_parts = (detections.classes == self.class_id)[..., None, None]
        masks = ops.where(has_parts, detections.masks * part, detections.masks)
        inside = ops.where(has_parts, detections.masks, 0.0)[..., None]
        surface = ops.stack([v, u], axis=-1) * inside
        return detections._replace(masks=masks, surface_coords=surface)

    def _read(self, maps: Tensor, places: Tensor, frame: Frame) -> Tensor:
        """Returns the values `[b, n, c]` of maps at points normalized to the images."""
        height, width = frame.image_size if self.full_resolution else frame.map_size
        # Whole pixels or cells, as in the original.
        y = ops.floor(places[..., 0] * height)
        x = ops.floor(places[..., 1] * width)
        if not self.full_resolution:
            return gather_cells(maps, ops.cast(y, "int32"), ops.cast(x, "int32"))
        y, x = (ops.clip(a, 0.0, n - 1.0) for a, n in ((y, height), (x, width)))
        return sample_cells(maps, (y + 0.5) / STRIDE - 0.5, (x + 0.5) / STRIDE - 0.5)


def _point_weights(truth: Groundtruth, max_points: int) -> Tensor:
    """Returns object weights per point, `[b, n, max_points]`, 0 for padding."""
    there = (
        ops.arange(max_points, dtype="int32") < truth.densepose_num_points[..., None]
    )
    weights = ops.where(truth.valid, truth.weights, 0.0)
    return ops.where(there, weights[..., None], 0.0)


def _of_part(values: Tensor, parts: Tensor, num_parts: int) -> Tensor:
    """Returns the coordinates `[b, n, 2]` of a part, of `[b, n, 2 * num_parts]`."""
    points = values.shape[1]
    rows = ops.reshape(values, (-1, points * num_parts, 2))
    start = num_parts * ops.arange(points, dtype="int32")
    return gather_rows(rows, ops.clip(parts, 0, num_parts - 1) + start)
