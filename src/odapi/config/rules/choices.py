"""Fields that name a part (extractors, metrics, methods), and values of enums."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from odapi.config import schema
from odapi.config.findings import Finding, error
from odapi.errors import did_you_mean

# Values of enums that are refused, by field.
VALUES: dict[str, dict[str, str]] = {
    "Context.attention_position": {
        "ATTENTION_DEFAULT": "it names no position: remove context_config, or set "
        "POST_BOX_CLASSIFIER or POST_RPN"
    },
    "ConditionalShapeResizer.condition": {"INVALID": "set GREATER or SMALLER"},
}

EXTRACTORS = (
    "ssd_mobilenet_v1_fpn_keras", "ssd_mobilenet_v1_keras",
    "ssd_mobilenet_v2_fpn_keras", "ssd_mobilenet_v2_keras",
    "ssd_resnet50_v1_fpn_keras", "ssd_resnet101_v1_fpn_keras",
    "ssd_resnet152_v1_fpn_keras",
    *(f"ssd_efficientnet-b{i}_bifpn_keras" for i in range(8)),
)  # fmt: skip
CENTER_EXTRACTORS = (
    "resnet_v2_50", "resnet_v2_101", "resnet_v1_18_fpn", "resnet_v1_34_fpn",
    "resnet_v1_50_fpn", "resnet_v1_101_fpn", "hourglass_10", "hourglass_20",
    "hourglass_32", "hourglass_52", "hourglass_104", "mobilenet_v2",
    "mobilenet_v2_fpn", "mobilenet_v2_fpn_sep_conv",
)  # fmt: skip
RCNN_EXTRACTORS = (
    "faster_rcnn_resnet50_keras", "faster_rcnn_resnet101_keras",
    "faster_rcnn_resnet152_keras", "faster_rcnn_inception_resnet_v2_keras",
    "faster_rcnn_resnet50_fpn_keras", "faster_rcnn_resnet101_fpn_keras",
    "faster_rcnn_resnet152_fpn_keras",
)  # fmt: skip
_TF1_EXTRACTORS = (
    "ssd_inception_v2", "ssd_inception_v3", "ssd_mobilenet_v1",
    "ssd_mobilenet_v1_fpn", "ssd_mobilenet_v2", "ssd_mobilenet_v2_fpn",
    "ssd_resnet50_v1_fpn", "ssd_resnet101_v1_fpn", "ssd_resnet152_v1_fpn",
    "ssd_mobilenet_v1_ppn", "ssd_resnet50_v1_ppn", "ssd_resnet101_v1_ppn",
    "ssd_resnet152_v1_ppn", "ssd_mobilenet_v2_mnasfpn", "ssd_mobilenet_v3_large",
    "ssd_mobilenet_v3_small", "ssd_mobilenet_v3_small_pruned",
    "ssd_mobilenet_edgetpu", "ssd_mobiledet_cpu", "ssd_mobiledet_dsp",
    "ssd_mobiledet_edgetpu", "ssd_mobiledet_gpu", "embedded_ssd_mobilenet_v1",
    "ssd_pnasnet", "ssd_spaghettinet",
)  # fmt: skip

AUTOAUGMENT_POLICIES = ("v0", "v1", "v2", "v3", "test")
COMBINE_METHODS = ("sum", "weighted_sum", "attention", "fast_attention")

# Checks of whole datasets, which `options.data_loading.allow` turns off.
SET_CHECKS = (
    "no_objects", "pixel_boxes", "normalized_boxes", "dropped_objects",
    "changed_boxes", "whole_image_boxes", "equal_boxes", "one_class", "similar_classes",
    "corner_boxes", "uncounted_objects", "unlabeled_keypoints", "equal_images",
    "shared_images",
)  # fmt: skip

# Health checks of a training, which `options.health.allow` turns off.
HEALTH_CHECKS = (
    "high_learning_rate", "long_warmup", "schedule_length", "slow_batch_norm",
    "evaluates_training", "small_batch_norm", "no_class_overlap", "vanishing_objects",
    "missed_objects", "zero_map",
)  # fmt: skip

METRICS = ("coco_detection_metrics", "coco_mask_metrics")
_ALL_METRICS = (
    *METRICS, "coco_keypoint_metrics", "coco_panoptic_metrics",
    "lvis_mask_metrics", "pascal_voc_detection_metrics",
    "weighted_pascal_voc_detection_metrics",
    "pascal_voc_instance_segmentation_metrics",
    "weighted_pascal_voc_instance_segmentation_metrics",
    "precision_at_recall_detection_metrics", "oid_V2_detection_metrics",
    "oid_challenge_detection_metrics", "oid_challenge_segmentation_metrics",
)  # fmt: skip
RANKING_MODES = (
    "min_distance", "score_distance_ratio", "score_scaled_distance_ratio",
    "gaussian_weighted", "gaussian_weighted_const",
)  # fmt: skip
# As Keras names them, in snake_case or in CamelCase.
INITIALIZERS = (
    "zeros", "ones", "random_normal", "random_uniform", "truncated_normal",
    "variance_scaling", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal",
    "lecun_uniform", "lecun_normal", "orthogonal",
)  # fmt: skip
INTERPOLATIONS = ("nearest", "bilinear")


def find(path: str, owner: Any, field: schema.Field) -> Iterator[Finding]:
    """Yields the names and enum values of one field that cannot be built."""
    key = schema.key(field)
    value = schema.value(owner, field)
    if field.enum_type is not None and key in VALUES:
        name = field.enum_type.values_by_number[value].name
        if name in VALUES[key]:
            yield error(path, f"{name} is not supported yet", VALUES[key][name])
    if check := _CHECKS.get(key):
        for index, name in enumerate(value if field.is_repeated else [value]):
            if name or key in _NEVER_EMPTY:
                here = f"{path}[{index}]" if field.is_repeated else path
                yield from check(here, name)


# An empty name of others is reported as missing, or means the default.
_NEVER_EMPTY = frozenset(
    {
        "Initializer.keras_initializer_by_name",
        "BidirectionalFeaturePyramidNetworks.combine_method",
        "CenterNetFeatureExtractor.upsampling_interpolation",
        "CenterNet.KeypointEstimation.candidate_ranking_mode",
        "EvalConfig.metrics_set",
        "AutoAugmentImage.policy_name",
    }
)


def _one_of(what: str, known: Sequence[str]) -> Callable[..., Iterator[Finding]]:
    def check(path: str, name: str) -> Iterator[Finding]:
        if name not in known:
            yield error(
                path,
                f"unknown {what} {name!r}; known are {', '.join(known)}",
                did_you_mean(name, known),
            )

    return check


def _extractor(known: Sequence[str]) -> Callable[..., Iterator[Finding]]:
    unknown = _one_of("extractor", known)

    def check(path: str, name: str) -> Iterator[Finding]:
        twin = f"{name}_keras"
        if name in known:
            return
        if twin in known:
            hint = f"its TF2 name is {twin!r}"
            yield error(path, f"{name!r} is an extractor of TF1", hint)
        elif name in _TF1_EXTRACTORS:
            hint = f"supported are {', '.join(known)}"
            yield error(path, f"{name!r} is an extractor of TF1", hint)
        else:
            yield from unknown(path, name)

    return check


def _check_metric(path: str, name: str) -> Iterator[Finding]:
    if name in METRICS:
        return
    supported = f"supported are {', '.join(METRICS)}"
    if name in _ALL_METRICS:
        yield error(path, f"{name!r} is not supported yet", supported)
    else:
        hint = did_you_mean(name, _ALL_METRICS)
        yield error(path, f"unknown metric {name!r}; {supported}", hint)


def _check_initializer(path: str, name: str) -> Iterator[Finding]:
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    yield from _one_of("initializer", INITIALIZERS)(path, snake)


_CHECKS: dict[str, Callable[..., Iterator[Finding]]] = {
    "SsdFeatureExtractor.type": _extractor(EXTRACTORS),
    "CenterNetFeatureExtractor.type": _extractor(CENTER_EXTRACTORS),
    "CenterNetFeatureExtractor.upsampling_interpolation": _one_of(
        "interpolation", INTERPOLATIONS
    ),
    "FasterRcnnFeatureExtractor.type": _extractor(RCNN_EXTRACTORS),
    "BidirectionalFeaturePyramidNetworks.combine_method": _one_of(
        "method", COMBINE_METHODS
    ),
    "CenterNet.KeypointEstimation.candidate_ranking_mode": _one_of(
        "mode", RANKING_MODES
    ),
    "Initializer.keras_initializer_by_name": _check_initializer,
    "EvalConfig.metrics_set": _check_metric,
    "AutoAugmentImage.policy_name": _one_of("policy", AUTOAUGMENT_POLICIES),
}
