"""Builds a two-stage detector from its message."""

import dataclasses
from typing import Any

from odapi.build.anchors import build_anchors
from odapi.build.context_rcnn import context_of
from odapi.build.hyperparams import BuildContext, build_hyperparams
from odapi.build.oneof import call
from odapi.build.rcnn_extractor import build_rcnn_extractor
from odapi.build.rcnn_parts import build_rcnn_parts, crop_of
from odapi.build.resizer import model_resizer
from odapi.build.roi_heads import RoiHeads, ThirdStage, build_roi_heads
from odapi.data.image.resize import fixed_size
from odapi.heads.rfcn_head import RfcnHead
from odapi.heads.rpn_head import ProposalHead
from odapi.models.detector import Detector
from odapi.models.two_stage.context_rcnn import ContextRCNN
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.models.two_stage.rfcn import RFCN
from odapi.models.two_stage.two_stage_parts import RcnnParts

# Any size fits if image sizes vary: variables do not depend on it.
_NOMINAL_SIZE = (320, 320)


def build_faster_rcnn(
    rcnn: Any, path: str, config: Any, context: BuildContext
) -> Detector:
    """Returns a two-stage detector with its variables.

    Args:
        rcnn: A `FasterRcnn` message.
        path: Path of the message, for errors.
        config: The TrainEvalPipelineConfig.
        context: Settings of the whole model.

    Raises:
        ConfigError: The config asks for a model that cannot be built.
    """
    return call(_build, rcnn, path, config, context)


def _build(rcnn: Any, path: str, config: Any, context: BuildContext) -> Detector:
    size = fixed_size(model_resizer(config))
    anchors = build_anchors(
        rcnn.first_stage_anchor_generator, f"{path}.first_stage_anchor_generator"
    )
    rpn = call(_rpn, rcnn, path, anchors.per_location, context)
    parts = call(build_rcnn_parts, rcnn, path, config, anchors)
    heads = None
    if rcnn.number_of_stages > 1:
        heads = build_roi_heads(
            rcnn.second_stage_box_predictor,
            f"{path}.second_stage_box_predictor",
            rcnn.num_classes,
            context,
            _third_stage(rcnn, parts, config),
        )
    # Last, since it takes longest: errors in other parts are reported before.
    extractor = build_rcnn_extractor(
        rcnn.feature_extractor, f"{path}.feature_extractor", context
    )
    attention = context_of(rcnn, path, context)
    kind = _kind(rcnn, heads)
    detector = kind(
        extractor.feature_extractor,
        extractor.roi_features if heads else None,
        rpn,
        heads.boxes if heads else None,
        dataclasses.replace(parts, pixels=extractor.pixels),
        heads.tasks if heads else (),
        seed=context.seed,
        num_classes=rcnn.num_classes,
        image_size=size,
        max_detections=_max_detections(rcnn, parts),
        add_regularization=config.train_config.add_regularization_loss,
        num_channels=context.channels,
        name="detector",
        dtype=context.dtype,
        **attention,
    )
    detector.build((None, *(size or _NOMINAL_SIZE), context.channels))
    return detector


def _rpn(
    rcnn: Any, path: str, per_location: tuple[int, ...], context: BuildContext
) -> ProposalHead:
    hyperparams = build_hyperparams(
        rcnn.first_stage_box_predictor_conv_hyperparams,
        f"{path}.first_stage_box_predictor_conv_hyperparams",
        context,
    )
    return ProposalHead(
        per_location,
        hyperparams,
        depth=rcnn.first_stage_box_predictor_depth,
        kernel_size=rcnn.first_stage_box_predictor_kernel_size,
        dilation=rcnn.first_stage_atrous_rate,
        name="rpn",
        dtype=context.dtype,
    )


def _kind(rcnn: Any, heads: RoiHeads | None) -> type[FasterRCNN]:
    if heads and isinstance(heads.boxes, RfcnHead):
        return RFCN
    return ContextRCNN if rcnn.HasField("context_config") else FasterRCNN


def _third_stage(rcnn: Any, parts: RcnnParts, config: Any) -> ThirdStage | None:
    if rcnn.number_of_stages < 3:
        return None
    sampler = parts.sampler.sampler
    return ThirdStage(
        mask_weight=rcnn.second_stage_mask_prediction_loss_weight,
        crop_method=crop_of(rcnn),
        max_rois=None if sampler is None else sampler.max_positives,
        num_keypoints=config.train_input_reader.num_keypoints,
    )


def _max_detections(rcnn: Any, parts: RcnnParts) -> int:
    if rcnn.number_of_stages == 1:
        return parts.proposer.size
    return parts.postprocess.nms.max_total
