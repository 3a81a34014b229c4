"""Builds the metrics of an `EvalConfig`."""

from collections.abc import Sequence
from typing import Any

from odapi.build.oneof import build_oneof, call, checked
from odapi.config.load import options
from odapi.errors import unknown_choice
from odapi.labels import LabelMap
from odapi.metrics.coco.box_metrics import CocoBoxMetrics
from odapi.metrics.coco.keypoint_metrics import CocoKeypointMetrics
from odapi.metrics.coco.mask_metrics import CocoMaskMetrics
from odapi.metrics.collection import MetricCollection
from odapi.metrics.evaluator import Evaluator

COCO_BOXES = "coco_detection_metrics"
COCO_MASKS = "coco_mask_metrics"

# By the name in metrics_set.
_EVALUATORS: dict[str, type[CocoBoxMetrics]] = {
    COCO_BOXES: CocoBoxMetrics,
    COCO_MASKS: CocoMaskMetrics,
}


def build_metrics(
    config: Any, label_map: LabelMap, path: str = "eval_config"
) -> Evaluator:
    """Returns the metrics of a config; COCO's box metrics by default.

    Keypoint metrics are set by `parameterized_metric`, one per class. With
    `options.evaluation.estimate_keypoint_sigmas`, classes without all their sigmas have
    a second set of metrics, with estimated ones.

    Args:
        config: A TrainEvalPipelineConfig.
        label_map: The classes.
        path: Path of its `EvalConfig`, for errors.

    Raises:
        ConfigError: A metrics_set is unknown or not supported, or a super category
            names a class that the label map does not have.
    """
    estimate = options(config).evaluation.estimate_keypoint_sigmas
    config = checked(config.eval_config, path)
    names = tuple(dict.fromkeys(config.metrics_set)) or (COCO_BOXES,)
    made = call(_evaluators, config, path, label_map, names)
    if not config.parameterized_metric:
        return made[0] if len(made) == 1 else MetricCollection(made)
    for n, metric in enumerate(config.parameterized_metric):
        place = f"{path}.parameterized_metric[{n}]"
        made += build_oneof(
            metric, "parameterized_metric", _PARAMETERIZED, place, label_map, estimate
        )
    return call(lambda *_: MetricCollection(made), config, path)


def keypoint_edges(config: Any) -> tuple[tuple[int, int], ...]:
    """Returns the lines of an `EvalConfig` between keypoints, pairs of their ids."""
    return tuple((edge.start, edge.end) for edge in config.keypoint_edge)


def _evaluators(
    config: Any, path: str, label_map: LabelMap, names: Sequence[str]
) -> list[Any]:
    # Boxes first: their results are the ones that are reported once.
    ordered = [name for name in _EVALUATORS if name in names]
    return [_coco(_EVALUATORS[name], config, label_map) for name in ordered]


def _coco_keypoints(
    config: Any, path: str, label_map: LabelMap, estimate: bool
) -> list[CocoKeypointMetrics]:
    name = config.class_label
    if name not in label_map.by_name:
        raise unknown_choice(f"{path}.class_label", name, label_map.by_name)
    category, sigmas = label_map.by_name[name], dict(config.keypoint_label_to_sigmas)
    made = [CocoKeypointMetrics(category, sigmas)]
    if estimate and len(sigmas) < len(category.keypoints):
        made.append(CocoKeypointMetrics(category, sigmas, estimate=True))
    return made


_PARAMETERIZED = {"coco_keypoint_metrics": _coco_keypoints}


def _coco(
    kind: type[CocoBoxMetrics], config: Any, label_map: LabelMap
) -> CocoBoxMetrics:
    groups = {
        name: [member.strip() for member in members.split(",") if member.strip()]
        for name, members in config.super_categories.items()
    }
    return kind(
        label_map,
        include_metrics_per_category=config.include_metrics_per_category
        or bool(groups),
        all_metrics_per_category=config.all_metrics_per_category,
        super_categories=groups,
        skip_predictions_for_unlabeled_class=(
            config.skip_predictions_for_unlabeled_class
        ),
        all_labeled_by_default=config.image_classes_field_map_empty_to_ones,
    )
