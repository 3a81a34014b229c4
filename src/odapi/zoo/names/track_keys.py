"""Checkpoint keys of the track classifier of the original's CenterNet.

No checkpoints with a track classifier are published; the keys follow from the code of
the original.
"""

from odapi.heads.track_classifier import TrackClassifier
from odapi.zoo.names.backbone_keys import layer_keys

_ROOT = "model/track_reid_classification_net"


def track_keys(classifier: TrackClassifier) -> dict[str, str]:
    """Returns the original's key of each weight, by our name within the layer.

    Args:
        classifier: Built classifier.
    """
    layers = [
        layer
        for pair in zip(classifier.dense, classifier.norms, strict=True)
        for layer in pair
    ]
    keys: dict[str, str] = {}
    for n, layer in enumerate([*layers, classifier.predict]):
        keys |= layer_keys(layer, layer.name, f"{_ROOT}/layer_with_weights-{n}")
    return keys
