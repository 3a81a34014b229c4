"""Freezes variables: `freeze_variables` and `update_trainable_variables`.

A regular expression is searched in three names of each variable, so that patterns of
configs made for the TF Object Detection API keep their meaning:

    feature_extractor/backbone/Conv1/kernel           odapi
    FeatureExtractor/backbone/Conv1/weights           TF1 style
    model/_feature_extractor/classification_backbone/layer_with_weights-0/kernel
                                                      key in TF2 checkpoints

What a negative look-around excludes in one of the names, as `^(?!.*BoxPredictor)` does,
is excluded: the word is not in the others.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from odapi.errors import ConfigError
from odapi.models.detector import Detector

_TF1_PARTS = {
    "feature_extractor": "FeatureExtractor",
    "box_predictor": "BoxPredictor",
    "kernel": "weights",
    "bias": "biases",
}
# TF1 names of the parts of two-stage detectors, by the prefix of ours.
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
    detector: Detector,
    frozen: Sequence[str],
    trained: Sequence[str] = (),
    keys: Mapping[str, str] | None = None,
) -> list[str]:
    """Makes variables of a detector not trainable.

    Batch statistics of frozen layers still follow the data, as in the original; see
    `freeze_batchnorm` for those.

    Args:
        detector: A built detector.
        frozen: Patterns; variables that match one are frozen.
        trained: Patterns; if there are any, variables that match none are frozen.
        keys: Keys in TF2 checkpoints by our names, where known.

    Returns:
        Lines that list the frozen variables; none if there is nothing to freeze.

    Raises:
        ConfigError: A pattern matches no variable, or no variable is left to train.
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
            f"no variable is left to train: all {len(named)} are frozen",
        )
    for name in held:
        named[name].trainable = False
    return [
        f"Frozen: {len(held)} of {len(named)} trainable variables, "
        f"{_size(named, held):,} of {_size(named, named):,} parameters",
        f"  frozen   {_groups(held)}",
        f"  trained  {_groups(left)}",
    ]


def _matching(
    names: Mapping[str, Sequence[str]], patterns: Sequence[str], field: str
) -> set[str]:
    """Returns our names of all variables that match a pattern."""
    found: set[str] = set()
    for index, pattern in enumerate(patterns):
        place = f"train_config.{field}[{index}]"
        try:
            regex = re.compile(pattern)
        except re.error as error:
            raise ConfigError(
                place, f"{pattern!r} is not a regular expression: {error}"
            ) from error
        matched = _matched(names, regex)
        if not matched:
            example = next(iter(names.values()), ())
            raise ConfigError(
                place,
                f"{pattern!r} matches no variable",
                hint=f"the names of one variable, for example: {', '.join(example)}",
            )
        found |= matched
    return found


def _matched(names: Mapping[str, Sequence[str]], regex: re.Pattern[str]) -> set[str]:
    """Returns our names of the variables that a pattern matches."""
    found = {n for n, aliases in names.items() if any(map(regex.search, aliases))}
    positive = re.compile(_without_exclusions(regex.pattern))
    return {
        name
        for name in found
        if all(regex.search(a) for a in names[name] if positive.search(a))
    }


def _without_exclusions(pattern: str) -> str:
    r"""Returns a regular expression without its negative look-arounds.

    >>> _without_exclusions(r"^(?!.*(a|\))).*(?<!b)$")
    '^.*$'
    """
    kept, depth, excluded_at = "", 0, 0
    for match in _PIECE.finditer(pattern):
        piece = match[0]
        if piece.startswith("("):
            depth += 1
            if not excluded_at and piece in ("(?!", "(?<!"):
                excluded_at = depth
        if not excluded_at:
            kept += piece
        if piece == ")":
            excluded_at = 0 if excluded_at == depth else excluded_at
            depth -= 1
    return kept


# Escapes, sets of characters, opening brackets, or single characters.
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?<?!)?|.", re.DOTALL)


def _names(name: str, keys: Mapping[str, str]) -> list[str]:
    """Returns all names of a variable that patterns are searched in."""
    aliases = [name]
    # TF1 names of two-stage detectors differ from those of others.
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
    """Returns the number of variables by the first two parts of their names."""
    counts: dict[str, int] = {}
    for name in sorted(names):
        group = "/".join(name.split("/")[:2])
        counts[group] = counts.get(group, 0) + 1
    shown = [f"{group} ({count})" for group, count in counts.items()]
    return ", ".join(shown[:6]) + (", ..." if len(shown) > 6 else "")
