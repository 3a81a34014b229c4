"""Checkpoint keys of the mask head of the original's DeepMAC.

The keys of hourglasses were verified on published checkpoints. No checkpoints of other
networks are published; their keys follow from the code of the original.
"""

from typing import Any

import keras

from odapi.backbones.hourglass import Hourglass
from odapi.heads.deepmac_heads import FullyConnected, MaskHead, MaskResNet
from odapi.zoo.names.backbone_keys import layer_keys
from odapi.zoo.names.center_extractor_keys import hourglass_keys

ROOT = "model/_mask_net"
# State of the original's random generator, in some of its checkpoints.
UNUSED = "model/_self_supervised_rng/_state_var"

Keys = dict[str, str]


def mask_head_keys(head: MaskHead) -> Keys:
    """Returns the original's key of each weight, by our name within the head.

    Raises:
        TypeError: Its network does not exist in the original.
    """
    net = head.net
    if isinstance(net, Hourglass):
        keys = hourglass_keys(net, f"{ROOT}/_net")
    elif isinstance(net, MaskResNet):
        keys = _resnet_keys(net)
    elif isinstance(net, FullyConnected):
        keys = {}
        for layer in (net.input_layer, net.fc1, net.fc2):
            keys |= layer_keys(layer, layer.name, f"{ROOT}/_net/{layer.name}")
    else:
        raise TypeError(
            f"there are no checkpoint keys of the original for {type(net).__name__}"
        )
    keys = {f"{net.name}/{ours}": key for ours, key in keys.items()}
    last = head.project_out
    return keys | layer_keys(last, last.name, f"{ROOT}/project_out")


def no_keys(head: Any) -> Keys:
    """Returns the keys of a head without weights."""
    return {}


def _resnet_keys(net: MaskResNet) -> Keys:
    """Returns the keys of a ResNet, whose blocks are one model in the original.

    Its layers are sorted by their distance to the output, so that the convolution of
    the shortcut comes last in its block.
    """
    first = net.input_layer
    keys = layer_keys(first, first.name, f"{ROOT}/_net/input_layer")
    placed: list[tuple[str, keras.layers.Layer]] = []
    for block in net.blocks:
        layers = [
            block.preact_bn,
            block.first,
            block.first_bn,
            block.second,
            block.second_bn,
        ]
        shortcut = [] if block.shortcut is None else [block.shortcut]
        placed += [(f"{block.name}/{layer.name}", layer) for layer in layers + shortcut]
    for n, (ours, layer) in enumerate(placed):
        keys |= layer_keys(layer, ours, f"{ROOT}/_net/model/layer_with_weights-{n}")
    return keys
