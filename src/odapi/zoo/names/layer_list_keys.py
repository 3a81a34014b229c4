"""Checkpoint keys of lists of layers of the original.

Indices count all layers, including those without weights: explicit padding and
activations are separate layers in the original.
"""

from collections.abc import Iterator

import keras

from odapi.heads.anchor_head import BOXES, CLASSES
from odapi.heads.per_level_conv_head import PerLevelConvHead
from odapi.layers.stack import Stack
from odapi.zoo.names.backbone_keys import layer_keys

Keys = dict[str, str]

# Names of the lists of a head.
BOX_LAYERS, CLASS_LAYERS = "_box_encoder_layers", "_class_predictor_layers"


def per_level_keys(head: PerLevelConvHead, root: str) -> Keys:
    """Returns the keys of a head with separate layers per level.

    Args:
        head: Built head.
        root: Key of the box predictor.
    """
    keys: Keys = {}
    for n, stack in enumerate(head.shared):
        keys |= stack_keys(stack, f"{root}/_shared_nets/{n}")
    for what, stacks, layers in (
        (BOXES, head.box_heads, BOX_LAYERS),
        (CLASSES, head.class_heads, CLASS_LAYERS),
    ):
        for n, stack in enumerate(stacks):
            at = f"{root}/_prediction_heads/{what}/{n}/{layers}"
            keys |= stack_keys(stack, at)
    return keys


def stack_keys(stack: Stack, root: str) -> Keys:
    """Returns the keys of the layers of a stack, by our names including the stack's.

    Args:
        stack: Built stack.
        root: Key of the list of the layers.
    """
    keys: Keys = {}
    for place, layer in _places(stack):
        keys |= layer_keys(layer, f"{stack.name}/{layer.name}", f"{root}/{place}")
    return keys


def _places(stack: Stack) -> Iterator[tuple[int, keras.layers.Layer]]:
    """Yields the layers of a stack with their indices in the original's list."""
    place = 0
    for layer in stack.steps:
        if getattr(layer, "explicit_padding", False) and max(layer.kernel_size) > 1:
            place += 1
        yield place, layer
        place += 1
