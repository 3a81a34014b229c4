"""Checkpoint keys of the original's EfficientDet, in addition to those of SSD.

The original stores the whole image classifier, and a second model within it that ends
at the last feature map. The key of a variable is the first path to it: variables of
the second model are below `BACKBONE`; the remaining ones, later blocks of the last
stage and the ImageNet classifier, are below `UNUSED`.
"""

from odapi.necks.bifpn import BidirectionalPyramid
from odapi.zoo.names.backbone_keys import layer_keys

BACKBONE = "_efficientnet"
# No output of the detector depends on these variables; our models do not have them.
UNUSED = "model/_feature_extractor/classification_backbone/"


def bifpn_keys(neck: BidirectionalPyramid, root: str) -> dict[str, str]:
    """Returns the keys of the pyramid, by our names within it.

    Args:
        neck: Built pyramid.
        root: Key of the pyramid in the checkpoint.
    """
    keys: dict[str, str] = {}
    for place, node in enumerate(neck.nodes):
        for n, stack in enumerate(node.projections):
            # Convolution and norm are the second item of a list; resizing follows.
            block = f"{root}/node_input_blocks/{place}/{n}/1"
            for step, layer in enumerate(stack.steps):
                ours = f"{node.name}/{stack.name}/{layer.name}"
                keys |= layer_keys(layer, ours, f"{block}/{step}")
        if node.combine is None:
            continue
        for _ in node.combine.weights:
            keys[f"{node.name}/combine/importance"] = (
                f"{root}/node_combine_op/{place}/bifpn_combine_weights"
            )
        # The activation comes first, and has no weights.
        block = f"{root}/node_post_combine_block/{place}"
        keys |= layer_keys(node.conv, f"{node.name}/conv", f"{block}/1")
        keys |= layer_keys(node.norm, f"{node.name}/norm", f"{block}/2")
    return keys
