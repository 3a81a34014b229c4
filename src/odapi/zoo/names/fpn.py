"""Keys of a feature pyramid and of layers in a row, in the original's checkpoints."""

from collections.abc import Iterator

import keras

from odapi.layers.stack import Stack
from odapi.necks.fpn import FeaturePyramid
from odapi.zoo.names.backbone import layer_keys

Keys = dict[str, str]


def fpn_keys(neck: FeaturePyramid, generator: str, coarse: str) -> Keys:
    """Returns the keys of the pyramid, by our names within it.

    Args:
        neck: Built.
        generator: Key of what makes the levels of the backbone.
        coarse: Key of the list of the levels above.
    """
    *lower, top = neck.projections
    keys = layer_keys(top, top.name, f"{generator}/top_layers/0")
    # The original goes from the top down.
    for n, layer in enumerate(reversed(lower)):
        keys |= layer_keys(layer, layer.name, f"{generator}/residual_blocks/{n}/0")
    for n, stack in enumerate(reversed(neck.smoothing)):
        keys |= stack_keys(stack, f"{generator}/conv_layers/{n}")
    for n, stack in enumerate(neck.extra):
        keys |= stack_keys(stack, f"{coarse}/{n}")
    return keys


def stack_keys(stack: Stack, root: str) -> Keys:
    """Returns the keys of layers in a row, by our names outside the stack.

    Args:
        stack: Built.
        root: Key of the list that they are in.
    """
    keys: Keys = {}
    for place, layer in _places(stack):
        keys |= layer_keys(layer, f"{stack.name}/{layer.name}", f"{root}/{place}")
    return keys


def _places(stack: Stack) -> Iterator[tuple[int, keras.layers.Layer]]:
    """Yields the layers of a stack with their place in the original's list."""
    place = 0
    for layer in stack.steps:
        if getattr(layer, "explicit_padding", False) and max(layer.kernel_size) > 1:
            place += 1
        yield place, layer
        place += 1
