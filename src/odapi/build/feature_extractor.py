"""Builds a feature extractor from an `SsdFeatureExtractor` message."""

import dataclasses
from typing import Any

import keras

from odapi.backbones.table import EXTRACTORS, Extractor
from odapi.build.hyperparams import Setting, build_hyperparams
from odapi.build.oneof import call, number
from odapi.errors import ConfigError, unknown_choice
from odapi.layers.depth import Depth
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.pixels import UNCHANGED, PixelScaling
from odapi.models.feature_extractor import FeatureExtractor
from odapi.necks.fpn import FeaturePyramid
from odapi.necks.ssd_pyramid import SsdPyramid


def build_feature_extractor(
    config: Any, path: str, setting: Setting
) -> FeatureExtractor:
    """Returns a feature extractor whose neck has no variables yet.

    Args:
        config: An `SsdFeatureExtractor` message.
        path: Of the message, for errors.
        setting: What holds for the whole model.

    Raises:
        ConfigError: The type is not known, or a value is not allowed.
    """
    row = _row(config, path)
    if row.plain:
        config = _without(config, "use_depthwise", "use_explicit_padding")
    own = build_hyperparams(
        config.conv_hyperparams, f"{path}.conv_hyperparams", setting
    )
    return call(_build, config, path, row, own, _of_backbone(config, row, own, setting))


def pixel_scaling(config: Any, path: str) -> PixelScaling:
    """Returns how the feature extractor wants its pixels."""
    if config.replace_preprocessor_with_placeholder:
        return UNCHANGED  # Whoever feeds the model normalises.
    return _row(config, path).pixels


def _row(config: Any, path: str) -> Extractor:
    if config.type not in EXTRACTORS:
        raise unknown_choice(f"{path}.type", config.type, EXTRACTORS)
    return EXTRACTORS[config.type]


def _without(config: Any, *names: str) -> Any:
    """Returns the message as if these fields were not set."""
    copy = type(config)()
    copy.CopyFrom(config)
    for name in names:
        copy.ClearField(name)
    return copy


def _of_backbone(
    config: Any, row: Extractor, own: Hyperparams, setting: Setting
) -> Hyperparams:
    if config.override_base_feature_extractor_hyperparams:
        return own
    default = dataclasses.replace(
        row.hyperparams, seed=setting.seed, dtype=setting.dtype
    )
    return default.frozen() if setting.freeze_norm else default


def _build(
    config: Any, path: str, row: Extractor, own: Hyperparams, base: Hyperparams
) -> FeatureExtractor:
    depth = Depth(number(config.depth_multiplier), config.min_depth)
    separable = config.use_depthwise and row.depthwise_backbone
    backbone = (separable or row.backbone)(
        endpoints=row.endpoints,
        hyperparams=base,
        width=depth.multiplier,
        min_depth=depth.minimum,
        explicit_padding=config.use_explicit_padding,
    )
    neck = _pyramid if row.pyramid else _ssd
    return FeatureExtractor(
        backbone,
        neck(config, path, row, own, depth),
        config.pad_to_multiple,
        name="feature_extractor",
        dtype=own.dtype,
    )


def _pyramid(
    config: Any, path: str, row: Extractor, own: Hyperparams, depth: Depth
) -> keras.layers.Layer:
    low, high = config.fpn.min_level, config.fpn.max_level
    if not row.first_level <= low <= row.last_level:
        raise ConfigError(
            f"{path}.fpn.min_level",
            f"is {low}; {config.type} has levels {row.first_level} to {row.last_level}",
        )
    if high < low:
        raise ConfigError(
            f"{path}.fpn.max_level", f"is {high}, below the min_level {low}"
        )
    top = min(high, row.last_level)
    return FeaturePyramid(
        levels=range(low - row.first_level, top - row.first_level + 1),
        num_extra=high - top,
        depth=depth(config.fpn.additional_layer_depth),
        hyperparams=own,
        use_depthwise=config.use_depthwise,
        explicit_padding=config.use_explicit_padding,
        name="neck",
        dtype=own.dtype,
    )


def _ssd(
    config: Any, path: str, row: Extractor, own: Hyperparams, depth: Depth
) -> keras.layers.Layer:
    most = len(row.endpoints) + len(row.extra_depths)
    if not 1 <= config.num_layers <= most:
        raise ConfigError(
            f"{path}.num_layers",
            f"is {config.num_layers}; {config.type} has 1 to {most} feature maps",
        )
    num_maps = min(config.num_layers, len(row.endpoints))
    return SsdPyramid(
        num_maps=num_maps,
        depths=row.extra_depths[: config.num_layers - num_maps],
        depth=depth,
        hyperparams=own,
        use_depthwise=config.use_depthwise,
        explicit_padding=config.use_explicit_padding,
        name="neck",
        dtype=own.dtype,
    )
