"""CenterNet's masks: a semantic segmentation, cropped by box."""

import dataclasses
from collections.abc import Sequence

from keras import ops

from odapi.geometry.crop.crop_and_resize import crop_and_resize
from odapi.losses.classification import ClassificationLoss
from odapi.losses.heatmaps import heatmap_loss
from odapi.losses.normalizer import batch_normalizer
from odapi.models.center.task import Frame, Head, Maps, Peaks, Task
from odapi.structures import Detections, Groundtruth, Tensor
from odapi.targets.mask_targets import segmentation_targets

HEATMAP = "segmentation/heatmap"
LOSS = f"Loss/{HEATMAP}"
_HEAD = Head(HEATMAP, 1, bias=-2.19)


@dataclasses.dataclass(frozen=True)
class CenterMasks(Task):
    """Predicts the cells that the objects of each class cover.

    The mask of an object is the map of its class cropped to its box: overlapping
    objects of one class are not separated.

    Args:
        num_classes: Number of classes.
        loss: Loss of the maps.
        weight: Weight of the loss.
        mask_size: Height and width of the masks, in pixels.
        threshold: Minimum probability of a mask pixel.
        head: Head; its name and channels are set here.

    Source: the original's `center_net_meta_arch.py`, the mask task.
    """

    num_classes: int
    loss: ClassificationLoss
    weight: float = 1.0
    mask_size: tuple[int, int] = (256, 256)
    threshold: float = 0.5
    head: Head = _HEAD

    def __post_init__(self):
        if min(self.mask_size) < 1:
            raise ValueError(
                "mask_height and mask_width must be 1 or more, got "
                f"{self.mask_size[0]} and {self.mask_size[1]}"
            )

    @property
    def heads(self) -> tuple[Head, ...]:
        """Heads whose outputs it reads."""
        name, channels = HEATMAP, self.num_classes
        return (dataclasses.replace(self.head, name=name, channels=channels),)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Keys of the dict that `losses` returns."""
        return (LOSS,)

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Optional fields of `Groundtruth` that its loss reads."""
        return ("masks", "mask_weights")

    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted loss, a mean over cells; see `Task.losses`."""
        targets = segmentation_targets(truth, self.num_classes, frame.map_size)
        cells = frame.valid_cells()
        # As in the original, cells of unknown class count in the mean.
        batch = ops.cast(ops.shape(targets.maps)[0], "float32")
        count = ops.sum(cells) * (batch if cells.shape[0] == 1 else 1.0)
        maps = [stage[HEATMAP] for stage in stages]
        total = heatmap_loss(self.loss, maps, targets.maps, cells * targets.weights)
        return {LOSS: total * (self.weight / batch_normalizer(count))}

    def detect(
        self, maps: Maps, peaks: Peaks, detections: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with their masks, 0 or 1."""
        boxes = frame.to_map_frame(detections.boxes)
        cut = crop_and_resize(
            ops.sigmoid(maps[HEATMAP]),
            boxes,
            self.mask_size,
            channels=ops.cast(detections.classes, "int32"),
        )
        return detections._replace(masks=ops.cast(cut >= self.threshold, "float32"))
