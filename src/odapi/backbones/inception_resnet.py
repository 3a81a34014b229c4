"""Inception ResNet v2 in two parts, for two-stage detectors.

As in the original, all layers have "same" padding, so that maps stay aligned with the
image; the network of the paper has "valid" padding.

Source: Szegedy et al. 2016 (https://arxiv.org/abs/1602.07261); maps of stride 8 as in
Huang et al. 2016 (https://arxiv.org/abs/1611.10012).
"""

import dataclasses
from collections.abc import Sequence

import keras

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.norm import Norm

# Used unless `override_base_feature_extractor_hyperparams` is set.
DEFAULT_HYPERPARAMS = Hyperparams(
    activation="relu", norm=Norm(momentum=0.9997, epsilon=0.001)
)


@dataclasses.dataclass(frozen=True)
class _Conv:
    """A convolution with its norm and activation."""

    filters: int
    size: int | tuple[int, int] = 1
    stride: int = 1
    dilation: int = 1


@dataclasses.dataclass(frozen=True)
class _Block:
    """Residual block whose branches are concatenated and projected.

    Args:
        branches: Successive convolutions of each branch.
        scale: Factor of the residual.
    """

    branches: tuple[tuple[_Conv, ...], ...]
    scale: float


# Channels of the map between both parts.
_SPLIT_CHANNELS = 1088

_FIRST_MIX = (
    (_Conv(96),),
    (_Conv(48), _Conv(64, 5)),
    (_Conv(64), _Conv(96, 3), _Conv(96, 3)),
)
_BLOCK_35 = _Block(
    ((_Conv(32),), (_Conv(32), _Conv(32, 3)), (_Conv(32), _Conv(48, 3), _Conv(64, 3))),
    0.17,
)
_BLOCK_8 = _Block(
    ((_Conv(192),), (_Conv(192), _Conv(224, (1, 3)), _Conv(256, (3, 1)))), 0.2
)
_THIRD_MIX = (
    (_Conv(256), _Conv(384, 3, 2)),
    (_Conv(256), _Conv(288, 3, 2)),
    (_Conv(256), _Conv(288, 3), _Conv(320, 3, 2)),
)


def inception_resnet_halves(
    hyperparams: Hyperparams = DEFAULT_HYPERPARAMS,
    stride: int = 16,
    names: tuple[str, str] = ("backbone", "roi_features"),
    channels: int = 3,
) -> tuple[keras.Model, keras.Model]:
    """Returns the stages before the last reduction, and the rest.

    The first model maps images `[b, h, w, 3]`, RGB in -1 to 1, to a map of 1088
    channels; the second model has stride 2 and 1536 output channels.

    Args:
        hyperparams: Hyperparams of all layers.
        stride: Stride of the map between both models, 16 or 8. With 8 its stage has
            stride 1, and its long convolutions have a dilation rate of 2.
        names: Names of the models.
        channels: Channels of the images.

    Raises:
        ValueError: The stride is neither 8 nor 16.
    """
    if stride not in (8, 16):
        raise ValueError(f"stride must be 8 or 16, got {stride}")
    make = _Maker(hyperparams)
    images = keras.Input((None, None, channels), name="images", dtype="float32")
    first = keras.Model(images, [_first(make, images, stride)], name=names[0])
    dtype = keras.dtype_policies.get(hyperparams.dtype).compute_dtype
    crops = keras.Input((None, None, _SPLIT_CHANNELS), name="crops", dtype=dtype)
    return first, keras.Model(crops, _second(make, crops), name=names[1])


def _first(make: "_Maker", x: keras.KerasTensor, stride: int) -> keras.KerasTensor:
    for n, conv in enumerate((_Conv(32, 3, 2), _Conv(32, 3), _Conv(64, 3)), 1):
        x = make.conv(x, conv, f"stem_{n}")
    x = make.max_pool(x, 2, "stem_pool_1")
    for n, conv in enumerate((_Conv(80), _Conv(192, 3)), 4):
        x = make.conv(x, conv, f"stem_{n}")
    x = make.max_pool(x, 2, "stem_pool_2")
    mean = make.conv(
        make.average_pool(x, "mixed_5b_pool"), _Conv(64), "mixed_5b_pool_1"
    )
    x = make.concat([*make.branches(x, _FIRST_MIX, "mixed_5b"), mean], "mixed_5b")
    x = make.blocks(x, _BLOCK_35, 10, "block35")
    step, dilation = (2, 1) if stride == 16 else (1, 2)
    second_mix = (
        (_Conv(384, 3, step),),
        (_Conv(256), _Conv(256, 3), _Conv(384, 3, step)),
    )
    pooled = make.max_pool(x, step, "mixed_6a_pool")
    x = make.concat([*make.branches(x, second_mix, "mixed_6a"), pooled], "mixed_6a")
    long = (_Conv(160, (1, 7), 1, dilation), _Conv(192, (7, 1), 1, dilation))
    block_17 = _Block(((_Conv(192),), (_Conv(128), *long)), 0.1)
    return make.blocks(x, block_17, 20, "block17")


def _second(make: "_Maker", x: keras.KerasTensor) -> keras.KerasTensor:
    pooled = make.max_pool(x, 2, "mixed_7a_pool")
    x = make.concat([*make.branches(x, _THIRD_MIX, "mixed_7a"), pooled], "mixed_7a")
    x = make.blocks(x, _BLOCK_8, 9, "block8")
    last = dataclasses.replace(_BLOCK_8, scale=1.0)
    x = make.block(x, last, "block8_10")
    return make.conv(x, _Conv(1536), "conv_7b")


@dataclasses.dataclass(frozen=True)
class _Maker:
    """Creates layers and calls them."""

    hyperparams: Hyperparams

    def conv(self, x: keras.KerasTensor, conv: _Conv, name: str) -> keras.KerasTensor:
        layer = self.hyperparams.conv(
            conv.filters,
            conv.size,
            name,
            strides=conv.stride,
            dilation_rate=conv.dilation,
        )
        x = self.hyperparams.norm_layer(f"{name}_bn")(layer(x))
        return self.hyperparams.activation_layer(f"{name}_ac")(x)

    def branches(
        self, x: keras.KerasTensor, branches: Sequence[Sequence[_Conv]], name: str
    ) -> list[keras.KerasTensor]:
        ends = []
        for b, convs in enumerate(branches):
            end = x
            for n, conv in enumerate(convs, 1):
                end = self.conv(end, conv, f"{name}_{b}_{n}")
            ends.append(end)
        return ends

    def concat(self, maps: list[keras.KerasTensor], name: str) -> keras.KerasTensor:
        return keras.layers.Concatenate(name=name, dtype=self.hyperparams.dtype)(maps)

    def blocks(
        self, x: keras.KerasTensor, block: _Block, count: int, name: str
    ) -> keras.KerasTensor:
        for n in range(1, count + 1):
            x = self.block(x, block, f"{name}_{n}")
            x = self.hyperparams.activation_layer(f"{name}_{n}_ac")(x)
        return x

    def block(
        self, x: keras.KerasTensor, block: _Block, name: str
    ) -> keras.KerasTensor:
        mixed = self.concat(self.branches(x, block.branches, name), f"{name}_mixed")
        layer = self.hyperparams.conv(x.shape[-1], 1, f"{name}_conv", use_bias=True)
        return x + layer(mixed) * block.scale

    def max_pool(
        self, x: keras.KerasTensor, stride: int, name: str
    ) -> keras.KerasTensor:
        return keras.layers.MaxPooling2D(3, stride, **self._pooling(name))(x)

    def average_pool(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return keras.layers.AveragePooling2D(3, 1, **self._pooling(name))(x)

    def _pooling(self, name: str) -> dict:
        return {
            "padding": "same",
            "data_format": "channels_last",
            "name": name,
            "dtype": self.hyperparams.dtype,
        }
