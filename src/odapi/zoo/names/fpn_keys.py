"""Checkpoint keys of a feature pyramid of the original."""

from odapi.necks.fpn import FeaturePyramid
from odapi.zoo.names.backbone_keys import layer_keys
from odapi.zoo.names.layer_list_keys import stack_keys

Keys = dict[str, str]


def fpn_keys(neck: FeaturePyramid, generator: str, coarse: str) -> Keys:
    """Returns the keys of the pyramid, by our names within it.

    Args:
        neck: Built pyramid.
        generator: Key of the top-down pathway.
        coarse: Key of the list of coarser levels.
    """
    *lower, top = neck.projections
    keys = layer_keys(top, top.name, f"{generator}/top_layers/0")
    # The original numbers levels from the top down.
    for n, layer in enumerate(reversed(lower)):
        keys |= layer_keys(layer, layer.name, f"{generator}/residual_blocks/{n}/0")
    for n, stack in enumerate(reversed(neck.smoothing)):
        keys |= stack_keys(stack, f"{generator}/conv_layers/{n}")
    for n, stack in enumerate(neck.extra):
        keys |= stack_keys(stack, f"{coarse}/{n}")
    return keys
