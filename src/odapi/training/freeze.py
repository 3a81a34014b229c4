"""Trains only some of the variables: `freeze_variables`, `update_trainable_variables`.

A regular expression is searched in our name of a variable and in the names that the
original has for it, so that patterns of old configs keep their meaning:

    feature_extractor/backbone/Conv1/kernel           ours
    FeatureExtractor/backbone/Conv1/weights           in the manner of TF1
    model/_feature_extractor/classification_backbone/layer_with_weights-0/kernel
                                                      the key in TF2 checkpoints
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from odapi.errors import ConfigError

_TF1_PARTS = {
    "feature_extractor": "FeatureExtractor",
    "box_predictor": "BoxPredictor",
    "kernel": "weights",
    "bias": "biases",
}
# Parts of two-stage detectors have other names, by how ours begin.
_TF1_STAGES = {
    "feature_extractor/": "FirstStageFeatureExtractor/",
    "roi_features/": "SecondStageFeatureExtractor/",
    "rpn/shared/conv/": "Conv/",
    "rpn/predict/": "FirstStageBoxPredictor/",
    "roi_boxes/": "SecondStageBoxPredictor/",
    "rfcn/": "SecondStageBoxPredictor/",
    "roi_masks/": "SecondStageBoxPredictor/roi_masks/",
}
_TWO_STAGES = (
    "model/_feature_extractor_for_",
    "model/_first_stage_",
    "model/_mask_rcnn_",
    "model/_rfcn_",
)


def freeze(
    detector: Any,
    frozen: Sequence[str],
    trained: Sequence[str] = (),
    keys: Mapping[str, str] | None = None,
) -> list[str]:
    """Makes variables of a detector not trainable.

    Batch statistics of frozen layers still follow the data, as in the original; see
    `freeze_batchnorm` for those.

    Args:
        detector: Built.
        frozen: What matches one of these is not trained.
        trained: If there are any, what matches none of these is not trained.
        keys: The original's key by our name, where known.

    Returns:
        Lines that tell what was frozen; none if there is nothing to freeze.

    Raises:
        ConfigError: A pattern matches no variable, or nothing is left to train.
    """
    if not frozen and not trained:
        return []
    named = {n: v for n, v in detector.named_variables().items() if v.trainable}
    names = {n: _names(n, keys or {}) for n in named}
    held = _matching(names, frozen, "freeze_variables")
    if trained:
        held |= names.keys() - _matching(names, trained, "update_trainable_variables")
    left = [n for n in named if n not in held]
    if not left:
        raise ConfigError(
            "train_config.freeze_variables",
            f"nothing is left to train: all {len(named)} variables are frozen",
        )
    for name in held:
        named[name].trainable = False
    return [
        f"Frozen: {len(held)} of {len(named)} trainable variables, "
        f"{_size(named, held):,} of {_size(named, named):,} numbers",
        f"  frozen   {_groups(held)}",
        f"  trained  {_groups(left)}",
    ]


def _matching(
    names: Mapping[str, Sequence[str]], patterns: Sequence[str], field: str
) -> set[str]:
    """Our names of all variables that a pattern matches."""
    found: set[str] = set()
    for index, pattern in enumerate(patterns):
        place = f"train_config.{field}[{index}]"
        try:
            regex = re.compile(pattern)
        except re.error as error:
            raise ConfigError(
                place, f"{pattern!r} is not a regular expression: {error}"
            ) from error
        matched = {n for n, aliases in names.items() if any(map(regex.search, aliases))}
        if not matched:
            example = next(iter(names.values()), ())
            raise ConfigError(
                place,
                f"{pattern!r} matches no variable",
                hint=f"a variable has these names: {', '.join(example)}",
            )
        found |= matched
    return found


def _names(name: str, keys: Mapping[str, str]) -> list[str]:
    """All names that patterns may mean a variable by."""
    aliases = [name]
    # Only a detector of two stages has regions to look at.
    if keys.get(name, "").startswith(_TWO_STAGES):
        aliases += [
            name.replace(ours, theirs, 1)
            for ours, theirs in _TF1_STAGES.items()
            if name.startswith(ours)
        ]
    tf1 = "/".join(_TF1_PARTS.get(part, part) for part in aliases[-1].split("/"))
    names = [name, tf1]
    return [*names, keys[name]] if name in keys else names


def _size(named: Mapping[str, keras.Variable], names: Any) -> int:
    return sum(math.prod(named[name].shape) for name in names)


def _groups(names: Any) -> str:
    """How many variables there are below each of the first two parts of a name."""
    counts: dict[str, int] = {}
    for name in sorted(names):
        group = "/".join(name.split("/")[:2])
        counts[group] = counts.get(group, 0) + 1
    shown = [f"{group} ({count})" for group, count in counts.items()]
    return ", ".join(shown[:6]) + (", ..." if len(shown) > 6 else "")
