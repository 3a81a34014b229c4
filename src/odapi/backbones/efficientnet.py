"""EfficientNet B0 to B7, up to the last feature map of a detector.

Layer names are those of Keras Applications, so that its weights load by name. Layers
are built from a table instead of cloned: blocks after the last feature map are left
out, and convolutions pad by themselves.

Source: Tan and Le 2019 (https://arxiv.org/abs/1905.11946).
"""

import dataclasses
import math
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from odapi.backbones.application import check_width, ending_at
from odapi.layers.hyperparams import Hyperparams, make_divisible
from odapi.layers.initializers import VarianceScaling
from odapi.layers.norm import Norm

DEFAULT_HYPERPARAMS = Hyperparams(
    initializer=VarianceScaling(2.0, "fan_out"),
    l2=5e-6,
    activation="swish",
    norm=Norm(momentum=0.99, epsilon=0.001, scale=True),
)

# Factors of the channels and of the number of blocks, by size.
SIZES = {
    "b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4),
    "b4": (1.4, 1.8), "b5": (1.6, 2.2), "b6": (1.8, 2.6), "b7": (2.0, 3.1),
}  # fmt: skip
# Stages of B0: kernel size, blocks, channels, expansion and stride of the first block.
_STAGES = (
    (3, 1, 16, 1, 1), (3, 2, 24, 6, 2), (5, 2, 40, 6, 2), (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1), (5, 4, 192, 6, 2), (3, 1, 320, 6, 1),
)  # fmt: skip
_STEM_FILTERS = 32
_SQUEEZE = 0.25
_DROP_RATE = 0.2


@dataclasses.dataclass(frozen=True)
class Block:
    """An inverted residual block with squeeze and excitation.

    Args:
        name: Such as "block2a", the first block of the second stage.
        kernel: Kernel size of the depthwise convolution.
        stride: Stride of the depthwise convolution.
        expansion: Expansion factor of the channels; 1: no expansion.
        inputs, outputs: Numbers of channels.
        drop_rate: Rate of stochastic depth, if the block has a shortcut.
    """

    name: str
    kernel: int
    stride: int
    expansion: int
    inputs: int
    outputs: int
    drop_rate: float


def blocks(size: str, width: float = 1.0) -> Iterator[Block]:
    """Yields the blocks of a size, "b0" to "b7", in order.

    Args:
        size: Size of the EfficientNet.
        width: Additional factor of the channels.
    """
    wide, deep = SIZES[size]
    filters = make_divisible(_STEM_FILTERS * wide * width)
    # As in the original, the number of blocks of B0 for all sizes: deep ones drop more.
    total = sum(stage[1] for stage in _STAGES)
    count = 0
    for number, (kernel, repeats, nominal, expansion, stride) in enumerate(_STAGES, 1):
        outputs = make_divisible(nominal * wide * width)
        for index in range(math.ceil(repeats * deep)):
            yield Block(
                name=f"block{number}{chr(ord('a') + index)}",
                kernel=kernel,
                stride=stride if index == 0 else 1,
                expansion=expansion,
                inputs=filters,
                outputs=outputs,
                drop_rate=_DROP_RATE * count / total,
            )
            filters = outputs
            count += 1


def efficientnet(
    endpoints: Sequence[str],
    hyperparams: Hyperparams = DEFAULT_HYPERPARAMS,
    width: float = 1.0,
    min_depth: int = 0,
    explicit_padding: bool = False,
    name: str = "backbone",
    channels: int = 3,
    size: str = "b0",
) -> keras.Model:
    """Returns a model from normalized images `[b, h, w, channels]` to feature maps.

    Args:
        endpoints: Names of the layers whose outputs are returned, in order, such as
            "block2b_add" or "block7a_project_bn". Later blocks are not built.
        hyperparams: Hyperparams of all layers; depthwise kernels are not regularized.
        width: Factor of the channels, in addition to that of `size`.
        min_depth: Not used, as in the original.
        explicit_padding: Whether padding is symmetric for any image size.
        name: Name of the model.
        channels: Channels of the images.
        size: "b0" to "b7".

    Raises:
        ValueError: `width` is not positive, or an endpoint is not the name of a layer.
    """
    check_width(width)
    builder = _Builder(hyperparams, explicit_padding)
    images = keras.Input((None, None, channels), name="images", dtype="float32")
    x = builder.stem(images, make_divisible(_STEM_FILTERS * SIZES[size][0] * width))
    for block in blocks(size, width):
        if all(endpoint in builder.outputs for endpoint in endpoints):
            break
        x = builder.block(x, block)
    return ending_at(endpoints, images, builder.outputs, name, of="EfficientNet")


class _Builder:
    """Adds layers to the graph, and stores their outputs by name."""

    def __init__(self, hyperparams: Hyperparams, explicit_padding: bool):
        self.hyperparams = hyperparams
        self.bare = dataclasses.replace(hyperparams, l1=0.0, l2=0.0)
        self.options: dict[str, Any] = {
            "use_bias": False,
            "explicit_padding": explicit_padding,
        }
        self.outputs: dict[str, keras.KerasTensor] = {}

    def stem(self, images, filters: int):
        """Returns the output of the stem, of stride 2."""
        conv = self.hyperparams.conv(filters, 3, "stem_conv", strides=2, **self.options)
        return self._activated(self._norm(self._add(conv, images), "stem"), "stem")

    def block(self, inputs, block: Block):
        """Returns the output of a block."""
        name = block.name
        filters = block.inputs * block.expansion
        x = inputs
        if block.expansion != 1:
            x = self._conv(x, filters, f"{name}_expand_conv")
            x = self._activated(self._norm(x, f"{name}_expand"), f"{name}_expand")
        depthwise = self.bare.depthwise(
            block.kernel, f"{name}_dwconv", strides=block.stride, **self.options
        )
        x = self._activated(self._norm(self._add(depthwise, x), name), name)
        x = self._excited(x, block)
        x = self._conv(x, block.outputs, f"{name}_project_conv")
        x = self._norm(x, f"{name}_project")
        if block.stride != 1 or block.inputs != block.outputs:
            return x
        if block.drop_rate > 0:
            x = self._add(self._drop(block), x)
        add = keras.layers.Add(name=f"{name}_add", dtype=self.hyperparams.dtype)
        return self._add(add, [x, inputs])

    def _excited(self, x, block: Block):
        """Returns the output of squeeze-and-excitation."""
        name, dtype = block.name, self.hyperparams.dtype
        squeeze = keras.layers.GlobalAveragePooling2D(
            keepdims=True, name=f"{name}_se_squeeze", dtype=dtype
        )
        y = self._add(squeeze, x)
        # Biases are regularized here, as in the original.
        options = {
            "use_bias": True,
            "bias_regularizer": keras.regularizers.L2(self.hyperparams.l2),
        }
        few = max(1, int(block.inputs * _SQUEEZE))
        y = self._conv(y, few, f"{name}_se_reduce", **options)
        y = self._activated(y, f"{name}_se_reduce")
        y = self._conv(y, x.shape[-1], f"{name}_se_expand", **options)
        gate = keras.layers.Activation(
            "sigmoid", name=f"{name}_se_expand_activation", dtype=dtype
        )
        excite = keras.layers.Multiply(name=f"{name}_se_excite", dtype=dtype)
        return self._add(excite, [x, self._add(gate, y)])

    def _drop(self, block: Block) -> keras.layers.Layer:
        """Returns a layer that drops the block per image (stochastic depth)."""
        name = f"{block.name}_drop"
        # Each block has a separate seed.
        seed = (self.hyperparams.seed + zlib.crc32(name.encode())) % 2**31
        return keras.layers.Dropout(
            block.drop_rate,
            noise_shape=(None, 1, 1, 1),
            seed=seed,
            name=name,
            dtype=self.hyperparams.dtype,
        )

    def _conv(self, x, filters: int, name: str, **options):
        options = {"use_bias": False, **options}
        return self._add(self.hyperparams.conv(filters, 1, name, **options), x)

    def _norm(self, x, prefix: str):
        return self._add(self.hyperparams.norm_layer(f"{prefix}_bn"), x)

    def _activated(self, x, prefix: str):
        return self._add(self.hyperparams.activation_layer(f"{prefix}_activation"), x)

    def _add(self, layer: keras.layers.Layer, inputs):
        output = layer(inputs)
        self.outputs[layer.name] = output
        return output
