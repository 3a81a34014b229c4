"""Fields of CenterNet that have no effect because of other fields."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from odapi.config.findings import Finding, warning

_PATH = "model.center_net"


class _Rule(NamedTuple):
    """Fields without effect under a condition, and the reason for the message."""

    fields: tuple[str, ...]
    unused: Callable[[Any], bool]
    why: str


def _ranking(field: str, mode: str) -> _Rule:
    why = f"candidate_ranking_mode is not {mode!r}"
    return _Rule((field,), lambda task: task.candidate_ranking_mode != mode, why)


def _weightless(weight: str, *fields: str) -> _Rule:
    return _Rule(fields, lambda task: not getattr(task, weight) > 0, f"{weight} is 0")


def _unless(flag: str, *fields: str) -> _Rule:
    return _Rule(fields, lambda task: not getattr(task, flag), f"{flag} is not set")


_SELF = "augmented_self_supervision"
_COLORS = "feature_consistency"
_KEYPOINTS = (
    _Rule(
        (
            "keypoint_candidate_score_threshold", "num_candidates_per_keypoint",
            "peak_max_pool_kernel_size", "unmatched_keypoint_score", "box_scale",
            "candidate_search_scale",
        ),
        lambda task: task.argmax_postprocessing,
        "argmax_postprocessing reads all cells, not candidates",
    ),
    _unless("argmax_postprocessing", "gaussian_denom_ratio"),
    _ranking("score_distance_offset", "score_distance_ratio"),
    _ranking("score_distance_multiplier", "score_scaled_distance_ratio"),
    _ranking("std_dev_multiplier", "gaussian_weighted"),
    _unless("predict_depth", "per_keypoint_depth", "keypoint_depth_loss_weight"),
    _unless("rescore_instances", "rescoring_threshold"),
)  # fmt: skip
_DEEPMAC = (
    _weightless("max_roi_jitter_ratio", "jitter_mode"),
    _unless("predict_full_resolution_masks", "postprocess_crop_size"),
    _Rule(
        ("mask_size",),
        lambda task: task.predict_full_resolution_masks,
        "predict_full_resolution_masks is true: nothing is cropped",
    ),
    _Rule(
        ("num_init_channels",),
        lambda task: task.network_type == "embedding_projection",
        "embedding_projection has no layers",
    ),
    _weightless(
        "box_consistency_loss_weight",
        "box_consistency_loss_normalize", "box_consistency_tightness",
    ),
    _weightless(
        f"{_COLORS}_loss_weight",
        f"{_COLORS}_threshold", f"{_COLORS}_dilation", f"{_COLORS}_warmup_steps",
        f"{_COLORS}_warmup_start", f"{_COLORS}_type", f"{_COLORS}_comparison",
    ),
    _unless(f"{_COLORS}_warmup_steps", f"{_COLORS}_warmup_start"),
    _weightless(
        f"{_SELF}_loss_weight",
        f"{_SELF}_max_translation", f"{_SELF}_flip_probability", f"{_SELF}_loss",
        f"{_SELF}_warmup_steps", f"{_SELF}_warmup_start", f"{_SELF}_scale_min",
        f"{_SELF}_scale_max",
    ),
    _unless(f"{_SELF}_warmup_steps", f"{_SELF}_warmup_start"),
)  # fmt: skip


def find(config: Any) -> Iterator[Finding]:
    """Yields fields that are set and have no effect, each once."""
    center_net = config.model.center_net
    for index, task in enumerate(center_net.keypoint_estimation_task):
        path = f"{_PATH}.keypoint_estimation_task[{index}]"
        yield from _unused(task, path, _KEYPOINTS)
    if center_net.HasField("deepmac_mask_estimation"):
        task = center_net.deepmac_mask_estimation
        yield from _unused(task, f"{_PATH}.deepmac_mask_estimation", _DEEPMAC)


def _unused(task: Any, path: str, rules: tuple[_Rule, ...]) -> Iterator[Finding]:
    reported = set()
    for rule in rules:
        if not rule.unused(task):
            continue
        for name in rule.fields:
            default = task.DESCRIPTOR.fields_by_name[name].default_value
            if getattr(task, name) != default and name not in reported:
                reported.add(name)
                yield warning(f"{path}.{name}", f"has no effect: {rule.why}")
