"""Builds the keypoint tasks of a CenterNet from their messages and a label map."""

from collections.abc import Callable
from typing import Any

from odapi.build.center_head import head_layers
from odapi.build.hyperparams import BuildContext
from odapi.build.losses import build_classification_loss, build_localization_loss
from odapi.build.oneof import checked
from odapi.config.label_map import load_label_map
from odapi.config.rules.keypoint_classes import keypoint_category
from odapi.geometry.keypoints import (
    CandidateRanking,
    GaussianWeighted,
    KeypointRefiner,
    Nearest,
    ScorePerDistance,
    ScorePerScaledDistance,
)
from odapi.heads.center_heads import Head
from odapi.labels import Category, LabelMap
from odapi.models.center.keypoint_task import (
    HighestNearby,
    KeypointTask,
    KeypointWeights,
    SnapToPeaks,
)

# Kinds of heads, and the fields with their layers; other heads have no such field.
_HEADS = {
    "heatmap": "heatmap_head_params",
    "offset": "offset_head_params",
    "regression": "regress_head_params",
}


def build_keypoint_task(
    task: Any, path: str, center_net: Any, context: BuildContext
) -> KeypointTask:
    """Returns a keypoint task.

    Args:
        task: A `KeypointEstimation` message.
        path: Path of the message, for errors.
        center_net: The `CenterNet` message that has the task.
        context: Settings of the whole model.

    Raises:
        ConfigError: The label map does not have the class or its keypoints, or a value
            is not allowed.
    """
    task = checked(task, path)
    label_map = context.keypoints or _label_map(center_net)
    category = keypoint_category(task, path, center_net, label_map)
    deviations = _deviations(task, category)
    return KeypointTask(
        name=task.task_name,
        class_id=category.index,
        indices=tuple(k.id for k in category.keypoints),
        total=_total(center_net, label_map),
        deviations=deviations,
        heatmap_loss=build_classification_loss(
            task.loss.classification_loss, f"{path}.loss.classification_loss"
        ),
        cell_loss=build_localization_loss(
            task.loss.localization_loss, f"{path}.loss.localization_loss"
        ),
        weights=_weights(task),
        offset_radius=task.offset_peak_radius,
        per_keypoint_offset=task.per_keypoint_offset,
        has_depth=task.predict_depth,
        per_keypoint_depth=task.per_keypoint_depth,
        decoding=_decoding(task, deviations),
        clip=task.clip_out_of_frame_keypoints,
        rescoring_threshold=(
            task.rescoring_threshold if task.rescore_instances else None
        ),
        head_specs=_layers_of(task, path),
        heatmap_bias=task.heatmap_bias_init,
    )


def _label_map(center_net: Any) -> LabelMap:
    return load_label_map(center_net.keypoint_label_map_path)


def _total(center_net: Any, label_map: LabelMap) -> int:
    """Returns the number of keypoints per detection, over all tasks.

    It is that of the original if their ids leave no gap.
    """
    ids = [
        keypoint.id
        for task in center_net.keypoint_estimation_task
        if task.keypoint_class_name in label_map.by_name
        for keypoint in label_map.by_name[task.keypoint_class_name].keypoints
    ]
    return max(len(ids), max(ids, default=0) + 1)


def _deviations(task: Any, category: Category) -> tuple[float, ...]:
    given = dict(task.keypoint_label_to_std)
    # The original's default is 1.
    return tuple(given.get(k.name, 1.0) for k in category.keypoints)


def _weights(task: Any) -> KeypointWeights:
    return KeypointWeights(
        task=task.task_loss_weight,
        heatmap=task.keypoint_heatmap_loss_weight,
        offset=task.keypoint_offset_loss_weight,
        regression=task.keypoint_regression_loss_weight,
        depth=task.keypoint_depth_loss_weight,
    )


def _layers_of(task: Any, path: str) -> dict[str, Head]:
    return {
        kind: head_layers(getattr(task, field), f"{path}.{field}", kind)
        for kind, field in _HEADS.items()
    }


def _decoding(task: Any, deviations: tuple[float, ...]) -> SnapToPeaks | HighestNearby:
    if task.argmax_postprocessing:
        return HighestNearby(task.gaussian_denom_ratio)
    return SnapToPeaks(
        KeypointRefiner(
            ranking=_ranking(task, deviations),
            threshold=task.keypoint_candidate_score_threshold,
            unmatched_score=task.unmatched_keypoint_score,
            box_scale=task.box_scale,
            search_scale=task.candidate_search_scale,
        ),
        window=task.peak_max_pool_kernel_size,
        max_peaks=task.num_candidates_per_keypoint,
    )


def _ranking(task: Any, deviations: tuple[float, ...]) -> CandidateRanking:
    rankings: dict[str, Callable[[], CandidateRanking]] = {
        "min_distance": Nearest,
        "score_distance_ratio": lambda: ScorePerDistance(task.score_distance_offset),
        "score_scaled_distance_ratio": lambda: ScorePerScaledDistance(
            task.score_distance_multiplier
        ),
        "gaussian_weighted": lambda: GaussianWeighted(
            tuple(d * task.std_dev_multiplier for d in deviations)
        ),
    }
    return rankings[task.candidate_ranking_mode]()
