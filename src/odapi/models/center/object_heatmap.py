"""CenterNet's heatmap of object centers, whose peaks are the detections."""

import dataclasses
from collections.abc import Sequence

from keras import ops

from odapi.geometry.gather import gather_cells
from odapi.geometry.heatmaps import keep_peaks, top_peaks
from odapi.losses.classification import ClassificationLoss
from odapi.losses.heatmaps import heatmap_loss, number_of_objects
from odapi.models.center.task import Frame, Head, Maps, Peaks, cells_before
from odapi.structures import Groundtruth, Tensor
from odapi.targets.center_targets import (
    WeightedKeypoints,
    center_heatmaps,
    keypoint_center_heatmaps,
)

OBJECT_CENTER = "object_center"
LOSS = f"Loss/{OBJECT_CENTER}"
_HEAD = Head(OBJECT_CENTER, 1, bias=-2.19)


@dataclasses.dataclass(frozen=True)
class ObjectCenters:
    """Heatmap of object centers, one channel per class.

    Args:
        num_classes: Number of classes.
        loss: Loss of the heatmaps.
        weight: Weight of the loss.
        min_iou: Minimum IoU with the object of a box centered within the Gaussian.
        max_detections: Maximum number of peaks.
        window: Side of the window in which a peak is the maximum.
        use_labeled_classes: Whether the loss ignores classes that were not labeled
            exhaustively in an image.
        keypoints: Keypoints whose mean is the center of an object; None: the center
            of its box.
        head: Head; its name and channels are set here.
    """

    num_classes: int
    loss: ClassificationLoss
    weight: float = 1.0
    min_iou: float = 0.7
    max_detections: int = 100
    window: int = 3
    use_labeled_classes: bool = False
    keypoints: WeightedKeypoints | None = None
    head: Head = _HEAD

    def __post_init__(self):
        if not 0 < self.min_iou < 1:
            raise ValueError(
                f"min_box_overlap_iou must be between 0 and 1, got {self.min_iou}"
            )
        for name, value in (
            ("num_classes", self.num_classes),
            ("max_box_predictions", self.max_detections),
        ):
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, got {value}")

    @property
    def heads(self) -> tuple[Head, ...]:
        """Heads whose outputs it reads."""
        name, channels = OBJECT_CENTER, self.num_classes
        return (dataclasses.replace(self.head, name=name, channels=channels),)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Keys of the dict that `losses` returns."""
        return (LOSS,)

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Optional fields of `Groundtruth` that its loss reads."""
        read = {
            "labeled_classes": self.use_labeled_classes,
            "keypoints": self.keypoints is not None,
        }
        return tuple(name for name, wanted in read.items() if wanted)

    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted loss, a mean over objects; see `Task.losses`."""
        size = self.num_classes, frame.map_size, self.min_iou
        if self.keypoints is None:
            targets = center_heatmaps(truth, *size)
        else:
            targets = keypoint_center_heatmaps(truth, self.keypoints, *size)
        weights = frame.valid_cells()
        if self.use_labeled_classes and truth.labeled_classes is not None:
            labeled = ops.cast(truth.labeled_classes, "float32")
            weights = weights * labeled[:, None, None, :]
        maps = [stage[OBJECT_CENTER] for stage in stages]
        total = heatmap_loss(self.loss, maps, targets, weights)
        count = number_of_objects(ops.where(truth.valid, truth.weights, 0.0))
        return {LOSS: total * (self.weight / count)}

    def scores(self, maps: Maps, frame: Frame) -> Tensor:
        """Returns the heatmaps `[b, h, w, num_classes]` as probabilities.

        As in the original, the index of a cell is compared with the image size in
        pixels, so that only padding beyond four times the image is masked.
        """
        scores = ops.sigmoid(maps[OBJECT_CENTER])
        if frame.true_size is None:
            return scores
        end = ops.cast(frame.true_size, "int32")
        size = (scores.shape[1], scores.shape[2])
        return ops.where(cells_before(end, size), scores, 0.0)

    def peaks(self, scores: Tensor) -> tuple[Peaks, Tensor]:
        """Returns the best peaks, and the scores `[b, k, num_classes]` of their cells.

        Args:
            scores: Output of `scores`.
        """
        best = top_peaks(keep_peaks(scores, self.window), self.max_detections)
        peaks = Peaks(best.y, best.x, best.channels, best.scores)
        return peaks, gather_cells(scores, best.y, best.x)
