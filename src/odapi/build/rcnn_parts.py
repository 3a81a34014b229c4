"""Builds the parts of a two-stage detector that have no weights."""

import dataclasses
from typing import Any

from odapi.build.losses import build_classification_loss, build_hard_example_miner
from odapi.build.oneof import checked
from odapi.build.postprocess import build_postprocess
from odapi.config.load import options
from odapi.geometry.crop.roi_align import CropAndResize, RoiAlign
from odapi.layers.pixels import UNCHANGED
from odapi.losses.classification import ClassificationLoss, SoftmaxLoss
from odapi.losses.hard_examples import HardExampleMiner
from odapi.losses.rcnn import BoxClassifierLoss, ProposalLoss
from odapi.models.postprocess import PostProcess
from odapi.models.two_stage.proposal_sampler import ProposalSampler
from odapi.models.two_stage.proposals import Proposer
from odapi.models.two_stage.roi_pooler import RoiPooler
from odapi.models.two_stage.two_stage_parts import RcnnParts
from odapi.targets.anchor_targets import AnchorAssigner
from odapi.targets.anchors import AnchorGenerator
from odapi.targets.coders import CenterSizeCoder
from odapi.targets.matchers import ArgmaxMatcher
from odapi.targets.samplers import BalancedSampler
from odapi.targets.similarities import IouSimilarity

# Fixed in the original: an anchor is positive from an IoU of 0.7 on, or if no other
# anchor overlaps the object more, and negative below 0.3; a proposal is positive from
# 0.5 on.
_CODER = CenterSizeCoder()
RPN_MATCHER = ArgmaxMatcher(matched=0.7, unmatched=0.3, force=True)
_ROI_MATCHER = ArgmaxMatcher(matched=0.5)


def build_rcnn_parts(
    rcnn: Any, path: str, config: Any, anchors: AnchorGenerator
) -> RcnnParts:
    """Returns the parts except for the scaling of pixels, which the backbone defines.

    Args:
        rcnn: A `FasterRcnn` message.
        path: Path of the message, for errors.
        config: The TrainEvalPipelineConfig.
        anchors: The anchor generator.

    Raises:
        ConfigError: A value is not allowed, or two exclude each other.
    """
    rcnn = checked(rcnn, path)
    return RcnnParts(
        pixels=UNCHANGED,
        anchors=anchors,
        clip_anchors=rcnn.clip_anchors_to_image,
        proposer=_proposer(rcnn),
        rpn_assigner=AnchorAssigner(_CODER, IouSimilarity(), RPN_MATCHER),
        rpn_loss=_rpn_loss(rcnn, path),
        coder=_CODER,
        pooler=_pooler(rcnn, config),
        sampler=_roi_sampler(rcnn, path),
        box_loss=_box_loss(rcnn, path),
        postprocess=_postprocess(rcnn, path, config),
        box_features=rcnn.output_final_box_features,
        rpn_features=rcnn.output_final_box_rpn_features,
    )


def _proposer(rcnn: Any) -> Proposer:
    return Proposer(
        coder=_CODER,
        iou_threshold=rcnn.first_stage_nms_iou_threshold,
        score_threshold=rcnn.first_stage_nms_score_threshold,
        size=rcnn.first_stage_max_proposals,
    )


def _rpn_loss(rcnn: Any, path: str) -> ProposalLoss:
    return ProposalLoss(
        sampler=_balanced(
            rcnn,
            path,
            "first_stage_positive_balance_fraction",
            "first_stage_minibatch_size",
        ),
        localization_weight=rcnn.first_stage_localization_loss_weight,
        objectness_weight=rcnn.first_stage_objectness_loss_weight,
    )


def _balanced(rcnn: Any, path: str, share: str, size: str) -> BalancedSampler:
    fraction, max_size = getattr(rcnn, share), getattr(rcnn, size)
    fill = rcnn.use_static_shapes and rcnn.use_static_balanced_label_sampler
    return BalancedSampler(fraction, max_size, fill)


def _pooler(rcnn: Any, config: Any) -> RoiPooler:
    predictor = rcnn.second_stage_box_predictor
    if rcnn.number_of_stages == 1 or predictor.HasField("rfcn_box_predictor"):
        return RoiPooler()
    return RoiPooler(
        crop_size=rcnn.initial_crop_size,
        pool_size=rcnn.maxpool_kernel_size,
        pool_stride=rcnn.maxpool_stride,
        method=RoiAlign() if options(config).roi_align else crop_of(rcnn),
    )


def crop_of(rcnn: Any) -> CropAndResize:
    """Returns the method of the original for cropping maps and masks."""
    return CropAndResize(zero_pad_border=rcnn.use_matmul_crop_and_resize)


def _roi_sampler(rcnn: Any, path: str) -> ProposalSampler:
    assigner = AnchorAssigner(_CODER, IouSimilarity(), _ROI_MATCHER)
    if rcnn.HasField("hard_example_miner"):
        # It selects among all proposals.
        return ProposalSampler(assigner, rcnn.num_classes)
    sampler = _balanced(
        rcnn, path, "second_stage_balance_fraction", "second_stage_batch_size"
    )
    return ProposalSampler(assigner, rcnn.num_classes, sampler)


def _box_loss(rcnn: Any, path: str) -> BoxClassifierLoss:
    return BoxClassifierLoss(
        classification=_classification(rcnn, path),
        localization_weight=rcnn.second_stage_localization_loss_weight,
        classification_weight=rcnn.second_stage_classification_loss_weight,
        miner=_miner(rcnn, path),
    )


def _classification(rcnn: Any, path: str) -> ClassificationLoss:
    loss = rcnn.second_stage_classification_loss
    kind = loss.WhichOneof("classification_loss")
    if kind is None:
        return SoftmaxLoss()
    where = f"{path}.second_stage_classification_loss"
    return build_classification_loss(loss, where)


def _miner(rcnn: Any, path: str) -> HardExampleMiner | None:
    if not rcnn.HasField("hard_example_miner"):
        return None
    return build_hard_example_miner(
        rcnn.hard_example_miner,
        f"{path}.hard_example_miner",
        rcnn.second_stage_classification_loss_weight,
        rcnn.second_stage_localization_loss_weight,
    )


def _postprocess(rcnn: Any, path: str, config: Any) -> PostProcess:
    postprocess = build_postprocess(
        rcnn.second_stage_post_processing,
        has_background=True,
        candidates=options(config).nms_candidates,
        path=f"{path}.second_stage_post_processing",
    )
    # Whatever change_coordinate_frame says, as in the original.
    return dataclasses.replace(postprocess, change_coordinate_frame=True)
