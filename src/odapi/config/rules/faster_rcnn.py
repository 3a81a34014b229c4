"""Two-stage detectors: parts that must fit each other, and fields without effect."""

from collections.abc import Iterator
from typing import Any

from odapi.config import schema
from odapi.config.findings import Finding, error, warning
from odapi.config.load import options
from odapi.config.rules.postprocess import find_calibration, find_converter, find_limits

_PATH = "model.faster_rcnn"
# Levels that the original uses if there is no message `fpn`.
_LEVELS = (2, 6)
_CODE_SIZE = 4
_SECOND_STAGE = ("second_stage_", "initial_crop_size", "maxpool_", "hard_example_miner")
_MASKS = "second_stage_box_predictor.mask_rcnn_box_predictor"


def find(config: Any) -> Iterator[Finding]:
    """Yields parts of a two-stage detector that contradict each other."""
    rcnn = config.model.faster_rcnn
    yield from _find_roi_align(config)
    if config.model.WhichOneof("model") != "faster_rcnn":
        return
    yield from _find_anchors(rcnn)
    yield from _find_third_stage(config)
    if rcnn.number_of_stages == 1:
        yield from _find_unused(rcnn)
        return
    yield from _find_second_stage(rcnn)
    yield from _find_rfcn(rcnn)
    yield from _find_unused_samplers(rcnn)


def about_rfcn(path: str, predictor: Any) -> Iterator[Finding]:
    """Yields crops of an `RfcnBoxPredictor` that are not a multiple of its bins."""
    for side in ("height", "width"):
        crop = getattr(predictor, f"crop_{side}")
        bins = getattr(predictor, f"num_spatial_bins_{side}")
        if bins > 0 and crop % bins:
            yield error(
                f"{path}.crop_{side}",
                f"is {crop}, no multiple of num_spatial_bins_{side} {bins}",
            )


def find_batch_size(config: Any) -> Iterator[Finding]:
    """Yields a second stage that samples more proposals than there are."""
    rcnn = config.model.faster_rcnn
    if rcnn.number_of_stages < 2 or rcnn.HasField("hard_example_miner"):
        return
    size, most = rcnn.second_stage_batch_size, rcnn.first_stage_max_proposals
    if config.model.HasField("faster_rcnn") and size > most:
        yield error(
            f"{_PATH}.second_stage_batch_size",
            f"is {size}, but there are at most {most} proposals",
            "decrease it, or increase first_stage_max_proposals",
        )


def _find_roi_align(config: Any) -> Iterator[Finding]:
    rcnn = config.model.faster_rcnn
    predictor = rcnn.second_stage_box_predictor
    crops = rcnn.number_of_stages > 1 and predictor.HasField("mask_rcnn_box_predictor")
    if options(config).roi_align and not crops:
        yield error(
            "options.roi_align",
            "is set, but the model crops no regions from feature maps",
            "it requires two stages and a mask_rcnn_box_predictor",
        )


def _find_anchors(rcnn: Any) -> Iterator[Finding]:
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
        yield from _find_stride(path, anchors, extractor)


def _find_stride(path: str, anchors: Any, extractor: Any) -> Iterator[Finding]:
    for name in ("height_stride", "width_stride"):
        if getattr(anchors, name) != extractor.first_stage_features_stride:
            yield warning(
                f"{path}.{name}",
                f"is {getattr(anchors, name)}, but the stride of the feature map is "
                f"{extractor.first_stage_features_stride}: anchors will not be "
                "centered on the features",
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


def _find_unused(rcnn: Any) -> Iterator[Finding]:
    """Yields fields that only a second stage reads."""
    for name, field in schema.fields(rcnn.DESCRIPTOR).items():
        if not name.startswith(_SECOND_STAGE) or not rcnn.HasField(name):
            continue
        if schema.is_message(field) or getattr(rcnn, name) != field.default_value:
            yield warning(
                f"{_PATH}.{name}",
                "has no effect: number_of_stages is 1, proposals only",
            )


def _find_second_stage(rcnn: Any) -> Iterator[Finding]:
    if not rcnn.HasField("second_stage_box_predictor"):
        yield error(f"{_PATH}.second_stage_box_predictor", "is missing")
    predictor = rcnn.second_stage_box_predictor.WhichOneof("box_predictor_oneof")
    own: Any = getattr(rcnn.second_stage_box_predictor, predictor or "", None)
    if getattr(own, "box_code_size", _CODE_SIZE) != _CODE_SIZE:
        yield error(
            f"{_PATH}.second_stage_box_predictor.{predictor}.box_code_size",
            f"is {own.box_code_size}, but the box codes have {_CODE_SIZE} numbers",
        )
    crops = ("initial_crop_size", "maxpool_kernel_size", "maxpool_stride")
    for name in crops if predictor != "rfcn_box_predictor" else ():
        if not rcnn.HasField(name):
            yield error(f"{_PATH}.{name}", "is missing", "usual are 14, 2 and 2")
    if rcnn.maxpool_kernel_size > rcnn.initial_crop_size > 0:
        yield error(
            f"{_PATH}.maxpool_kernel_size",
            f"is {rcnn.maxpool_kernel_size}, larger than initial_crop_size "
            f"{rcnn.initial_crop_size}: the pooled crop would be empty",
        )
    path = f"{_PATH}.second_stage_post_processing"
    post = rcnn.second_stage_post_processing
    loss = rcnn.second_stage_classification_loss
    kind = loss.WhichOneof("classification_loss") or "weighted_softmax"
    if kind == "weighted_dice_classification_loss":
        yield error(
            f"{_PATH}.second_stage_classification_loss.{kind}",
            "gives no loss per region",
            "use weighted_softmax or weighted_sigmoid",
        )
    yield from find_converter(post, path, kind)
    yield from find_limits(post, path, rcnn.num_classes)
    yield from find_calibration(post, path, rcnn.num_classes, first=0)


def _find_third_stage(config: Any) -> Iterator[Finding]:
    rcnn = config.model.faster_rcnn
    kind = rcnn.second_stage_box_predictor.WhichOneof("box_predictor_oneof")
    predictor = rcnn.second_stage_box_predictor.mask_rcnn_box_predictor
    wanted = ("predict_instance_masks", "predict_keypoints")
    if rcnn.number_of_stages < 3:
        for name in wanted:
            if getattr(predictor, name):
                yield warning(
                    f"{_PATH}.{_MASKS}.{name}",
                    "has no effect: it requires a third stage, and number_of_stages "
                    f"is {rcnn.number_of_stages}",
                )
    elif kind == "rfcn_box_predictor":
        yield error(
            f"{_PATH}.second_stage_box_predictor.{kind}",
            "has no third stage, and number_of_stages is 3",
            "set number_of_stages: 2, or use mask_rcnn_box_predictor",
        )
    elif kind and not any(getattr(predictor, name) for name in wanted):
        yield error(
            f"{_PATH}.{_MASKS}",
            "predicts nothing for the third stage that number_of_stages: 3 requests",
            "set predict_instance_masks or predict_keypoints: true, or "
            "number_of_stages: 2",
        )
    elif predictor.predict_keypoints and not config.train_input_reader.num_keypoints:
        yield error(
            f"{_PATH}.{_MASKS}.predict_keypoints",
            "needs the number of keypoints, and num_keypoints is not set",
            "set train_input_reader.num_keypoints",
        )


def _find_rfcn(rcnn: Any) -> Iterator[Finding]:
    """Yields options that R-FCN cannot have: it has no features per region."""
    if not rcnn.second_stage_box_predictor.HasField("rfcn_box_predictor"):
        return
    if "_fpn_" in rcnn.feature_extractor.type:
        yield error(
            f"{_PATH}.feature_extractor.type",
            f"{rcnn.feature_extractor.type} cannot be used with rfcn_box_predictor, "
            "which reads a single map of the whole image",
            "use a type without fpn",
        )
    for name, given in (
        ("output_final_box_features", rcnn.output_final_box_features),
        ("output_final_box_rpn_features", rcnn.output_final_box_rpn_features),
        ("context_config", rcnn.HasField("context_config")),
    ):
        if given:
            yield error(
                f"{_PATH}.{name}",
                "needs features of boxes, which R-FCN does not have",
                "remove it, or use mask_rcnn_box_predictor",
            )


def _find_unused_samplers(rcnn: Any) -> Iterator[Finding]:
    mined = rcnn.HasField("hard_example_miner")
    for name in ("second_stage_batch_size", "second_stage_balance_fraction"):
        if mined and rcnn.HasField(name):
            yield warning(
                f"{_PATH}.{name}",
                "has no effect: hard_example_miner selects among all proposals",
            )
    if rcnn.use_static_balanced_label_sampler and not rcnn.use_static_shapes:
        yield warning(
            f"{_PATH}.use_static_balanced_label_sampler",
            "has no effect: use_static_shapes is false",
        )
