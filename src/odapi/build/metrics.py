"""Builds what an `EvalConfig` measures."""

from typing import Any

from odapi.build.oneof import build_oneof, call, number
from odapi.errors import ConfigError, unknown_choice
from odapi.labels import LabelMap
from odapi.metrics.coco import CocoBoxMetrics
from odapi.metrics.coco_keypoints import CocoKeypointMetrics
from odapi.metrics.together import MetricsTogether

COCO_BOXES = "coco_detection_metrics"

# What the original accepts; those without a builder come with their tasks.
KNOWN = (
    COCO_BOXES,
    "coco_mask_metrics",
    "coco_panoptic_metrics",
    "lvis_mask_metrics",
    "oid_V2_detection_metrics",
    "oid_challenge_detection_metrics",
    "oid_challenge_segmentation_metrics",
    "pascal_voc_detection_metrics",
    "pascal_voc_instance_segmentation_metrics",
    "precision_at_recall_detection_metrics",
    "weighted_pascal_voc_detection_metrics",
    "weighted_pascal_voc_instance_segmentation_metrics",
)


def build_metrics(
    config: Any, label_map: LabelMap, path: str = "eval_config"
) -> CocoBoxMetrics | MetricsTogether:
    """Returns the metrics of an `EvalConfig`; COCO's where it names none.

    Metrics of keypoints are named by `parameterized_metric`, one for each class.

    Args:
        config: The message.
        label_map: The classes.
        path: Of the message, for errors.

    Raises:
        ConfigError: A metrics_set is unknown or not built yet, or a super category
            names a class that the label map does not have.
    """
    for n, name in enumerate(config.metrics_set):
        place = f"{path}.metrics_set[{n}]"
        if name not in KNOWN:
            raise unknown_choice(place, name, KNOWN)
        if name != COCO_BOXES:
            raise ConfigError(
                place,
                f"{name} is not supported yet; supported is {COCO_BOXES}",
                hint=f"--set {path}.metrics_set={COCO_BOXES}",
            )
    boxes = call(_coco_boxes, config, path, label_map)
    others = [
        call(_parameterized, metric, f"{path}.parameterized_metric[{n}]", label_map)
        for n, metric in enumerate(config.parameterized_metric)
    ]
    return MetricsTogether(boxes, others) if others else boxes


def _parameterized(metric: Any, path: str, label_map: LabelMap) -> CocoKeypointMetrics:
    return build_oneof(metric, "parameterized_metric", _PARAMETERIZED, path, label_map)


def _coco_keypoints(config: Any, path: str, label_map: LabelMap) -> CocoKeypointMetrics:
    name = config.class_label
    if name not in label_map.by_name:
        raise unknown_choice(f"{path}.class_label", name, label_map.by_name)
    category = label_map.by_name[name]
    sigmas = {k: number(v) for k, v in config.keypoint_label_to_sigmas.items()}
    return CocoKeypointMetrics(category, sigmas)


_PARAMETERIZED = {"coco_keypoint_metrics": _coco_keypoints}


def _coco_boxes(config: Any, path: str, label_map: LabelMap) -> CocoBoxMetrics:
    groups = {
        name: [member.strip() for member in members.split(",") if member.strip()]
        for name, members in config.super_categories.items()
    }
    return CocoBoxMetrics(
        label_map,
        include_metrics_per_category=config.include_metrics_per_category
        or bool(groups),
        all_metrics_per_category=config.all_metrics_per_category,
        super_categories=groups,
        skip_predictions_for_unlabeled_class=(
            config.skip_predictions_for_unlabeled_class
        ),
    )
