"""The feature extractor of a two-stage detector: what it needs and what it ignores."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error
from odapi.errors import did_you_mean

RCNN_EXTRACTORS = (
    *(f"faster_rcnn_resnet{n}_keras" for n in (50, 101, 152)),
    "faster_rcnn_inception_resnet_v2_keras",
    *(f"faster_rcnn_resnet{n}_fpn_keras" for n in (50, 101, 152)),
)
# Those of TF1 without a twin.
_TF1_EXTRACTORS = (
    "faster_rcnn_nas", "faster_rcnn_pnas", "faster_rcnn_inception_v2",
    "faster_rcnn_mobilenet_v1",
)  # fmt: skip
_PATH = "model.faster_rcnn.feature_extractor"
_LEVELS = (2, 5)  # Of the backbones.
_STRIDES = (8, 16)


def find(config: Any) -> Iterator[Finding]:
    """Yields what is missing, unknown or without effect."""
    if config.model.WhichOneof("model") != "faster_rcnn":
        return
    extractor = config.model.faster_rcnn.feature_extractor
    yield from _check_type(extractor.type)
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


def _check_type(name: str) -> Iterator[Finding]:
    path = f"{_PATH}.type"
    supported = f"supported are {', '.join(RCNN_EXTRACTORS)}"
    if not name:
        yield error(path, "is missing", "such as 'faster_rcnn_resnet50_fpn_keras'")
    elif f"{name}_keras" in RCNN_EXTRACTORS:
        yield error(
            path,
            f"{name!r} is an extractor of TF1",
            f"its TF2 name is '{name}_keras'",
        )
    elif name in _TF1_EXTRACTORS:
        yield error(path, f"{name!r} is an extractor of TF1", supported)
    elif name not in RCNN_EXTRACTORS:
        hint = did_you_mean(name, RCNN_EXTRACTORS)
        yield error(path, f"unknown extractor {name!r}; {supported}", hint)


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
