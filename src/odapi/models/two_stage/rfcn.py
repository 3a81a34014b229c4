"""R-FCN: a two-stage detector with position-sensitive score maps of the image."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

from odapi.models.detector import Inputs
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.models.two_stage.rcnn_outputs import BOXES, CLASSES
from odapi.models.two_stage.rois import unflatten_rois
from odapi.runtime.keras_objects import PACKAGE
from odapi.structures import Tensor


class _ImageFeatures(NamedTuple):
    features: Tensor  # [b, h, w, d], of the images
    boxes: Tensor  # [b, p, 4]


@keras.saving.register_keras_serializable(PACKAGE)
class RFCN(FasterRCNN):
    """Two-stage detector whose second stage runs on whole images, not on crops.

    The layer `roi_boxes` is an `RfcnHead`, which predicts position-sensitive maps and
    pools RoIs from them; there are no features per RoI.

    Source: Dai et al. 2016 (https://arxiv.org/abs/1605.06409); the original's
    `meta_architectures/rfcn_meta_arch.py`.
    """

    def build_second_stage(self, maps: Sequence[tuple]) -> None:
        """Creates the variables of the second stage, for the shapes of the maps."""
        shape = tuple(maps[0])
        if not self.roi_features.built:
            self.roi_features.build(shape)
        self.roi_boxes.build(self.roi_features.compute_output_shape(shape))

    def pool_and_encode(
        self,
        maps: Sequence[Tensor],
        boxes: Tensor,
        inputs: Inputs,
        training: bool = False,
    ) -> Any:
        """Returns the features of the images and the boxes to pool from them."""
        return _ImageFeatures(self.roi_features(maps[0], training=training), boxes)

    def box_predictor(self, features: Any, training: bool = False) -> dict[str, Tensor]:
        """Returns box codes and class logits, of the output of `pool_and_encode`."""
        classes, codes = self.roi_boxes(
            features.features, features.boxes, training=training
        )
        number = features.boxes.shape[1]
        return {
            BOXES: unflatten_rois(codes, number),
            CLASSES: unflatten_rois(classes, number),
        }
