"""Builds the steps of `data_augmentation_options` that change annotations alone."""

from typing import Any

from odapi.config.protos import preprocessor_pb2
from odapi.data.augment.jitter import JitterBoxes
from odapi.data.augment.labels import (
    DropLabel,
    NormalizedBoxes,
    RemapLabels,
    SoftmaxScores,
)

_JITTER_MODES: Any = preprocessor_pb2.RandomJitterBoxes.JitterMode


def _jitter_boxes(config: Any, path: str) -> JitterBoxes:
    mode: Any = _JITTER_MODES.Name(config.jitter_mode).lower()
    return JitterBoxes(config.ratio, mode)


def _drop_label(config: Any, path: str) -> DropLabel:
    return DropLabel(config.label - 1, config.drop_probability)


def _remap_labels(config: Any, path: str) -> RemapLabels:
    original = tuple(label - 1 for label in config.original_labels)
    return RemapLabels(original, config.new_label - 1)


def _softmax_scores(config: Any, path: str) -> SoftmaxScores:
    return SoftmaxScores(config.temperature)


def _pixel_coordinates(config: Any, path: str) -> NormalizedBoxes:
    return NormalizedBoxes()


LABEL_STEPS = {
    "random_jitter_boxes": _jitter_boxes,
    "drop_label_probabilistically": _drop_label,
    "remap_labels": _remap_labels,
    "convert_class_logits_to_softmax": _softmax_scores,
    "scale_boxes_to_pixel_coordinates": _pixel_coordinates,
}
