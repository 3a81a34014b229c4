"""Sizes of the feature maps that the batch norms of a detector normalize."""

from typing import Any, NamedTuple

import keras

from odapi.models.batch_statistics import batch_norms
from odapi.models.detector import Detector
from odapi.runtime.layer_calls import Call, trace, wrapped_calls
from odapi.structures import Tensor


class NormalizedMap(NamedTuple):
    """The input of a batch norm: name of the layer, and its height and width."""

    layer: str
    height: int
    width: int


def smallest_normalized_map(detector: Detector) -> NormalizedMap | None:
    """Returns the smallest map that a batch norm of the feature extractor normalizes.

    Maps inside a backbone can be smaller than those it returns, as in an hourglass.
    Shapes alone are computed, within seconds.

    Args:
        detector: A built detector.

    Returns:
        None if no batch norm normalizes by the batch in training, or the size of the
        images is not fixed.
    """
    extractor = detector.feature_extractor
    norms = batch_norms(extractor)
    if not norms or detector.image_size is None:
        return None
    found: list[NormalizedMap] = []

    def recorded(norm: keras.layers.Layer, call: Call) -> Call:
        def call_recorded(inputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            height, width = inputs.shape[1:3]
            if height and width:
                found.append(NormalizedMap(norm.path, int(height), int(width)))
            return call(inputs, *args, **kwargs)

        return call_recorded

    images = keras.KerasTensor((1, *detector.image_size, detector.num_channels))
    with wrapped_calls(norms, recorded):
        trace(lambda images: extractor(images, training=True), images)
    return min(found, key=lambda m: m.height * m.width, default=None)
