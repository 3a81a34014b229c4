"""Builds the heads per region of a two-stage detector from a `BoxPredictor`."""

import dataclasses
from typing import Any

from odapi.build.hyperparams import BuildContext, build_hyperparams
from odapi.build.oneof import build_oneof
from odapi.geometry.crop.roi_align import CROP_AND_RESIZE, CropAndResize
from odapi.heads.rfcn_head import RfcnHead, RfcnOptions
from odapi.heads.roi_boxes import RoiBoxes, RoiBoxOptions
from odapi.heads.roi_keypoints import RoiKeypointOptions, RoiKeypoints
from odapi.heads.roi_masks import RoiMaskOptions, RoiMasks
from odapi.models.two_stage.roi_keypoint_task import RoiKeypointTask
from odapi.models.two_stage.roi_mask_task import RoiMaskTask
from odapi.models.two_stage.roi_task import RoiTask


@dataclasses.dataclass(frozen=True, eq=False)
class RoiHeads:
    """The heads of a second and third stage, without variables yet.

    Args:
        boxes: Classes and boxes; see `heads.roi_boxes` and `heads.rfcn_head`.
        tasks: Further tasks, such as masks and keypoints.
    """

    boxes: RoiBoxes | RfcnHead
    tasks: tuple[Any, ...] = ()


@dataclasses.dataclass(frozen=True)
class ThirdStage:
    """Settings of the third stage from other messages.

    Args:
        mask_weight: Weight of the mask loss.
        crop_method: Method for cropping maps and masks.
        max_rois: Maximum number of positive regions per image; None for no limit.
        num_keypoints: Number of keypoints per object in the dataset.
    """

    mask_weight: float = 1.0
    crop_method: CropAndResize = CROP_AND_RESIZE
    max_rois: int | None = None
    num_keypoints: int = 0


def build_roi_heads(
    config: Any,
    path: str,
    num_classes: int,
    context: BuildContext,
    third: ThirdStage | None = None,
) -> RoiHeads:
    """Returns the heads per region.

    Args:
        config: A `BoxPredictor` message.
        path: Path of the message, for errors.
        num_classes: Without the background.
        context: Settings of the whole model.
        third: What else is known of the third stage; None: there is none.

    Raises:
        ConfigError: A value is not allowed, or the predictor is not one of regions.
    """
    return build_oneof(
        config, "box_predictor_oneof", _HEADS, path, num_classes, context, third
    )


def _mask_rcnn(
    config: Any,
    path: str,
    num_classes: int,
    context: BuildContext,
    third: ThirdStage | None,
) -> RoiHeads:
    boxes = _boxes(config, path, num_classes, context)
    if third is None:
        return RoiHeads(boxes)
    tasks: list[RoiTask] = []
    if config.predict_instance_masks:
        head = _masks(config, path, num_classes, context)
        tasks.append(
            RoiMaskTask(head, third.mask_weight, third.max_rois, third.crop_method)
        )
    if config.predict_keypoints:
        tasks.append(_keypoints(config, path, context, third))
    return RoiHeads(boxes, tuple(tasks))


def _masks(config: Any, path: str, num_classes: int, context: BuildContext) -> RoiMasks:
    options = RoiMaskOptions(
        num_classes,
        size=(config.mask_height, config.mask_width),
        num_layers=config.mask_prediction_num_conv_layers,
        depth=config.mask_prediction_conv_depth,
        class_agnostic=config.masks_are_class_agnostic,
        upsample_last=config.convolve_then_upsample_masks,
    )
    hyperparams = build_hyperparams(
        config.conv_hyperparams, f"{path}.conv_hyperparams", context
    )
    return RoiMasks(options, hyperparams, name="roi_masks", dtype=context.dtype)


def _keypoints(
    config: Any, path: str, context: BuildContext, third: ThirdStage
) -> RoiKeypointTask:
    hyperparams = build_hyperparams(
        config.conv_hyperparams, f"{path}.conv_hyperparams", context
    )
    options = RoiKeypointOptions(third.num_keypoints)
    head = RoiKeypoints(options, hyperparams, name="roi_keypoints", dtype=context.dtype)
    return RoiKeypointTask(head, max_rois=third.max_rois)


def _boxes(config: Any, path: str, num_classes: int, context: BuildContext) -> RoiBoxes:
    keep = config.dropout_keep_probability
    options = RoiBoxOptions(
        num_classes,
        code_size=config.box_code_size,
        share_boxes=config.share_box_across_classes,
        dropout=1.0 - keep if config.use_dropout else 0.0,
    )
    hyperparams = build_hyperparams(
        config.fc_hyperparams, f"{path}.fc_hyperparams", context
    )
    return RoiBoxes(options, hyperparams, name="roi_boxes", dtype=context.dtype)


def _rfcn(
    config: Any,
    path: str,
    num_classes: int,
    context: BuildContext,
    third: ThirdStage | None,
) -> RoiHeads:
    options = RfcnOptions(
        num_classes,
        bins=(config.num_spatial_bins_height, config.num_spatial_bins_width),
        crop=(config.crop_height, config.crop_width),
        depth=config.depth,
        code_size=config.box_code_size,
    )
    hyperparams = build_hyperparams(
        config.conv_hyperparams, f"{path}.conv_hyperparams", context
    )
    return RoiHeads(RfcnHead(options, hyperparams, name="rfcn", dtype=context.dtype))


_HEADS = {"mask_rcnn_box_predictor": _mask_rcnn, "rfcn_box_predictor": _rfcn}
