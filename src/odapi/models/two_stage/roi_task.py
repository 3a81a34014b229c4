"""Tasks of the third stage: further predictions per RoI, such as masks."""

import abc
import dataclasses
from collections.abc import Callable, Mapping

import keras
from keras import ops

from odapi.geometry.gather import gather_rows
from odapi.models.two_stage.proposal_sampler import RoiSample
from odapi.models.two_stage.rois import flatten_rois
from odapi.structures import Detections, Groundtruth, Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Regions:
    """RoIs of a batch and their features.

    Args:
        boxes: `[b, n, 4]`, normalized to the padded images.
        features: `[b, n, h, w, d]`; None: tasks take crops of the maps, since the
            features have no spatial dimensions.
        crop: Function from boxes `[b, k, 4]` to their crops `[b, k, s, s, c]`.
    """

    boxes: Tensor
    features: Tensor | None
    crop: Callable[[Tensor], Tensor]

    def roi_features(self, index: Tensor | None = None) -> Tensor:
        """Returns the features `[b * k, h, w, d]` of RoIs `index [b, k]`, or of all."""
        if self.features is None:
            boxes = self.boxes if index is None else gather_rows(self.boxes, index)
            return flatten_rois(self.crop(boxes))
        if index is None:
            return flatten_rois(self.features)
        return flatten_rois(gather_rows(self.features, index))


class RoiTask(abc.ABC):
    """Third-stage prediction: losses on sampled RoIs, and fields of detections.

    Attributes:
        head: Layer with its weights, built for `[n, h, w, d]`.
        groundtruth_fields: Optional fields of `Groundtruth` that its losses read.
        loss_names: Keys of the dict that `losses` returns.
    """

    head: keras.layers.Layer
    groundtruth_fields: tuple[str, ...] = ()
    loss_names: tuple[str, ...] = ()

    @abc.abstractmethod
    def losses(
        self,
        regions: Regions,
        sample: RoiSample,
        groundtruth: Groundtruth,
        training: bool = False,
    ) -> Mapping[str, Tensor]:
        """Returns the weighted losses, scalars by name.

        Args:
            regions: RoIs of the sample with their features.
            sample: RoIs with their matched objects.
            groundtruth: Objects of the images.
            training: Whether layers run in training mode.
        """

    @abc.abstractmethod
    def add_to_detections(
        self, regions: Regions, detections: Detections, raw: bool = False
    ) -> Detections:
        """Returns the detections with the fields of this task.

        Args:
            regions: Boxes of the detections with their features.
            detections: The detections.
            raw: Whether to add the internal tensors of the original's exported models
                to `maps`.
        """


def select_matched(sample: RoiSample, max_rois: int | None) -> tuple[Tensor, Tensor]:
    """Returns the RoIs that match an object, in their order.

    Args:
        sample: RoIs with their targets.
        max_rois: Maximum number per image; None: no limit.

    Returns:
        Their indices `[b, k]` int32, and the mask `[b, k]` of the valid ones.
    """
    number = sample.boxes.shape[1]
    count = number if max_rois is None else min(max_rois, number)
    place = ops.where(sample.matched, ops.arange(number, dtype="int32"), number)
    place = -ops.top_k(-place, count)[0]
    return ops.minimum(place, number - 1), place < number
