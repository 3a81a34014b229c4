"""Keys of the original's DeepMAC checkpoints: the mask head.

Those of hourglasses are of checkpoints that the original wrote. No checkpoint with
another network was ever seen; their keys follow from how it keeps its objects.
"""

from typing import Any

import keras

from odapi.backbones.hourglass import Hourglass
from odapi.heads.deepmac_heads import FullyConnected, MaskHead, MaskResNet
from odapi.zoo.names.backbone_keys import layer_keys
from odapi.zoo.names.center_extractor_keys import hourglass_keys

ROOT = "model/_mask_net"
# The state of what the original draws by chance; some of its checkpoints have it.
UNUSED = "model/_self_supervised_rng/_state_var"

Keys = dict[str, str]


def mask_head_keys(head: MaskHead) -> Keys:
    """Returns the original's key of each weight, by our name within the head.

    Raises:
        TypeError: Its network is not one of the original's.
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
        raise TypeError(f"no names of the original are known for {type(net).__name__}")
    keys = {f"{net.name}/{ours}": key for ours, key in keys.items()}
    last = head.project_out
    return keys | layer_keys(last, last.name, f"{ROOT}/project_out")


def no_keys(head: Any) -> Keys:
    """Returns the keys of a head without weights."""
    return {}


def _resnet_keys(net: MaskResNet) -> Keys:
    """The blocks are one model, whose layers are sorted by their distance to its end.

    So the convolution around a block comes after all others in it.
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
        around = [] if block.around is None else [block.around]
        placed += [(f"{block.name}/{layer.name}", layer) for layer in layers + around]
    for n, (ours, layer) in enumerate(placed):
        keys |= layer_keys(layer, ours, f"{ROOT}/_net/model/layer_with_weights-{n}")
    return keys
