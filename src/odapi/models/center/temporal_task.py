"""CenterNet's temporal offsets: displacement of objects since the previous frame."""

import dataclasses
from collections.abc import Sequence

from keras import ops

from odapi.geometry.gather import gather_cells
from odapi.losses.boxes import BoxLoss
from odapi.losses.heatmaps import cell_loss, number_of_objects
from odapi.models.center.task import Frame, Head, Maps, Peaks, Task
from odapi.structures import Detections, Groundtruth, Tensor
from odapi.targets.center_targets import cell_targets

OFFSET = "track/offset"


@dataclasses.dataclass(frozen=True)
class CenterTemporal(Task):
    """Predicts the displacement (y, x) of each object center, in cells.

    Args:
        loss: Loss of the offsets of objects whose `track_match_flags` is set.
        weight: Weight of the loss.

    Source: Zhou et al. 2020 (https://arxiv.org/abs/2004.01177), section 4.2.
    """

    loss: BoxLoss
    weight: float = 1.0

    def __post_init__(self):
        if self.loss.on_boxes:
            raise ValueError(
                "the loss compares offsets, not boxes: weighted_iou and weighted_giou "
                "cannot be used"
            )

    @property
    def heads(self) -> tuple[Head, ...]:
        """Heads whose outputs it reads."""
        return (Head(OFFSET, 2),)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Keys of the dict that `losses` returns."""
        return (f"Loss/{OFFSET}",)

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Optional fields of `Groundtruth` that its loss reads."""
        return ("temporal_offsets", "track_match_flags")

    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted loss, a mean over objects; see `Task.losses`.

        As in the original, the mean includes objects without an offset.
        """
        targets = cell_targets(truth, frame.map_size)
        known = ops.cast(truth.track_match_flags, "float32")
        size = ops.convert_to_tensor(frame.map_size, dtype="float32")
        total = cell_loss(
            self.loss,
            [stage[OFFSET] for stage in stages],
            targets.y,
            targets.x,
            truth.temporal_offsets * size,
            targets.weights * known,
        )
        count = number_of_objects(targets.weights)
        return {f"Loss/{OFFSET}": total * (self.weight / count)}

    def detect(
        self, maps: Maps, peaks: Peaks, detections: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with their offsets, in cells as in the original."""
        offsets = gather_cells(maps[OFFSET], peaks.y, peaks.x)
        return detections._replace(temporal_offsets=offsets)
