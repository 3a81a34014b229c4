"""Keypoints of RoIs, a third-stage task of two-stage detectors."""

import dataclasses

from keras import ops

from odapi.errors import DataError
from odapi.geometry.gather import gather_rows
from odapi.heads.roi_keypoints import RoiKeypoints
from odapi.losses.roi_losses import ROI_KEYPOINTS, roi_keypoint_loss
from odapi.models.two_stage.proposal_sampler import RoiSample
from odapi.models.two_stage.roi_task import Regions, RoiTask, select_matched
from odapi.models.two_stage.rois import unflatten_rois
from odapi.structures import Detections, Groundtruth, Tensor
from odapi.targets.roi_targets import assign_roi_keypoints, decode_roi_keypoints
from odapi.wording import counted


@dataclasses.dataclass(frozen=True, eq=False)
class RoiKeypointTask(RoiTask):
    """Predicts the keypoints of the object in each RoI.

    Args:
        head: Keypoint head.
        weight: Weight of the loss.
        max_rois: Maximum number of RoIs per image in the loss; None: all that match an
            object.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870), section 5.
    """

    head: RoiKeypoints
    weight: float = 1.0
    max_rois: int | None = None
    groundtruth_fields = ("keypoints", "keypoint_visibility")
    loss_names = (ROI_KEYPOINTS,)

    def losses(
        self,
        regions: Regions,
        sample: RoiSample,
        groundtruth: Groundtruth,
        training: bool = False,
    ) -> dict[str, Tensor]:
        """Returns the weighted loss; see `RoiTask.losses`.

        Raises:
            DataError: The groundtruth has no keypoints, or another number of them.
        """
        wanted, points = self.head.options.num_keypoints, groundtruth.keypoints
        if points is None or points.shape[2] != wanted:
            found = (
                "no keypoints"
                if points is None
                else counted(points.shape[2], "keypoint")
            )
            raise DataError(
                "the groundtruth",
                f"has {found}, but the model learns {wanted}",
                hint="set num_keypoints of the input reader to that of the dataset",
            )
        index, real = select_matched(sample, self.max_rois)
        heatmaps = self._heatmaps(regions.roi_features(index), index.shape[1], training)
        weights = gather_rows(sample.targets.box_weights, index)
        targets = assign_roi_keypoints(
            points,
            groundtruth.keypoint_visibility,
            gather_rows(sample.boxes, index),
            gather_rows(sample.object_index, index),
            ops.where(real, weights, 0.0),
            tuple(heatmaps.shape[3:]),
        )
        loss = roi_keypoint_loss(heatmaps, targets.cells, targets.weights)
        return {ROI_KEYPOINTS: self.weight * loss}

    def add_to_detections(
        self, regions: Regions, detections: Detections, raw: bool = False
    ) -> Detections:
        """Returns the detections with their keypoints."""
        heatmaps = self._heatmaps(
            regions.roi_features(), detections.boxes.shape[1], training=False
        )
        points, scores = decode_roi_keypoints(heatmaps, detections.boxes)
        return detections._replace(keypoints=points, keypoint_scores=scores)

    def _heatmaps(self, features: Tensor, num_rois: int, training: bool) -> Tensor:
        """Returns `[b, num_rois, k, h, w]` of `features [b * num_rois, ...]`."""
        return unflatten_rois(self.head(features, training=training), num_rois)
