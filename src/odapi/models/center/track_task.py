"""CenterNet's re-identification embeddings, for tracking."""

import dataclasses
from collections.abc import Sequence

import keras
from keras import ops

from odapi.geometry.gather import gather_cells
from odapi.heads.track_classifier import TrackClassifier
from odapi.losses.classification import ClassificationLoss
from odapi.losses.heatmaps import number_of_objects
from odapi.models.center.task import Frame, Head, Maps, Peaks, Task
from odapi.structures import Detections, Groundtruth, Tensor
from odapi.targets.center_targets import cell_targets

REID = "track/reid"


@dataclasses.dataclass(frozen=True)
class CenterTrack(Task):
    """Predicts an embedding of each object.

    In training, a classifier predicts the track of the object from its embedding;
    inference does not use the classifier.

    Args:
        classifier: Built classifier.
        loss: Loss of its logits; a track id outside its range, such as -1, is a
            negative for all tracks.
        weight: Weight of the loss.

    Source: Zhang et al. 2020 (https://arxiv.org/abs/2004.01888), section 3.3.
    """

    classifier: TrackClassifier
    loss: ClassificationLoss
    weight: float = 1.0

    @property
    def heads(self) -> tuple[Head, ...]:
        """Heads whose outputs it reads."""
        return (Head(REID, self.classifier.embedding_size),)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Keys of the dict that `losses` returns."""
        return (f"Loss/{REID}",)

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Optional fields of `Groundtruth` that its loss reads."""
        return ("track_ids",)

    @property
    def layers(self) -> tuple[keras.layers.Layer, ...]:
        """The classifier."""
        return (self.classifier,)

    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted loss, a mean over objects; see `Task.losses`."""
        targets = cell_targets(truth, frame.map_size)
        wanted = ops.one_hot(truth.track_ids, self.classifier.predict.units)
        weights = targets.weights[..., None]
        total: Tensor = 0.0
        for stage in stages:
            embeddings = gather_cells(stage[REID], targets.y, targets.x)
            logits = self.classifier(embeddings, training=frame.training)
            total = total + ops.sum(self.loss(logits, wanted, weights))
        count = number_of_objects(targets.weights) * float(len(stages))
        return {f"Loss/{REID}": total * (self.weight / count)}

    def detect(
        self, maps: Maps, peaks: Peaks, detections: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with their embeddings, of unit norm."""
        embeddings = gather_cells(maps[REID], peaks.y, peaks.x)
        norm = ops.sqrt(ops.sum(ops.square(embeddings), axis=-1, keepdims=True))
        return detections._replace(embeddings=embeddings / ops.maximum(norm, _MIN_NORM))


_MIN_NORM = 1e-12  # Zero embeddings stay zero.
