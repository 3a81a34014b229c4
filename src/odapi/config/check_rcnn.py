"""Two-stage detectors: parts that do not fit each other, or have nothing to do."""

from collections.abc import Iterator
from typing import Any

from odapi.config import schema
from odapi.config.check_postprocess import (
    check_calibration,
    check_classification_loss,
    check_converter,
    check_suppression,
)
from odapi.config.findings import Finding, error, warning
from odapi.config.load import options

_PATH = "model.faster_rcnn"
# What the original takes where there is no message `fpn`.
_LEVELS = (2, 6)
_SECOND_STAGE = ("second_stage_", "initial_crop_size", "maxpool_", "hard_example_miner")


def find(config: Any, for_training: bool = True) -> Iterator[Finding]:
    """Yields what is wrong with a two-stage detector, or has no effect.

    Args:
        config: A TrainEvalPipelineConfig.
        for_training: Whether a model will be trained.
    """
    rcnn = config.model.faster_rcnn
    predictor = rcnn.second_stage_box_predictor
    crops = rcnn.number_of_stages > 1 and predictor.HasField("mask_rcnn_box_predictor")
    if options(config).roi_align and not crops:
        yield error(
            "options.roi_align",
            "is set, but the model cuts no regions out of maps",
            "it is for two stages and a mask_rcnn_box_predictor",
        )
    if config.model.WhichOneof("model") != "faster_rcnn":
        return
    if rcnn.num_classes < 1 and not rcnn.HasField("num_classes"):
        yield error(f"{_PATH}.num_classes", "is missing; it counts from 1")
    if not rcnn.feature_extractor.type:
        yield error(
            f"{_PATH}.feature_extractor.type",
            "is missing",
            "such as 'faster_rcnn_resnet50_fpn_keras'",
        )
    yield from _check_anchors(rcnn)
    if rcnn.number_of_stages == 1:
        yield from _check_unused(rcnn)
        return
    yield from _check_second_stage(rcnn)
    yield from _check_samplers(rcnn, for_training)


def _check_anchors(rcnn: Any) -> Iterator[Finding]:
    generator = rcnn.first_stage_anchor_generator
    kind = generator.WhichOneof("anchor_generator_oneof")
    extractor = rcnn.feature_extractor
    if kind is None or not extractor.type:
        return
    anchors = getattr(generator, kind)
    path = f"{_PATH}.first_stage_anchor_generator.{kind}"
    levels = _levels(extractor)
    found = _anchor_levels(anchors, kind)
    if found != len(levels):
        yield error(
            path,
            f"is for {found} feature map(s), but {extractor.type} gives {len(levels)}",
            "multiscale_anchor_generator is for pyramids, grid_anchor_generator for "
            "the others",
        )
    elif kind == "multiscale_anchor_generator" and anchors.min_level != levels.start:
        yield error(
            f"{path}.min_level",
            f"is {anchors.min_level}, but the lowest level of the pyramid is "
            f"{levels.start}",
            "anchors need the levels of the feature maps",
        )
    if kind == "grid_anchor_generator" and len(levels) == 1:
        yield from _check_stride(path, anchors, extractor)


def _check_stride(path: str, anchors: Any, extractor: Any) -> Iterator[Finding]:
    for name in ("height_stride", "width_stride"):
        if getattr(anchors, name) != extractor.first_stage_features_stride:
            yield warning(
                f"{path}.{name}",
                f"is {getattr(anchors, name)}, but neighbours on the feature map are "
                f"{extractor.first_stage_features_stride} pixels apart: anchors will "
                "not be where the features are",
                "see feature_extractor.first_stage_features_stride",
            )


def _levels(extractor: Any) -> range:
    if "_fpn_" not in extractor.type:
        return range(4, 5)
    if not extractor.HasField("fpn"):
        return range(_LEVELS[0], _LEVELS[1] + 1)
    return range(extractor.fpn.min_level, extractor.fpn.max_level + 1)


def _anchor_levels(anchors: Any, kind: str) -> int:
    if kind == "multiscale_anchor_generator":
        return anchors.max_level - anchors.min_level + 1
    if kind == "ssd_anchor_generator":
        return anchors.num_layers
    if kind == "flexible_grid_anchor_generator":
        return len(anchors.anchor_grid)
    return 1


def _check_unused(rcnn: Any) -> Iterator[Finding]:
    """Warns of what only a second stage reads."""
    for name, field in schema.fields(rcnn.DESCRIPTOR).items():
        if not name.startswith(_SECOND_STAGE) or not rcnn.HasField(name):
            continue
        if schema.is_message(field) or getattr(rcnn, name) != field.default_value:
            yield warning(
                f"{_PATH}.{name}",
                "has no effect: number_of_stages is 1, proposals only",
            )


def _check_second_stage(rcnn: Any) -> Iterator[Finding]:
    if not rcnn.HasField("second_stage_box_predictor"):
        yield error(f"{_PATH}.second_stage_box_predictor", "is missing")
    predictor = rcnn.second_stage_box_predictor.WhichOneof("box_predictor_oneof")
    crops = ("initial_crop_size", "maxpool_kernel_size", "maxpool_stride")
    for name in crops if predictor != "rfcn_box_predictor" else ():
        if not rcnn.HasField(name):
            yield error(f"{_PATH}.{name}", "is missing", "usual are 14, 2 and 2")
    if rcnn.maxpool_kernel_size > rcnn.initial_crop_size > 0:
        yield error(
            f"{_PATH}.maxpool_kernel_size",
            f"is {rcnn.maxpool_kernel_size}, above initial_crop_size, which is "
            f"{rcnn.initial_crop_size}: nothing is left of a crop",
        )
    path, post = (
        f"{_PATH}.second_stage_post_processing",
        rcnn.second_stage_post_processing,
    )
    loss = rcnn.second_stage_classification_loss
    kind = loss.WhichOneof("classification_loss") or "weighted_softmax"
    where = f"{_PATH}.second_stage_classification_loss.{kind}"
    yield from check_classification_loss(getattr(loss, kind), where)
    if kind == "weighted_dice_classification_loss":
        yield error(where, "has no loss of a single region", "take weighted_softmax")
    yield from check_converter(post, path, kind)
    yield from check_suppression(post, path, rcnn.num_classes)
    yield from check_calibration(post, path, rcnn.num_classes, first=0)


def _check_samplers(rcnn: Any, for_training: bool) -> Iterator[Finding]:
    mined = rcnn.HasField("hard_example_miner")
    for name in ("second_stage_batch_size", "second_stage_balance_fraction"):
        if mined and rcnn.HasField(name):
            yield warning(
                f"{_PATH}.{name}",
                "has no effect: hard_example_miner picks among all proposals",
            )
    size, most = rcnn.second_stage_batch_size, rcnn.first_stage_max_proposals
    if for_training and not mined and size > most:
        yield error(
            f"{_PATH}.second_stage_batch_size",
            f"is {size}, but there are at most {most} proposals",
            "make it smaller, or first_stage_max_proposals larger",
        )
    if rcnn.use_static_balanced_label_sampler and not rcnn.use_static_shapes:
        yield warning(
            f"{_PATH}.use_static_balanced_label_sampler",
            "has no effect: use_static_shapes is false",
        )
