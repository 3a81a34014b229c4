"""Mask R-CNN: the masks of regions, as the third stage of a two-stage detector."""

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
    """Learns masks from regions that show an object, and finds those of detections.

    The mask of one class of a region is all that is looked at, so no other is made.

    Args:
        head: Predicts masks.
        weight: Of the loss.
        most: Regions of an image that are learnt from; None: all that show an object.
        crop_method: How masks of objects are cut.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870).
    """

    head: RoiMasks
    weight: float = 1.0
    most: int | None = None
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
            DataError: There are no masks to learn from.
        """
        if groundtruth.masks is None:
            raise DataError(
                "the groundtruth",
                "has no masks, and the model learns masks",
                hint="set train_input_reader.load_instance_masks: true; "
                "`odapi data inspect` says whether the data have masks",
            )
        index, real = select_matched(sample, self.most)
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
        # Of several classes the first counts; of background any will do.
        classes = ops.maximum(ops.argmax(labels, axis=-1) - 1, 0)
        logits = self._logits(regions.roi_features(index), classes, training)
        loss = roi_mask_loss(logits, targets.masks, targets.weights)
        return {ROI_MASKS: self.weight * loss}

    def add_to_detections(
        self, regions: Regions, found: Detections, raw: bool = False
    ) -> Detections:
        """Returns detections with the probabilities of masks in their boxes."""
        if not raw:
            logits = self._logits(regions.roi_features(), found.classes, training=False)
            return found._replace(masks=ops.sigmoid(logits))
        every = self.head(
            regions.roi_features(), training=False
        )  # [b * n, classes, h, w]
        index = ops.reshape(ops.cast(found.classes, "int32"), (-1, 1))
        index = index if every.shape[1] > 1 else ops.zeros_like(index)
        logits = unflatten_rois(gather_rows(every, index)[:, 0], found.classes.shape[1])
        maps = {**(found.maps or {}), "mask_predictions": every}
        return found._replace(masks=ops.sigmoid(logits), maps=maps)

    def _logits(self, seen: Tensor, classes: Tensor, training: bool) -> Tensor:
        """Returns `[b, k, h, w]` for classes `[b, k]` of `seen [b * k, ...]`."""
        flat = ops.reshape(ops.cast(classes, "int32"), (-1,))
        logits = self.head(seen, classes=flat, training=training)
        return unflatten_rois(logits, classes.shape[1])
