"""Builds a feature extractor from an `SsdFeatureExtractor` message."""

import dataclasses
from typing import Any, cast

import keras

from odapi.backbones.rows import BifpnDefaults, SsdRow
from odapi.backbones.table import SSD_EXTRACTORS
from odapi.build.hyperparams import BuildContext, build_hyperparams
from odapi.build.oneof import call, checked
from odapi.layers.hyperparams import DepthMultiplier, Hyperparams
from odapi.layers.pixels import UNCHANGED, PixelScaling
from odapi.models.single_stage.feature_extractor import FeatureExtractor
from odapi.necks.bifpn import BidirectionalPyramid
from odapi.necks.fpn import FeaturePyramid
from odapi.necks.ssd_pyramid import SsdPyramid


def build_feature_extractor(
    config: Any, path: str, context: BuildContext
) -> FeatureExtractor:
    """Returns a feature extractor whose neck has no variables yet.

    Args:
        config: An `SsdFeatureExtractor` message.
        path: Path of the message, for errors.
        context: Settings of the whole model.

    Raises:
        ConfigError: The type is not known, or a value is not allowed.
    """
    config = checked(config, path)
    row = SSD_EXTRACTORS[config.type]
    if row.plain:
        config = config.without("use_depthwise", "use_explicit_padding")
    if row.bifpn:
        row = _trimmed(config, path, row)
    own = build_hyperparams(
        config.conv_hyperparams, f"{path}.conv_hyperparams", context
    )
    base = _of_backbone(config, row, own, context)
    return call(_build, config, path, row, own, base, context.channels)


def pixel_scaling(config: Any, path: str) -> PixelScaling:
    """Returns the pixel normalization of the feature extractor."""
    config = checked(config, path)
    if config.replace_preprocessor_with_placeholder:
        return UNCHANGED  # The caller normalizes images.
    return SSD_EXTRACTORS[config.type].pixels


def _of_backbone(
    config: Any, row: SsdRow, own: Hyperparams, context: BuildContext
) -> Hyperparams:
    if config.override_base_feature_extractor_hyperparams and not row.bifpn:
        return own
    default = dataclasses.replace(
        row.hyperparams, seed=context.seed, dtype=context.dtype
    )
    if config.override_base_feature_extractor_hyperparams:
        # As in the original, only the regularization affects an EfficientNet, always
        # as L2.
        default = dataclasses.replace(default, l2=own.l1 or own.l2)
    return default.frozen() if context.freeze_norm else default


def _build(
    config: Any,
    path: str,
    row: SsdRow,
    own: Hyperparams,
    base: Hyperparams,
    channels: int,
) -> FeatureExtractor:
    depth = DepthMultiplier(config.depth_multiplier, config.min_depth)
    separable = config.use_depthwise and row.depthwise_backbone
    backbone = (separable or row.backbone)(
        endpoints=row.endpoints,
        hyperparams=base,
        width=depth.multiplier,
        min_depth=depth.minimum,
        explicit_padding=config.use_explicit_padding,
        channels=channels,
    )
    neck = _ssd
    if row.pyramid:
        neck = _bifpn if row.bifpn else _pyramid
    return FeatureExtractor(
        backbone,
        neck(config, path, row, own, depth),
        config.pad_to_multiple,
        name="feature_extractor",
        dtype=own.dtype,
    )


def _trimmed(config: Any, path: str, row: SsdRow) -> SsdRow:
    """Returns the extractor without levels that its pyramid does not use.

    An EfficientNet then has no unused layers.
    """
    levels = range(config.bifpn.min_level, config.bifpn.max_level + 1)
    first, end = levels.start - row.first_level, levels.stop - row.first_level
    return dataclasses.replace(
        row, endpoints=row.endpoints[first:end], first_level=levels.start
    )


def _bifpn(
    config: Any, path: str, row: SsdRow, own: Hyperparams, depth: DepthMultiplier
) -> keras.layers.Layer:
    given, default = config.bifpn, cast(BifpnDefaults, row.bifpn)
    # use_native_resize_op does not change the result of upsampling by two.
    return BidirectionalPyramid(
        first_level=row.first_level,
        num_maps=len(row.endpoints),
        levels=range(given.min_level, given.max_level + 1),
        rounds=given.num_iterations or default.rounds,
        depth=given.num_filters or default.depth,
        method=given.combine_method if config.HasField("bifpn") else default.method,
        hyperparams=own,
        name="neck",
        dtype=own.dtype,
    )


def _pyramid(
    config: Any, path: str, row: SsdRow, own: Hyperparams, depth: DepthMultiplier
) -> keras.layers.Layer:
    low, high = config.fpn.min_level, config.fpn.max_level
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
    config: Any, path: str, row: SsdRow, own: Hyperparams, depth: DepthMultiplier
) -> keras.layers.Layer:
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
