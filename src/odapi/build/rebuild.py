"""Rebuilds a detector from the result of its `get_config`."""

from collections.abc import Mapping
from typing import Any

# Schedules of a compiled detector's optimizer register themselves with Keras.
import odapi.optim.schedules  # noqa: F401
from odapi.build.detector import build_detector
from odapi.config.load import load_config
from odapi.errors import CheckpointError
from odapi.labels import Category, Keypoint, LabelMap
from odapi.models.detector import Detector

CONFIG, LABEL_MAP = "pipeline_config", "label_map"


def rebuild_detector(config: Mapping[str, Any]) -> Detector:
    """Returns the detector that `Detector.get_config` describes, with initial weights.

    Raises:
        CheckpointError: `config` was not returned by `get_config` of a detector.
        ConfigError: The detector cannot be built.
    """
    if not isinstance(config.get(CONFIG), str):
        raise CheckpointError(
            "saved detector",
            f"has no {CONFIG!r}; it has {sorted(config)}",
            hint="only detectors of odapi can be loaded here",
        )
    label_map = config.get(LABEL_MAP)
    return build_detector(
        load_config(config[CONFIG]), label_map=label_map and _label_map(label_map)
    )


def _label_map(fields: Mapping[str, Any]) -> LabelMap:
    """Returns a label map from its fields, as `dataclasses.asdict` gives them."""
    return LabelMap(tuple(_category(c) for c in fields["categories"]), fields["source"])


def _category(fields: Mapping[str, Any]) -> Category:
    tuples: dict[str, Any] = {
        "keypoints": tuple(Keypoint(**k) for k in fields["keypoints"]),
        "ancestor_ids": tuple(fields["ancestor_ids"]),
        "descendant_ids": tuple(fields["descendant_ids"]),
        "skeleton": tuple(tuple(pair) for pair in fields["skeleton"]),
    }
    return Category(**{**fields, **tuples})
