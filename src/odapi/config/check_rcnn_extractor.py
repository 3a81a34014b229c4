"""The feature extractor of a two-stage detector: what it needs and what it ignores."""

from collections.abc import Iterator
from typing import Any

from odapi.config.check_fields import RCNN_EXTRACTORS
from odapi.config.findings import Finding, error

_PATH = "model.faster_rcnn.feature_extractor"
_LEVELS = (2, 5)  # Of the backbones.
_STRIDES = (8, 16)


def find(config: Any) -> Iterator[Finding]:
    """Yields what is missing or without effect; `check_fields` knows the types."""
    if config.model.WhichOneof("model") != "faster_rcnn":
        return
    extractor = config.model.faster_rcnn.feature_extractor
    if extractor.type not in RCNN_EXTRACTORS:
        return
    if extractor.first_stage_features_stride not in _STRIDES:
        yield error(
            f"{_PATH}.first_stage_features_stride",
            f"must be 8 or 16, got {extractor.first_stage_features_stride}",
        )
    if extractor.pad_to_multiple < 1:
        yield error(
            f"{_PATH}.pad_to_multiple",
            f"must be 1 or more, got {extractor.pad_to_multiple}",
        )
    if "_fpn_" in extractor.type:
        yield from _check_pyramid(extractor)
    else:
        yield from _check_plain(extractor)


def _check_plain(extractor: Any) -> Iterator[Finding]:
    unused = {
        "fpn": extractor.HasField("fpn"),
        "conv_hyperparams": extractor.HasField("conv_hyperparams")
        and not extractor.override_base_feature_extractor_hyperparams,
    }
    for name, given in unused.items():
        if given:
            yield error(
                f"{_PATH}.{name}",
                f"has no effect on {extractor.type}, which has no layers of its own",
                "leave it out, or take a type that ends in _fpn_keras",
            )


def _check_pyramid(extractor: Any) -> Iterator[Finding]:
    if not extractor.HasField("conv_hyperparams"):
        yield error(
            f"{_PATH}.conv_hyperparams",
            "is missing; the layers of the pyramid are made by it",
        )
    if not extractor.HasField("fpn"):
        return
    low = extractor.fpn.min_level
    if not _LEVELS[0] <= low <= _LEVELS[1]:
        yield error(
            f"{_PATH}.fpn.min_level",
            f"is {low}; {extractor.type} has levels {_LEVELS[0]} to {_LEVELS[1]}",
        )
