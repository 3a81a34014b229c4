"""Builds a feature extractor from a `CenterNetFeatureExtractor` message."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from odapi.backbones.rows import CenterRow
from odapi.backbones.table import CENTER_EXTRACTORS
from odapi.build.hyperparams import BuildContext
from odapi.build.oneof import call, checked
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.pixels import Channels, PixelScaling, prepend_standardization
from odapi.models.center.center_extractor import CenterExtractor
from odapi.necks.center_decoder import (
    DEFAULT_HYPERPARAMS,
    TransposedDecoder,
    UpsamplingDecoder,
)

_COLORS = 3


def build_center_extractor(
    config: Any, path: str, context: BuildContext
) -> CenterExtractor:
    """Returns a feature extractor whose decoder has no variables yet.

    Args:
        config: A `CenterNetFeatureExtractor` message.
        path: Path of the message, for errors.
        context: Settings of the whole model.

    Raises:
        ConfigError: The type is not known, or it has no such option.
    """
    config = checked(config, path)
    row = CENTER_EXTRACTORS[config.type]
    return call(_build, config, path, row, context)


def center_pixel_scaling(config: Any, path: str) -> PixelScaling:
    """Returns the pixel normalization of the feature extractor.

    The channel options of the config are applied first, for every type; the
    normalization of the backbone follows. Padding is scaled like any other pixel.

    Raises:
        ConfigError: The number of values does not match the channels.
    """
    config = checked(config, path)
    means = _per_channel(config.channel_means, 0.0)
    stds = _per_channel(config.channel_stds, 1.0)
    return prepend_standardization(
        CENTER_EXTRACTORS[config.type].pixels, means, stds, config.bgr_ordering
    )


def _per_channel(values: Sequence[float], default: float) -> Channels:
    numbers = list(values) or [default]
    first, second, third = numbers * _COLORS if len(numbers) == 1 else numbers
    return first, second, third


def _build(
    config: Any, path: str, row: CenterRow, context: BuildContext
) -> CenterExtractor:
    options = {"width": config.depth_multiplier} if row.widens else {}
    if row.decoder is not None:
        options["channels"] = context.channels
    backbone = row.backbone(
        hyperparams=_of(row.hyperparams, context), name="backbone", **options
    )
    return CenterExtractor(
        backbone,
        _decoder(config, row, _of(DEFAULT_HYPERPARAMS, context)),
        name="feature_extractor",
        dtype=context.dtype,
    )


def _of(hyperparams: Hyperparams, context: BuildContext) -> Hyperparams:
    own = dataclasses.replace(hyperparams, seed=context.seed, dtype=context.dtype)
    return own.frozen() if context.freeze_norm else own


def _decoder(
    config: Any, row: CenterRow, hyperparams: Hyperparams
) -> keras.layers.Layer | None:
    if row.decoder is None:
        return None
    options = {"name": "neck", "dtype": hyperparams.dtype}
    if not row.decoder.skips:
        return TransposedDecoder(
            row.decoder.filters, row.decoder.size, hyperparams, **options
        )
    separable = config.use_separable_conv if row.separable is None else row.separable
    return UpsamplingDecoder(
        row.decoder.filters,
        hyperparams,
        use_separable_conv=separable,
        upsampling=config.upsampling_interpolation,
        **options,
    )
