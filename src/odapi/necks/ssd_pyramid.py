"""Feature pyramid of SSD: maps of the backbone and extra feature layers."""

from collections.abc import Sequence

import keras

from odapi.layers.hyperparams import NEITHER, DepthMultiplier, Hyperparams
from odapi.layers.stack import Stack, conv_norm_activation

_SIZE = 3


class SsdPyramid(keras.layers.Layer):
    """Maps of the backbone, followed by extra feature layers of half the size each.

    An extra layer is a 1 x 1 convolution to half its depth and a 3 x 3 convolution of
    stride 2.

    Args:
        num_maps: Number of maps of the backbone that are used, from the first.
        depths: Nominal channels of the extra layers.
        depth: Function from nominal to actual channels.
        hyperparams: Hyperparams of all layers.
        use_depthwise: A depthwise and a 1 x 1 convolution instead of the 3 x 3.
        explicit_padding: Whether padding is symmetric for any image size.

    Source: Liu et al. 2016 (https://arxiv.org/abs/1512.02325), section 2.2.
    """

    def __init__(
        self,
        num_maps: int,
        depths: Sequence[int],
        depth: DepthMultiplier,
        hyperparams: Hyperparams,
        use_depthwise: bool = False,
        explicit_padding: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_maps = num_maps

        def block(index, nominal):
            def conv(filters, size, name, **options):
                layer = hyperparams.conv(filters, size, name, **options)
                return conv_norm_activation(layer, hyperparams)

            options = {"strides": 2, "explicit_padding": explicit_padding}
            path = f"ssd_pyramid/map_{index}"
            steps = conv(depth(nominal / 2), 1, f"{path}/reduce")
            if use_depthwise:
                # As in the original, hyperparams do not apply to this kernel.
                shrink = hyperparams.depthwise(
                    _SIZE, f"{path}/depthwise", NEITHER, **options
                )
                steps += conv_norm_activation(shrink, hyperparams)
                steps += conv(depth(nominal), 1, f"{path}/shrink")
            else:
                steps += conv(depth(nominal), _SIZE, f"{path}/shrink", **options)
            return Stack(steps, name=f"map_{index}", dtype=hyperparams.dtype)

        # Numbered from 0, starting with the maps of the backbone.
        self.extra = [block(num_maps + n, d) for n, d in enumerate(depths)]

    def build(self, input_shape: Sequence[tuple]):
        """Creates the variables, for the shapes of the backbone's maps."""
        shape = list(input_shape)[self.num_maps - 1]
        for layer in self.extra:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, features):
        """Returns the maps, largest first, from all maps of the backbone."""
        maps = list(features[: self.num_maps])
        for layer in self.extra:
            maps.append(layer(maps[-1]))
        return maps

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> list[tuple]:
        """Returns the shapes of the maps, without running anything."""
        maps = [tuple(s) for s in list(input_shape)[: self.num_maps]]
        for layer in self.extra:
            maps.append(layer.compute_output_shape(maps[-1]))
        return maps
