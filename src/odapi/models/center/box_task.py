"""CenterNet's boxes: size, and offset of the center within its cell."""

import dataclasses
from collections.abc import Sequence

from keras import ops

from odapi.geometry.boxes import from_center_size
from odapi.geometry.gather import gather_cells
from odapi.losses.boxes import BoxLoss
from odapi.losses.heatmaps import cell_loss, number_of_objects
from odapi.models.center.task import STRIDE, Frame, Head, Maps, Peaks, Task
from odapi.structures import Detections, Groundtruth, Tensor
from odapi.targets.center_targets import cell_targets

SCALE, OFFSET = "box/scale", "box/offset"
_SCALE, _OFFSET = Head(SCALE, 2), Head(OFFSET, 2)


@dataclasses.dataclass(frozen=True)
class CenterBoxes(Task):
    """Predicts height and width, and the offset of the center, in cells.

    Args:
        loss: Loss of size and offset.
        weight: Weight of the task.
        scale_weight, offset_weight: Weights of both losses.
        scale_head, offset_head: Heads; their name and channels are set here.
    """

    loss: BoxLoss
    weight: float = 1.0
    scale_weight: float = 0.1
    offset_weight: float = 1.0
    scale_head: Head = _SCALE
    offset_head: Head = _OFFSET

    def __post_init__(self):
        if self.loss.on_boxes:
            raise ValueError(
                "the loss compares sizes and offsets, not boxes: weighted_iou and "
                "weighted_giou cannot be used"
            )

    @property
    def heads(self) -> tuple[Head, ...]:
        """Heads whose outputs it reads."""
        return (
            dataclasses.replace(self.scale_head, name=SCALE, channels=2),
            dataclasses.replace(self.offset_head, name=OFFSET, channels=2),
        )

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Keys of the dict that `losses` returns."""
        return (f"Loss/{SCALE}", f"Loss/{OFFSET}")

    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns both losses, weighted, means over objects; see `Task.losses`."""
        targets = cell_targets(truth, frame.map_size)
        count = number_of_objects(targets.weights)

        def mean(name, wanted, weight):
            maps = [stage[name] for stage in stages]
            place = targets.y, targets.x
            total = cell_loss(self.loss, maps, *place, wanted, targets.weights)
            return total * (weight * self.weight / count)

        return {
            f"Loss/{SCALE}": mean(SCALE, targets.sizes, self.scale_weight),
            f"Loss/{OFFSET}": mean(OFFSET, targets.offsets, self.offset_weight),
        }

    def detect(
        self, maps: Maps, peaks: Peaks, detections: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with their boxes."""
        size = ops.maximum(gather_cells(maps[SCALE], peaks.y, peaks.x), 0.0)
        offset = gather_cells(maps[OFFSET], peaks.y, peaks.x)
        cell = ops.stack([peaks.y, peaks.x], axis=-1)
        boxes = from_center_size(ops.cast(cell, "float32") + offset, size)
        end = ops.convert_to_tensor([[[*frame.map_size] * 2]], dtype="float32")
        boxes = ops.clip(boxes, 0.0, end)
        return detections._replace(boxes=normalized(boxes, frame), boxes_strided=boxes)


def normalized(boxes: Tensor, frame: Frame) -> Tensor:
    """Returns boxes normalized to the images without padding, and clipped.

    Args:
        boxes: `[b, k, 4]` in cells.
        frame: The images.
    """
    scale = STRIDE / ops.concatenate([frame.real_size] * 2, axis=-1)
    return ops.clip(boxes * scale[:, None, :], 0.0, 1.0)
