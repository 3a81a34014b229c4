"""What a two-stage detector can say of its regions besides class and box."""

import abc
from collections.abc import Mapping

import keras

from odapi.models.roi_sample import RoiSample
from odapi.structures import Detections, Groundtruth, Tensor


class RoiTask(abc.ABC):
    """Something that is learnt from sampled regions and found in detections.

    Attributes:
        groundtruth_fields: Optional fields of `Groundtruth` that its losses read.
        loss_names: The keys of what `losses` returns.
    """

    groundtruth_fields: tuple[str, ...] = ()
    loss_names: tuple[str, ...] = ()

    @property
    @abc.abstractmethod
    def layers(self) -> tuple[keras.layers.Layer, ...]:
        """Layers that own its weights; each is built for features `[n, h, w, d]`."""

    @abc.abstractmethod
    def losses(
        self,
        features: Tensor,
        sample: RoiSample,
        groundtruth: Groundtruth,
        training: bool = False,
    ) -> Mapping[str, Tensor]:
        """Returns its losses, weighted, scalars by name.

        Args:
            features: `[b, n, h, w, d]` of the regions.
            sample: The regions, which objects they show.
            groundtruth: The objects.
            training: Whether its layers work as in training.
        """

    @abc.abstractmethod
    def complete(self, features: Tensor, found: Detections) -> Detections:
        """Returns detections with what it says of them.

        Args:
            features: `[b, n, h, w, d]` of the boxes of the detections.
            found: The detections.
        """
