"""Variables that the original's CenterNet checkpoints have and odapi does not."""

from odapi.zoo.names.center_extractor_keys import ROOT


def unused_key(extractor):
    """Returns the beginning of the keys that only the checkpoint has, or None.

    Where norms come before convolutions, the original keeps the norm after the last
    sum of the backbone, whose output is not used.
    """
    layers = [x for x in getattr(extractor.backbone, "layers", ()) if x.weights]
    if not any(layer.name.endswith("_preact_bn") for layer in layers):
        return None
    return f"{ROOT}/_base_model/layer_with_weights-{len(layers)}/"
