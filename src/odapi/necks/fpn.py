"""Feature pyramid network: strong features at every scale."""

from collections.abc import Sequence

import keras

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.resample import upsample_nearest
from odapi.layers.stack import Stack, conv_norm_activation

_SIZE = 3


class FeaturePyramid(keras.layers.Layer):
    """Adds what the upper levels know to the lower levels, then makes more levels.

    Each map of the backbone is projected to `depth` channels; from the top down
    the map above, twice as large, is added and the sum is smoothed; the top itself
    stays as it is. Further levels above follow by convolutions of stride 2.

    Args:
        levels: Indices of the maps of the backbone that are used, in a row.
        num_extra: Further levels above.
        depth: Channels of all levels.
        hyperparams: Of all layers.
        use_depthwise: Separable convolutions instead of full ones.
        explicit_padding: Pad symmetrically, whatever the size of the image.

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

        # Numbered from the bottom, 1 being the lowest map.
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
        """Returns the levels, largest map first, of all maps of the backbone."""
        features = features[self.used]
        above = self.projections[-1](features[-1])
        maps = [above]
        for n in reversed(range(len(self.projections) - 1)):
            here = self.projections[n](features[n])
            # The original hands on the smoothed map, the paper the bare sum.
            above = self.smoothing[n](upsample_nearest(above, here.shape) + here)
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
