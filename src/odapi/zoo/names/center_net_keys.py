"""Checkpoint keys of the original's CenterNet: heads and layers of tasks."""

from collections.abc import Callable
from typing import Any

from odapi.models.center.center_net import CenterNet
from odapi.zoo.names.backbone_keys import layer_keys
from odapi.zoo.names.center_extractor_keys import center_extractor_keys
from odapi.zoo.names.deepmac_keys import mask_head_keys, no_keys
from odapi.zoo.names.track_keys import track_keys

HEADS = "model/_prediction_head_dict"

Keys = dict[str, str]


def center_net_keys(detector: CenterNet) -> Keys:
    """Returns the original's key of each weight, by our name.

    Args:
        detector: Built detector; names are those of `named_variables`.

    Raises:
        TypeError: A part of it does not exist in the original.
    """
    extractor, heads = detector.feature_extractor, detector.heads
    keys = _under(extractor.name, center_extractor_keys(extractor))
    keys |= _under(heads.name, _head_keys(heads))
    for layer in detector.task_layers:
        names = _TASK_LAYERS.get(type(layer).__name__)
        if names is None:
            kind = type(layer).__name__
            raise TypeError(f"there are no checkpoint keys of the original for {kind}")
        keys |= _under(layer.name, names(layer))
    return keys


def _head_keys(heads: Any) -> Keys:
    """Returns the keys of the heads; layers with weights are numbered per stage."""
    keys: Keys = {}
    for name, stage, stack in heads.named_stacks():
        root = f"{HEADS}/{escaped(name)}/{stage}"
        with_weights = [step for step in stack.steps if step.weights]
        for n, layer in enumerate(with_weights):
            ours = f"{stack.name}/{layer.name}"
            keys |= layer_keys(layer, ours, f"{root}/layer_with_weights-{n}")
    return keys


def escaped(name: str) -> str:
    """Returns a name as part of a key, in which "/" is the separator.

    >>> escaped("box/scale")
    'box.Sscale'
    """
    return name.replace(".", "..").replace("/", ".S")


def _under(name: str, keys: Keys) -> Keys:
    return {f"{name}/{ours}": key for ours, key in keys.items()}


# Functions from a layer of a task to its keys, by the class of the layer.
_TASK_LAYERS: dict[str, Callable[[Any], Keys]] = {
    "MaskHead": mask_head_keys,
    "ProjectionHead": no_keys,
    "TrackClassifier": track_keys,
    "ConditionalHead": no_keys,
}
