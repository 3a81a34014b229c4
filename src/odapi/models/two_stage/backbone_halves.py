"""Both parts of the backbone of a two-stage detector: before and after RoI pooling."""

import dataclasses
from typing import Any

import keras

from odapi.layers.names import named_variables
from odapi.layers.pixels import PixelScaling
from odapi.models.single_stage.feature_extractor import FeatureExtractor


@dataclasses.dataclass(frozen=True)
class RCNNExtractor:
    """Feature extractor of the images and encoder of the RoI crops.

    Args:
        feature_extractor: Layer from normalized images to the feature maps of the RPN
            and of RoI pooling, largest first; named "feature_extractor".
        roi_features: Layer from crops `[n, s, s, c]` to features `[n, h, w, d]`, not
            yet built unless it is part of the backbone; named "roi_features".
        pixels: Pixel normalization of the backbone; padding is normalized like any
            pixel, since the original pads first.
    """

    feature_extractor: FeatureExtractor
    roi_features: keras.layers.Layer
    pixels: PixelScaling


def backbone_variables(
    feature_extractor: Any, roi_features: Any
) -> dict[str, keras.Variable]:
    """Returns the variables that an image classifier can fill, as "layer/variable".

    The last stage of the backbone is among them if it encodes the crops.
    """
    variables = named_variables(feature_extractor.backbone)
    if isinstance(roi_features, keras.Model):
        variables |= named_variables(roi_features)
    return variables
