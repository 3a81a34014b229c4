"""Checkpoint keys of a backbone that is a Keras model in the original."""

import keras


def backbone_keys(backbone: keras.Model, root: str) -> dict[str, str]:
    """Returns the original's key of each weight, by our name "layer/variable".

    The original's checkpoints number the layers that have weights, in the order of
    the model.

    Args:
        backbone: Backbone with the same layers in the same order as the original's.
        root: Key of the backbone in the checkpoint.
    """
    with_weights = [layer for layer in backbone.layers if layer.weights]
    return {
        f"{layer.name}/{weight.name}": f"{root}/layer_with_weights-{n}/"
        + variable_key(layer, weight.name)
        for n, layer in enumerate(with_weights)
        for weight in layer.weights
    }


def variable_key(layer: keras.layers.Layer, name: str) -> str:
    """Returns the name of a weight of a layer in Keras 2."""
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return "depthwise_kernel" if depthwise and name == "kernel" else name


def layer_keys(layer: keras.layers.Layer, name: str, root: str) -> dict[str, str]:
    """Returns the keys of the weights of one layer, named `name` in our model."""
    return {
        f"{name}/{weight.name}": f"{root}/{variable_key(layer, weight.name)}"
        for weight in layer.weights
    }
