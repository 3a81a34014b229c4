"""Builds a prediction head from a `BoxPredictor` message."""

from collections.abc import Sequence
from typing import Any

import keras

from odapi.build.hyperparams import BuildContext, build_hyperparams
from odapi.build.oneof import build_oneof
from odapi.heads.anchor_head import HeadOptions
from odapi.heads.per_level_conv_head import PerLevelConvHead
from odapi.heads.shared_conv_head import SharedConvHead

_NAME = "box_predictor"


def build_box_predictor(
    config: Any,
    path: str,
    per_location: Sequence[int],
    num_logits_per_anchor: int,
    context: BuildContext,
) -> keras.layers.Layer:
    """Returns a prediction head without variables.

    Args:
        config: A `BoxPredictor` message.
        path: Path of the message, for errors.
        per_location: Number of anchors per location, one entry per level.
        num_logits_per_anchor: Number of class scores per anchor.
        context: Settings of the whole model.

    Raises:
        ConfigError: A value is not allowed, or the head is not one of SSD's.
    """
    return build_oneof(
        config,
        "box_predictor_oneof",
        _HEADS,
        path,
        per_location,
        num_logits_per_anchor,
        context,
    )


def _per_level(
    config: Any,
    path: str,
    per_location: Sequence[int],
    num_logits_per_anchor: int,
    context: BuildContext,
) -> keras.layers.Layer:
    hyperparams = build_hyperparams(
        config.conv_hyperparams, f"{path}.conv_hyperparams", context
    )
    return PerLevelConvHead(
        per_location,
        _options(config, path, num_logits_per_anchor, config.apply_sigmoid_to_scores),
        hyperparams,
        num_layers=config.num_layers_before_predictor,
        min_depth=config.min_depth,
        max_depth=config.max_depth,
        name=_NAME,
        dtype=context.dtype,
    )


def _shared(
    config: Any,
    path: str,
    per_location: Sequence[int],
    num_logits_per_anchor: int,
    context: BuildContext,
) -> keras.layers.Layer:
    hyperparams = build_hyperparams(
        config.conv_hyperparams, f"{path}.conv_hyperparams", context
    )
    sigmoid = config.score_converter == config.SIGMOID
    return SharedConvHead(
        per_location,
        _options(config, path, num_logits_per_anchor, sigmoid),
        hyperparams,
        num_layers=config.num_layers_before_predictor,
        depth=config.depth,
        share_tower=config.share_prediction_tower,
        pointwise=config.apply_conv_hyperparams_pointwise,
        to_heads=config.apply_conv_hyperparams_to_heads,
        name=_NAME,
        dtype=context.dtype,
    )


def _options(
    config: Any, path: str, num_logits_per_anchor: int, sigmoid: bool
) -> HeadOptions:
    keep = config.dropout_keep_probability
    bounds = config.box_encodings_clip_range
    return HeadOptions(
        num_logits_per_anchor=num_logits_per_anchor,
        code_size=config.box_code_size,
        kernel_size=config.kernel_size,
        use_depthwise=config.use_depthwise,
        bias=config.class_prediction_bias_init,
        dropout=1.0 - keep if config.use_dropout else 0.0,
        sigmoid=sigmoid,
        clip_range=(bounds.min, bounds.max)
        if config.HasField("box_encodings_clip_range")
        else None,
    )


_HEADS = {
    "convolutional_box_predictor": _per_level,
    "weight_shared_convolutional_box_predictor": _shared,
}
