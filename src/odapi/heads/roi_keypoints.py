"""Keypoint head of Mask R-CNN: heatmaps from RoI features."""

import dataclasses
from collections.abc import Sequence

import keras
from keras import ops

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.resample import upsample_bilinear
from odapi.structures import Tensor

_SIDE = 3
_UP = 2  # Upsampling factor of the learned layer and of the interpolation.


@dataclasses.dataclass(frozen=True)
class RoiKeypointOptions:
    """Options of `RoiKeypoints`; the defaults are those of the paper.

    Args:
        num_keypoints: Number of keypoints per object.
        num_layers: Number of 3 x 3 convolutions.
        depth: Channels of the convolutions.
    """

    num_keypoints: int
    num_layers: int = 8
    depth: int = 512

    def __post_init__(self):
        if min(self.num_keypoints, self.num_layers, self.depth) < 1:
            raise ValueError(
                f"num_keypoints, num_layers and depth must be 1 or more: {self}"
            )


class RoiKeypoints(keras.layers.Layer):
    """Predicts one heatmap per keypoint, four times as large as the RoI features.

    Layers are `conv_0` and so on, their norms `conv_0_norm` and so on, if any, and
    `predict`, which upsamples by a factor of 2.

    Args:
        options: Number of keypoints and size of the layers.
        hyperparams: Hyperparams of all layers.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870), section 5.
    """

    def __init__(self, options: RoiKeypointOptions, hyperparams: Hyperparams, **kwargs):
        super().__init__(**kwargs)
        self.options = options
        self.hyperparams = hyperparams
        names = [f"conv_{n}" for n in range(options.num_layers)]
        self.convs = [
            hyperparams.conv(options.depth, _SIDE, f"{self.name}/{name}")
            for name in names
        ]
        self.norms = [hyperparams.norm_layer(f"{name}_norm") for name in names]
        plain = dataclasses.replace(hyperparams, norm=None, dtype="float32")
        self.predict = plain.transposed(
            options.num_keypoints, 2 * _UP, f"{self.name}/predict", _UP
        )

    def build(self, input_shape: Sequence):
        """Creates the variables, for features `[n, h, w, d]`."""
        shape = tuple(input_shape)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            conv.build(shape)
            shape = (*shape[:3], self.options.depth)
            norm.build(shape)
        self.predict.build(shape)

    def call(self, features: Tensor, training: bool = False) -> Tensor:
        """Returns heatmaps `[n, k, 4 * h, 4 * w]` of `[n, h, w, d]`: logits, float32.

        Args:
            features: RoI features.
            training: Whether norms use the statistics of the batch.
        """
        x = ops.cast(features, self.compute_dtype)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = self.hyperparams.activate(norm(conv(x), training=training))
        x = self.predict(ops.cast(x, "float32"))
        _, height, width, number = x.shape
        x = upsample_bilinear(x, (None, _UP * height, _UP * width, number))
        return ops.transpose(x, (0, 3, 1, 2))
