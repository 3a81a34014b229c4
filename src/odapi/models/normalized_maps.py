"""Sizes of the feature maps that the batch norms of a detector normalize."""

from typing import NamedTuple

import keras

from odapi.models.batch_statistics import batch_norms
from odapi.models.detector import Detector
from odapi.runtime.compat import trace_shapes
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
    try:
        for norm in norms:
            # The attribute of the instance hides the method of the class.
            norm.call = _recorded(norm, found)
        shape = (1, *detector.image_size, detector.num_channels)
        trace_shapes(lambda images: extractor(images, training=True), shape)
    finally:
        for norm in norms:
            norm.__dict__.pop("call", None)
    return min(found, key=lambda m: m.height * m.width, default=None)


def _recorded(norm: keras.layers.Layer, found: list[NormalizedMap]):
    call = norm.call

    def recorded(inputs: Tensor, *args: object, **kwargs: object) -> Tensor:
        height, width = inputs.shape[1:3]
        if height and width:
            found.append(NormalizedMap(norm.path, int(height), int(width)))
        return call(inputs, *args, **kwargs)

    return recorded
