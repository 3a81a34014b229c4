"""Mask R-CNN: masks of RoIs, a third-stage task of two-stage detectors."""

import dataclasses

from keras import ops

from odapi.errors import DataError
from odapi.geometry.crop.roi_align import CROP_AND_RESIZE, CropAndResize
from odapi.geometry.gather import gather_rows
from odapi.heads.roi_masks import RoiMasks
from odapi.losses.roi_losses import ROI_MASKS, roi_mask_loss
from odapi.models.two_stage.proposal_sampler import RoiSample
from odapi.models.two_stage.roi_task import Regions, RoiTask, select_matched
from odapi.models.two_stage.rois import unflatten_rois
from odapi.structures import Detections, Groundtruth, Tensor
from odapi.targets.roi_targets import assign_roi_masks


@dataclasses.dataclass(frozen=True, eq=False)
class RoiMaskTask(RoiTask):
    """Predicts the mask of the object in each RoI.

    Only the mask of one class per RoI is used, so only that one is computed.

    Args:
        head: Mask head.
        weight: Weight of the loss.
        max_rois: Maximum number of RoIs per image in the loss; None: all that match an
            object.
        crop_method: Sampling of the groundtruth masks.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870).
    """

    head: RoiMasks
    weight: float = 1.0
    max_rois: int | None = None
    crop_method: CropAndResize = CROP_AND_RESIZE
    groundtruth_fields = ("masks", "mask_weights")
    loss_names = (ROI_MASKS,)

    def losses(
        self,
        regions: Regions,
        sample: RoiSample,
        groundtruth: Groundtruth,
        training: bool = False,
    ) -> dict[str, Tensor]:
        """Returns the weighted loss; see `RoiTask.losses`.

        Raises:
            DataError: The groundtruth has no masks.
        """
        if groundtruth.masks is None:
            raise DataError(
                "the groundtruth",
                "has no masks, but the model learns masks",
                hint="set train_input_reader.load_instance_masks: true; "
                "`odapi data inspect` shows whether the dataset has masks",
            )
        index, real = select_matched(sample, self.max_rois)
        boxes = gather_rows(sample.boxes, index)
        labels = gather_rows(sample.targets.class_targets, index)
        weights = gather_rows(sample.targets.box_weights, index)
        targets = assign_roi_masks(
            groundtruth.masks,
            groundtruth.mask_weights,
            boxes,
            gather_rows(sample.object_index, index),
            ops.where(real, weights, 0.0),
            self.head.options.size,
            self.crop_method,
        )
        # The first of several classes counts; for background any class will do.
        classes = ops.maximum(ops.argmax(labels, axis=-1) - 1, 0)
        logits = self._logits(regions.roi_features(index), classes, training)
        loss = roi_mask_loss(logits, targets.masks, targets.weights)
        return {ROI_MASKS: self.weight * loss}

    def add_to_detections(
        self, regions: Regions, detections: Detections, raw: bool = False
    ) -> Detections:
        """Returns the detections with the mask probabilities in their boxes."""
        if not raw:
            logits = self._logits(
                regions.roi_features(), detections.classes, training=False
            )
            return detections._replace(masks=ops.sigmoid(logits))
        logits_per_class = self.head(
            regions.roi_features(), training=False
        )  # [b * n, classes, h, w]
        index = ops.reshape(ops.cast(detections.classes, "int32"), (-1, 1))
        index = index if logits_per_class.shape[1] > 1 else ops.zeros_like(index)
        logits = unflatten_rois(
            gather_rows(logits_per_class, index)[:, 0], detections.classes.shape[1]
        )
        maps = {**(detections.maps or {}), "mask_predictions": logits_per_class}
        return detections._replace(masks=ops.sigmoid(logits), maps=maps)

    def _logits(
        self, features: Tensor, classes: Tensor, training: bool = False
    ) -> Tensor:
        """Returns `[b, k, h, w]` for classes `[b, k]` of `features [b * k, ...]`."""
        flat = ops.reshape(ops.cast(classes, "int32"), (-1,))
        logits = self.head(features, classes=flat, training=training)
        return unflatten_rois(logits, classes.shape[1])
