"""Checkpoint keys of both parts of the backbone of the original's two-stage models."""

from typing import Any

import keras

from odapi.heads.roi_dense import RoiDense
from odapi.models.single_stage.feature_extractor import FeatureExtractor
from odapi.zoo.names.backbone_keys import backbone_keys, layer_keys
from odapi.zoo.names.fpn_keys import fpn_keys

FIRST = "model/_feature_extractor_for_proposal_features"
SECOND = "model/_feature_extractor_for_box_classifier_features"

Keys = dict[str, str]


def proposal_feature_keys(extractor: FeatureExtractor) -> Keys:
    """Returns the keys of the feature extractor, by our names within it.

    Args:
        extractor: Built extractor.
    """
    backbone, neck = extractor.backbone, extractor.neck
    if neck is None:
        return _under(backbone.name, backbone_keys(backbone, FIRST))
    keys = backbone_keys(backbone, f"{FIRST}/classification_backbone")
    generator, coarse = f"{FIRST}/fpn_features_generator", "coarse_feature_layers"
    pyramid = fpn_keys(neck, generator, f"{FIRST}/{coarse}")
    return _under(backbone.name, keys) | _under(neck.name, pyramid)


def roi_feature_keys(roi_features: Any) -> Keys:
    """Returns the keys of the encoder of RoI crops, by our names within it.

    Args:
        roi_features: Built layer.

    Raises:
        TypeError: It does not exist in the original.
    """
    if isinstance(roi_features, keras.Model):
        return backbone_keys(roi_features, SECOND)
    if not isinstance(roi_features, RoiDense):
        kind = type(roi_features).__name__
        raise TypeError(f"there are no checkpoint keys of the original for {kind}")
    keys: Keys = {}
    layers = (roi_features.first, roi_features.norm, roi_features.second)
    for n, layer in enumerate(layer for layer in layers if layer.weights):
        keys |= layer_keys(layer, layer.name, f"{SECOND}/layer_with_weights-{n}")
    return keys


def _under(name: str, keys: Keys) -> Keys:
    return {f"{name}/{ours}": key for ours, key in keys.items()}
