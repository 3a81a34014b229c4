"""Options of feature extractors that depend on their type."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error, warning
from odapi.config.rules.choices import (
    CENTER_EXTRACTORS,
    EXTRACTORS,
    RCNN_EXTRACTORS,
)
from odapi.wording import counted

# Levels of backbones under a pyramid: all but those listed have 2 to 5.
_LEVELS = (2, 5)
_EFFICIENTNET_LEVELS = (1, 5)
_MAX_SSD_MAPS = 6
# Fields of an EfficientNet that the original does not let change.
_EFFICIENTNET_FIXED: dict[str, Any] = {
    "depth_multiplier": 1.0,
    "use_explicit_padding": False,
    "use_depthwise": False,
}
_RCNN_STRIDES = (8, 16)
# CenterNet extractors by the option that has an effect on them.
_CENTER_OPTIONS: dict[str, tuple[str, ...]] = {
    "depth_multiplier": (
        "mobilenet_v2", "mobilenet_v2_fpn", "mobilenet_v2_fpn_sep_conv",
    ),
    "use_separable_conv": ("mobilenet_v2_fpn", "mobilenet_v2_fpn_sep_conv"),
    "upsampling_interpolation": ("mobilenet_v2_fpn", "mobilenet_v2_fpn_sep_conv"),
}  # fmt: skip


def pyramid_of(extractor: Any) -> str:
    """Returns the field with the pyramid of an SSD extractor; "" if it has none."""
    return next((f for f in ("fpn", "bifpn") if f"_{f}_" in extractor.type), "")


def num_levels(extractor: Any) -> int:
    """Returns the number of feature maps of an SSD extractor."""
    if field := pyramid_of(extractor):
        pyramid = getattr(extractor, field)
        return pyramid.max_level - pyramid.min_level + 1
    return extractor.num_layers


def about_ssd_extractor(path: str, extractor: Any) -> Iterator[Finding]:
    """Yields options of an `SsdFeatureExtractor` that its type does not have."""
    if extractor.type not in EXTRACTORS:
        return
    pyramid = pyramid_of(extractor)
    yield from _about_pyramid_field(path, extractor, pyramid)
    if pyramid:
        levels = _EFFICIENTNET_LEVELS if pyramid == "bifpn" else _LEVELS
        low = getattr(extractor, pyramid).min_level
        yield from _about_lowest(f"{path}.{pyramid}", extractor.type, low, levels)
        if extractor.HasField("num_layers") and extractor.num_layers != _MAX_SSD_MAPS:
            yield warning(
                f"{path}.num_layers",
                "has no effect: the number of feature maps follows from the levels of "
                f"{pyramid}",
            )
    elif not 1 <= extractor.num_layers <= _MAX_SSD_MAPS:
        yield error(
            f"{path}.num_layers",
            f"is {extractor.num_layers}; {extractor.type} has 1 to {_MAX_SSD_MAPS} "
            "feature maps",
        )
    if pyramid == "bifpn":
        yield from _about_efficientnet(path, extractor)
    for name in ("use_depthwise", "use_explicit_padding"):
        if extractor.type.startswith("ssd_resnet") and getattr(extractor, name):
            yield warning(
                f"{path}.{name}",
                f"has no effect: the original does not read it for {extractor.type}",
            )


def _about_pyramid_field(path: str, extractor: Any, own: str) -> Iterator[Finding]:
    given = extractor.WhichOneof("feature_pyramid_oneof") or own
    if given == own:
        return
    if "bifpn" in (given, own):
        hint = f"set {own}" if own else f"remove {given}"
        yield error(f"{path}.{given}", f"{extractor.type} has no such pyramid", hint)
    else:
        yield warning(f"{path}.fpn", f"has no effect: {extractor.type} has no pyramid")


def _about_lowest(
    path: str, kind: str, low: int, levels: tuple[int, int]
) -> Iterator[Finding]:
    if not levels[0] <= low <= levels[1]:
        yield error(
            f"{path}.min_level",
            f"is {low}; {kind} has levels {levels[0]} to {levels[1]}",
        )


def _about_efficientnet(path: str, extractor: Any) -> Iterator[Finding]:
    for name, only in _EFFICIENTNET_FIXED.items():
        if getattr(extractor, name) != only:
            yield error(f"{path}.{name}", f"cannot be set for {extractor.type}")
    if extractor.HasField("min_depth"):
        yield warning(
            f"{path}.min_depth",
            f"has no effect: {extractor.type} has fixed depths",
        )


def about_rcnn_extractor(path: str, extractor: Any) -> Iterator[Finding]:
    """Yields what is missing in a `FasterRcnnFeatureExtractor`, or has no effect."""
    if extractor.type not in RCNN_EXTRACTORS:
        return
    if extractor.first_stage_features_stride not in _RCNN_STRIDES:
        yield error(
            f"{path}.first_stage_features_stride",
            f"must be 8 or 16, got {extractor.first_stage_features_stride}",
        )
    if "_fpn_" in extractor.type:
        yield from _about_rcnn_pyramid(path, extractor)
        return
    own_layers = extractor.override_base_feature_extractor_hyperparams
    unused = {
        "fpn": extractor.HasField("fpn"),
        "conv_hyperparams": extractor.HasField("conv_hyperparams") and not own_layers,
    }
    for name, given in unused.items():
        if given:
            yield error(
                f"{path}.{name}",
                f"has no effect on {extractor.type}, which adds no layers to its "
                "backbone",
                "remove it, or use a type that ends in _fpn_keras",
            )


def _about_rcnn_pyramid(path: str, extractor: Any) -> Iterator[Finding]:
    if not extractor.HasField("conv_hyperparams"):
        yield error(
            f"{path}.conv_hyperparams",
            "is missing; it configures the layers of the pyramid",
        )
    if extractor.HasField("fpn"):
        low = extractor.fpn.min_level
        yield from _about_lowest(f"{path}.fpn", extractor.type, low, _LEVELS)


def about_center_extractor(path: str, extractor: Any) -> Iterator[Finding]:
    """Yields options of a `CenterNetFeatureExtractor` that its type does not have."""
    for name in ("channel_means", "channel_stds"):
        given = len(getattr(extractor, name))
        if given not in (0, 1, 3):
            yield error(
                f"{path}.{name}",
                f"has {counted(given, 'value')}; give 3, one per channel",
            )
    if extractor.type not in CENTER_EXTRACTORS:
        return
    for name, types in _CENTER_OPTIONS.items():
        default = extractor.DESCRIPTOR.fields_by_name[name].default_value
        value = getattr(extractor, name)
        if value != default and extractor.type not in types:
            yield error(
                f"{path}.{name}",
                f"is {value}; {extractor.type} has no such option",
                "mobilenet_v2_fpn has it",
            )
