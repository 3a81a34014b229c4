"""A sequence of layers."""

from collections.abc import Sequence
from typing import Any

import keras

from odapi.layers.hyperparams import Hyperparams
from odapi.structures import Shape, Tensor


class Stack(keras.layers.Layer):
    """Applies layers in sequence.

    Unlike `keras.Sequential` it creates no functional graph, so it builds fast.
    """

    def __init__(self, steps: Sequence[keras.layers.Layer], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.steps = list(steps)

    def build(self, input_shape: Shape) -> None:
        """Creates the variables."""
        for step in self.steps:
            step.build(input_shape)
            input_shape = step.compute_output_shape(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        """Returns the output of the last layer."""
        for step in self.steps:
            inputs = step(inputs)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the output."""
        for step in self.steps:
            input_shape = step.compute_output_shape(input_shape)
        return input_shape


def conv_norm_activation(
    conv: keras.layers.Layer, hyperparams: Hyperparams
) -> list[keras.layers.Layer]:
    """Returns a convolution, its norm and its activation."""
    return [
        conv,
        hyperparams.norm_layer(f"{conv.name}_norm"),
        hyperparams.activation_layer(f"{conv.name}_activation"),
    ]
