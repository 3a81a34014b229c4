"""Activation functions, by the names of the config language."""

from keras import ops

ACTIVATIONS = {
    "none": lambda x: x,
    "relu": ops.relu,
    "relu_6": ops.relu6,
    "swish": ops.silu,
}
