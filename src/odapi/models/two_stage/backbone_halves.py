"""The two halves of the backbone of a two-stage detector."""

import dataclasses
from typing import Any

import keras

from odapi.layers.names import named_variables
from odapi.layers.pixels import PixelScaling
from odapi.models.single_stage.feature_extractor import FeatureExtractor


@dataclasses.dataclass(frozen=True)
class RCNNExtractor:
    """What comes before the proposals, and what looks at the crops of them.

    A detector keeps both layers as its attributes `feature_extractor` and
    `roi_features`, so that its variables have these names.

    Args:
        feature_extractor: From normalized images to the maps that proposals are made
            from and cropped from, largest first; named "feature_extractor".
        roi_features: Layer from crops `[n, s, s, c]` to features `[n, h, w, d]`,
            without variables yet where it is no backbone; named "roi_features".
        pixels: How the backbone wants its pixels; padding is scaled like any pixel,
            since the original pads first.
    """

    feature_extractor: FeatureExtractor
    roi_features: keras.layers.Layer
    pixels: PixelScaling


def backbone_variables(
    feature_extractor: Any, roi_features: Any
) -> dict[str, keras.Variable]:
    """Returns the variables that a classifier of images can fill: "layer/variable".

    Where the end of the backbone looks at the crops, it is among them.
    """
    variables = named_variables(feature_extractor.backbone)
    if isinstance(roi_features, keras.Model):
        variables |= named_variables(roi_features)
    return variables
