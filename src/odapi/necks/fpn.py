"""Feature pyramid network (FPN)."""

from collections.abc import Sequence

import keras
from keras import ops

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.resample import upsample_nearest
from odapi.layers.stack import Stack, conv_norm_activation

_SIZE = 3


class FeaturePyramid(keras.layers.Layer):
    """Top-down pathway with lateral connections, and coarser levels on top.

    Each map of the backbone is projected to `depth` channels. From the top level down,
    the upsampled map of the level above is added, and a convolution smooths the sum;
    the top level is not smoothed. Coarser levels follow by convolutions of stride 2.

    Args:
        levels: Consecutive indices of the maps of the backbone that are used.
        num_extra: Number of coarser levels.
        depth: Channels of all levels.
        hyperparams: Hyperparams of all layers.
        use_depthwise: Separable convolutions instead of full ones.
        explicit_padding: Whether padding is symmetric for any image size.

    Source: Lin et al. 2017 (https://arxiv.org/abs/1612.03144); the levels above
    as in https://arxiv.org/abs/1708.02002.
    """

    def __init__(
        self,
        levels: range,
        num_extra: int,
        depth: int,
        hyperparams: Hyperparams,
        use_depthwise: bool = False,
        explicit_padding: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.used = slice(levels.start, levels.stop)
        num_maps = len(levels)

        def block(name, stride):
            make = hyperparams.separable if use_depthwise else hyperparams.conv
            conv = make(
                depth,
                _SIZE,
                f"fpn/{name}/conv",
                strides=stride,
                explicit_padding=explicit_padding,
            )
            steps = conv_norm_activation(conv, hyperparams)
            return Stack(steps, name=name, dtype=hyperparams.dtype)

        # Numbered from the bottom; 1 is the lowest level.
        self.projections = [
            hyperparams.conv(depth, 1, f"fpn/projection_{n}", use_bias=True)
            for n in range(1, num_maps + 1)
        ]
        self.smoothing = [block(f"smoothing_{n}", 1) for n in range(1, num_maps)]
        self.extra = [block(f"extra_{n}", 2) for n in range(1, num_extra + 1)]

    def build(self, input_shape: Sequence[tuple]):
        """Creates the variables, for the shapes of the backbone's maps."""
        shapes = list(input_shape)[self.used]
        for projection, shape in zip(self.projections, shapes, strict=True):
            projection.build(shape)
        projected = self.projections[0].compute_output_shape(shapes[0])
        for layer in (*self.smoothing, *self.extra):
            layer.build(projected)

    def call(self, features):
        """Returns the levels, largest map first, from all maps of the backbone."""
        features = features[self.used]
        above = self.projections[-1](features[-1])
        maps = [above]
        for n in reversed(range(len(self.projections) - 1)):
            here = self.projections[n](features[n])
            # The original passes on the smoothed map, the paper the sum.
            above = self.smoothing[n](upsample_nearest(above, ops.shape(here)) + here)
            maps.insert(0, above)
        for layer in self.extra:
            maps.append(layer(maps[-1]))
        return maps

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> list[tuple]:
        """Returns the shapes of the maps, without running anything."""
        shapes = list(input_shape)[self.used]
        maps = [
            projection.compute_output_shape(shape)
            for projection, shape in zip(self.projections, shapes, strict=True)
        ]
        for layer in self.extra:
            maps.append(layer.compute_output_shape(maps[-1]))
        return maps
