"""Keys of the original's EfficientDet checkpoints, besides those of every SSD.

The original keeps the whole classifier, and a second model inside it that ends where
the last feature map comes from. A variable has the key of the path that is found
first: those within the second model are below `BACKBONE`, and what lies beyond it,
the later blocks of the last stage and the classes of ImageNet, is below `UNUSED`.
"""

from odapi.necks.bifpn import BidirectionalPyramid
from odapi.zoo.names.backbone_keys import layer_keys

BACKBONE = "_efficientnet"
# No output depends on these: they take no part in our models, and nothing is lost
# when they are passed over.
UNUSED = "model/_feature_extractor/classification_backbone/"


def bifpn_keys(neck: BidirectionalPyramid, root: str) -> dict[str, str]:
    """Returns the keys of the pyramid, by our names within it.

    Args:
        neck: Built.
        root: Key of the pyramid in the checkpoint.
    """
    keys: dict[str, str] = {}
    for place, node in enumerate(neck.nodes):
        for n, stack in enumerate(node.projections):
            # Convolution and norm are second in a list; resizing comes after them.
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
