"""Decoders of CenterNet: from the maps of a backbone to one map of stride 4."""

from collections.abc import Sequence

import keras

from odapi.layers.hyperparams import BOTH, Hyperparams
from odapi.layers.norm import Norm
from odapi.layers.resample import UPSAMPLING
from odapi.layers.stack import Stack, conv_norm_activation

DEFAULT_HYPERPARAMS = Hyperparams(
    activation="relu",
    norm=Norm(momentum=0.99, epsilon=0.001, scale=True),
    force_use_bias=True,
)

_SIZE = 3


class TransposedDecoder(keras.layers.Layer):
    """Upsamples the last map of a backbone by transposed convolutions.

    Each step is a convolution and a transposed convolution of stride 2, both
    followed by norm and activation.

    Args:
        filters: Channels of each step.
        size: Kernel size of the first convolution of a step.
        hyperparams: Hyperparams of all layers.

    Source: Zhou et al. 2019 (https://arxiv.org/abs/1904.07850), appendix A, with
    plain convolutions for the deformable ones.
    """

    def __init__(
        self, filters: Sequence[int], size: int, hyperparams: Hyperparams, **kwargs
    ):
        super().__init__(**kwargs)

        def block(n, channels):
            conv = hyperparams.conv(channels, size, f"decoder/step_{n}/conv")
            up = hyperparams.transposed(channels, _SIZE, f"decoder/step_{n}/up", 2)
            steps = [
                *conv_norm_activation(conv, hyperparams),
                *conv_norm_activation(up, hyperparams),
            ]
            return Stack(steps, name=f"step_{n}", dtype=hyperparams.dtype)

        self.blocks = [block(n, channels) for n, channels in enumerate(filters)]

    def build(self, input_shape: Sequence[tuple]):
        """Creates the variables, for the shapes of the backbone's maps."""
        shape = tuple(input_shape[-1])
        for block in self.blocks:
            block.build(shape)
            shape = block.compute_output_shape(shape)

    def call(self, features):
        """Returns a list of one map, from all maps of the backbone."""
        x = features[-1]
        for block in self.blocks:
            x = block(x)
        return [x]

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> list[tuple]:
        """Returns the shape of the map in a list, without running anything."""
        shape = tuple(input_shape[-1])
        for block in self.blocks:
            shape = block.compute_output_shape(shape)
        return [tuple(shape)]


class UpsamplingDecoder(keras.layers.Layer):
    """Top-down pathway from the last map of a backbone to the first.

    In each step the map is upsampled by a factor of 2, the projected map of the
    backbone is added, and a convolution maps the sum to the channels of the next step.

    Args:
        filters: Channels of each step, the last of which are those of the output; one
            step fewer than the backbone has maps.
        hyperparams: Hyperparams of all layers.
        use_separable_conv: Whether the convolutions of sums are separable.
        upsampling: "nearest" or "bilinear".

    Source: Lin et al. 2017 (https://arxiv.org/abs/1612.03144), the finest level
    alone and with fewer channels below.
    """

    def __init__(
        self,
        filters: Sequence[int],
        hyperparams: Hyperparams,
        use_separable_conv: bool = False,
        upsampling: str = "nearest",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if upsampling not in UPSAMPLING:
            raise ValueError(
                f"upsampling must be one of {sorted(UPSAMPLING)}, got {upsampling!r}"
            )
        self.upsampling = upsampling
        self.top = hyperparams.conv(filters[0], 1, "decoder/top")
        # Numbered from the top level down, in order of execution.
        self.projections = [
            hyperparams.conv(channels, 1, f"decoder/projection_{n}")
            for n, channels in enumerate(filters)
        ]

        def smoothing(n, channels):
            path = f"decoder/smoothing_{n}/conv"
            if use_separable_conv:
                conv = hyperparams.separable(channels, _SIZE, path, BOTH)
            else:
                conv = hyperparams.conv(channels, _SIZE, path)
            steps = conv_norm_activation(conv, hyperparams)
            return Stack(steps, name=f"smoothing_{n}", dtype=hyperparams.dtype)

        following = [*filters[1:], filters[-1]]
        self.smoothing = [smoothing(n, c) for n, c in enumerate(following)]

    def build(self, input_shape: Sequence[tuple]):
        """Creates the variables, for the shapes of the backbone's maps."""
        *lower, last = [tuple(shape) for shape in input_shape]
        self.top.build(last)
        for step, shape in enumerate(reversed(lower)):
            self.projections[step].build(shape)
            inner = self.projections[step].compute_output_shape(shape)
            self.smoothing[step].build(inner)

    def call(self, features):
        """Returns a list of one map, from all maps of the backbone."""
        *lower, last = features
        x = self.top(last)
        for step, here in enumerate(reversed(lower)):
            here = self.projections[step](here)
            x = UPSAMPLING[self.upsampling](x, here.shape) + here
            x = self.smoothing[step](x)
        return [x]

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> list[tuple]:
        """Returns the shape of the map in a list, without running anything."""
        shape = self.projections[-1].compute_output_shape(tuple(input_shape[0]))
        return [self.smoothing[-1].compute_output_shape(shape)]
