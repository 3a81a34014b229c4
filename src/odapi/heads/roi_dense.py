"""Two-layer MLP that encodes RoI crops."""

import dataclasses

import keras
from keras import ops

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.initializers import GLOROT_UNIFORM, Constant, Initializer
from odapi.layers.reduced_precision import Dense

_UNITS = 1024


class RoiDense(keras.layers.Layer):
    """Encodes crops by two fully connected layers of 1024 units, with a norm between.

    As in the original, weights have the default initializer of Keras, the activation
    is ReLU and there is no regularization, whatever the other hyperparams are.

    Args:
        hyperparams: Hyperparams whose norm, seed and dtype are used.

    Source: the head of Lin et al. 2017 (https://arxiv.org/abs/1612.03144), with the
    norm of the original's faster_rcnn_resnet_v1_fpn_keras_feature_extractor.py.
    """

    def __init__(self, hyperparams: Hyperparams, **kwargs):
        super().__init__(**kwargs)

        def dense(name):
            return Dense(
                _UNITS,
                activation="relu",
                kernel_initializer=Initializer(
                    GLOROT_UNIFORM, hyperparams.seed, f"roi_features/{name}"
                ),
                bias_initializer=Constant(0.0),
                name=name,
                dtype=hyperparams.dtype,
            )

        self.first = dense("first")
        self.norm = _norm(hyperparams)
        self.second = dense("second")

    def build(self, input_shape):
        """Creates the variables, for crops of one size `[n, h, w, c]`."""
        _, height, width, channels = input_shape
        self.first.build((None, height * width * channels))
        self.norm.build((None, 1, 1, _UNITS))
        self.second.build((None, 1, 1, _UNITS))

    def call(self, crops, training=False):
        """Returns `[n, 1, 1, 1024]` of crops `[n, h, w, c]`."""
        _, height, width, channels = crops.shape
        x = self.first(ops.reshape(crops, (-1, height * width * channels)))
        x = self.norm(ops.reshape(x, (-1, 1, 1, _UNITS)), training=training)
        return self.second(x)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the features, without running anything."""
        return (input_shape[0], 1, 1, _UNITS)


def _norm(hyperparams: Hyperparams) -> keras.layers.Layer:
    """Returns the norm; batch norm uses the biased variance.

    So does Keras for inputs without spatial dimensions, and hence the original.
    """
    if hyperparams.norm is not None and hyperparams.norm.kind == "batch":
        norm = dataclasses.replace(hyperparams.norm, kind="sync_batch")
        hyperparams = dataclasses.replace(hyperparams, norm=norm)
    return hyperparams.norm_layer("first_norm")
