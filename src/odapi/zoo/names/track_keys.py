"""Keys of the classifier of individuals in checkpoints of the original's CenterNet.

No checkpoint with one was ever seen: the keys follow from its being a sequence of
layers.
"""

from odapi.heads.track_classifier import TrackClassifier
from odapi.zoo.names.backbone_keys import layer_keys

_ROOT = "model/track_reid_classification_net"


def track_keys(classifier: TrackClassifier) -> dict[str, str]:
    """Returns the original's key of each weight, by our name within the layer.

    Args:
        classifier: Built.
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
