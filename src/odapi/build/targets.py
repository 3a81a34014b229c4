"""Builds target assignment: coder, similarity, matcher, assigner."""

from collections.abc import Callable
from typing import Any

from odapi.build.oneof import build_oneof, call
from odapi.config.view import view
from odapi.targets import coders, similarities
from odapi.targets.anchor_targets import AnchorAssigner
from odapi.targets.matchers import ArgmaxMatcher


def build_coder(config: Any, path: str = "model.ssd.box_coder") -> coders.BoxCoder:
    """Returns the coder of a `BoxCoder` message.

    Raises:
        ConfigError: No coder is set, or one with values that are not allowed.
    """
    return build_oneof(config, "box_coder_oneof", _CODERS, path)


def build_similarity(
    config: Any, path: str = "model.ssd.similarity_calculator"
) -> similarities.Similarity:
    """Returns the similarity of a `RegionSimilarityCalculator` message.

    Raises:
        ConfigError: None is set, or one with values that are not allowed.
    """
    return build_oneof(config, "region_similarity", _SIMILARITIES, path)


def build_matcher(config: Any, path: str = "model.ssd.matcher") -> ArgmaxMatcher:
    """Returns the matcher of a `Matcher` message.

    Raises:
        ConfigError: None is set, or the bipartite one, or one with values that are
            not allowed.
    """
    return build_oneof(config, "matcher_oneof", _MATCHERS, path)


def build_assigner(
    config: Any, coder: coders.BoxCoder, path: str = "model.ssd"
) -> AnchorAssigner:
    """Returns the assigner of an `Ssd` message.

    Raises:
        ConfigError: A part is missing, or has values that are not allowed.
    """
    return call(_assigner, view(config), path, coder)


def _assigner(config: Any, path: str, coder: coders.BoxCoder) -> AnchorAssigner:
    return AnchorAssigner(
        coder=coder,
        similarity=build_similarity(
            config.similarity_calculator, f"{path}.similarity_calculator"
        ),
        matcher=build_matcher(config.matcher, f"{path}.matcher"),
        add_background=config.add_background_class,
        explicit_background=config.explicit_background_class,
        background_as_zeros=config.encode_background_as_zeros,
        negative_class_weight=config.negative_class_weight,
        confidences_as_targets=config.use_confidences_as_targets,
        implicit_weight=config.implicit_example_weight,
    )


def _faster_rcnn(config: Any, path: str) -> coders.CenterSizeCoder:
    return coders.CenterSizeCoder(_scales(config))


def _keypoint(config: Any, path: str) -> coders.KeypointCoder:
    return coders.KeypointCoder(config.num_keypoints, _scales(config))


def _mean_stddev(config: Any, path: str) -> coders.MeanStddevCoder:
    return coders.MeanStddevCoder(config.stddev)


def _square(config: Any, path: str) -> coders.SquareCoder:
    return coders.SquareCoder((config.y_scale, config.x_scale, config.length_scale))


def _scales(config: Any) -> tuple[float, float, float, float]:
    return (
        config.y_scale,
        config.x_scale,
        config.height_scale,
        config.width_scale,
    )


def _thresholded_iou(config: Any, path: str) -> similarities.ThresholdedIou:
    return similarities.ThresholdedIou(config.iou_threshold)


def _argmax(config: Any, path: str) -> ArgmaxMatcher:
    if config.ignore_thresholds:
        return ArgmaxMatcher(matched=None, force=config.force_match_for_each_row)
    return ArgmaxMatcher(
        matched=config.matched_threshold,
        unmatched=config.unmatched_threshold,
        negatives_below=config.negatives_lower_than_unmatched,
        force=config.force_match_for_each_row,
    )


_CODERS = {
    "faster_rcnn_box_coder": _faster_rcnn,
    "keypoint_box_coder": _keypoint,
    "mean_stddev_box_coder": _mean_stddev,
    "square_box_coder": _square,
}
_SIMILARITIES: dict[str, Callable] = {
    "neg_sq_dist_similarity": lambda *_: similarities.NegativeSquaredDistance(),
    "iou_similarity": lambda *_: similarities.IouSimilarity(),
    "ioa_similarity": lambda *_: similarities.IoaSimilarity(),
    "thresholded_iou_similarity": _thresholded_iou,
}
_MATCHERS: dict[str, Callable] = {
    "argmax_matcher": _argmax,
}
