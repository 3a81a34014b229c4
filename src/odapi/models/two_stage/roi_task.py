"""What a two-stage detector can say of its regions besides class and box."""

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
    """Boxes, and what can be seen in them.

    Args:
        boxes: `[b, n, 4]`, normalized to the padded images.
        features: `[b, n, h, w, d]`; None: tasks look at crops of the maps, since the
            features have lost what is where.
        crop: Cuts boxes `[b, k, 4]` out of the maps: `[b, k, s, s, c]`.
    """

    boxes: Tensor
    features: Tensor | None
    crop: Callable[[Tensor], Tensor]

    def roi_features(self, index: Tensor | None = None) -> Tensor:
        """Returns `[b * k, h, w, d]`: what regions `index [b, k]`, or all, show."""
        if self.features is None:
            boxes = self.boxes if index is None else gather_rows(self.boxes, index)
            return flatten_rois(self.crop(boxes))
        if index is None:
            return flatten_rois(self.features)
        return flatten_rois(gather_rows(self.features, index))


class RoiTask(abc.ABC):
    """Something that is learnt from sampled regions and found in detections.

    Attributes:
        head: Layer that owns its weights, built for `[n, h, w, d]`.
        groundtruth_fields: Optional fields of `Groundtruth` that its losses read.
        loss_names: The keys of what `losses` returns.
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
        """Returns its losses, weighted, scalars by name.

        Args:
            regions: What is seen in the boxes of the sample.
            sample: Which objects they show.
            groundtruth: The objects.
            training: Whether its layers work as in training.
        """

    @abc.abstractmethod
    def add_to_detections(
        self, regions: Regions, found: Detections, raw: bool = False
    ) -> Detections:
        """Returns detections with what it says of them.

        Args:
            regions: What is seen in the boxes of the detections.
            found: The detections.
            raw: Also put into their `maps` what the original's exported models give.
        """


def select_matched(sample: RoiSample, most: int | None) -> tuple[Tensor, Tensor]:
    """Returns the regions that show an object, in their order.

    Args:
        sample: Regions.
        most: How many there are at most; more are left out. None: any number.

    Returns:
        Their index `[b, k]` int32, and whether it is one, `[b, k]` bool.
    """
    number = sample.boxes.shape[1]
    count = number if most is None else min(most, number)
    place = ops.where(sample.matched, ops.arange(number, dtype="int32"), number)
    place = -ops.top_k(-place, count)[0]
    return ops.minimum(place, number - 1), place < number
