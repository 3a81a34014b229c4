"""Strides of feature maps by the config, without building a model."""

from typing import Any

from odapi.config.rules.extractors import pyramid_of

_CENTER_NET = 4  # Of all its extractors.
_SSD = 16  # Of the first feature map of an SSD without a pyramid.


def finest_stride(config: Any) -> int:
    """Returns the pixels between locations of the finest feature map of a model.

    Args:
        config: A TrainEvalPipelineConfig with a model.
    """
    kind = config.model.WhichOneof("model")
    if kind == "center_net":
        return _CENTER_NET
    extractor = getattr(config.model, kind).feature_extractor
    field = pyramid_of(extractor)
    if field:
        return int(2 ** getattr(extractor, field).min_level)
    return _SSD if kind == "ssd" else int(extractor.first_stage_features_stride)
