"""CenterNet's offsets in time: where an object was in the frame before."""

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
    """Predicts how far the center of each object has moved, (y, x) in cells.

    Args:
        loss: Of the offset; of objects whose `track_match_flags` is set.
        weight: Of the loss.

    Source: Zhou et al. 2020 (https://arxiv.org/abs/2004.01177), section 4.2.
    """

    loss: BoxLoss
    weight: float = 1.0

    def __post_init__(self):
        if self.loss.on_boxes:
            raise ValueError(
                "the loss compares an offset, two numbers, not boxes: weighted_iou "
                "and weighted_giou do not go here"
            )

    @property
    def heads(self) -> tuple[Head, ...]:
        """What it needs predicted."""
        return (Head(OFFSET, 2),)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The keys of what `losses` returns."""
        return (f"Loss/{OFFSET}",)

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Optional fields of `Groundtruth` that its loss reads."""
        return ("temporal_offsets", "track_match_flags")

    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted loss, a mean over objects; see `Task.losses`.

        As in the original, the mean is over all objects, those without an offset
        included.
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
        self, maps: Maps, peaks: Peaks, found: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with their offsets, in cells as in the original."""
        offsets = gather_cells(maps[OFFSET], peaks.y, peaks.x)
        return found._replace(temporal_offsets=offsets)
