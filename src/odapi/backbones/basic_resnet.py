"""ResNet-18 and ResNet-34 of CenterNet.

Although named v1, they are pre-activation ResNets: norm and activation come before
the convolutions, the last block of a stage has the stride, and no norm follows the
last sum.

Source: He et al. 2016 (https://arxiv.org/abs/1603.05027); the original's
`keras_models/resnet_v1.py`.
"""

from collections.abc import Sequence

import keras

from odapi.backbones.application import ending_at
from odapi.backbones.center_resnet import DEFAULT_HYPERPARAMS
from odapi.layers.hyperparams import Hyperparams

# Number of blocks of the four stages, by number of layers.
_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
_FILTERS = (64, 128, 256, 512)


def stage_ends(num_layers: int) -> tuple[str, ...]:
    """Returns the names of the last layers of the four stages, of strides 4 to 32.

    >>> stage_ends(18)
    ('conv2_block2_out', 'conv3_block2_out', 'conv4_block2_out', 'conv5_block2_out')
    """
    return tuple(f"conv{n}_block{k}_out" for n, k in enumerate(_BLOCKS[num_layers], 2))


def basic_resnet(
    num_layers: int,
    endpoints: Sequence[str],
    hyperparams: Hyperparams = DEFAULT_HYPERPARAMS,
    name: str = "backbone",
    channels: int = 3,
) -> keras.Model:
    """Returns a model from images `[b, h, w, channels]` to feature maps.

    Images are BGR, minus the mean color of ImageNet.

    Args:
        num_layers: 18 or 34.
        endpoints: Names of the layers whose outputs are returned, in order.
        hyperparams: Hyperparams of all layers.
        name: Name of the model.
        channels: Channels of the images.

    Raises:
        ValueError: The ResNet is unknown, or an endpoint is not the name of a layer.
    """
    if num_layers not in _BLOCKS:
        raise ValueError(
            f"num_layers must be one of {sorted(_BLOCKS)}, got {num_layers}"
        )
    images = keras.Input((None, None, channels), name="images", dtype="float32")
    make = _Maker(hyperparams)
    x = make.conv(images, _FILTERS[0], 7, "conv1", strides=2, use_bias=True)
    # Without a preceding ReLU, a padded zero can be the maximum.
    x = keras.layers.ZeroPadding2D(
        1, data_format="channels_last", name="pool1_pad", dtype=hyperparams.dtype
    )(x)
    x = make.pool(x, 3, "pool1_pool")
    outputs = {}
    for stage, (filters, blocks) in enumerate(
        zip(_FILTERS, _BLOCKS[num_layers], strict=True), 2
    ):
        for block in range(1, blocks + 1):
            last = stage > 2 and block == blocks
            path = f"conv{stage}_block{block}"
            x = make.block(x, filters, path, stride=2 if last else 1, first=block == 1)
            outputs[f"{path}_out"] = x
    return ending_at(endpoints, images, outputs, name, of=f"ResNet{num_layers}")


class _Maker:
    def __init__(self, hyperparams: Hyperparams):
        self.hyperparams = hyperparams

    def block(self, x, filters: int, path: str, stride: int, first: bool):
        preact = self.norm_activation(x, f"{path}_preact")
        if first:
            shortcut = self.conv(preact, filters, 1, f"{path}_0", use_bias=True)
        else:
            shortcut = self.pool(x, 1, f"{path}_0_pool") if stride > 1 else x
        x = self.conv(preact, filters, 3, f"{path}_1")
        x = self.norm_activation(x, f"{path}_1")
        x = self.conv(x, filters, 3, f"{path}_2", strides=stride)
        x = self.norm_activation(x, f"{path}_2")
        add = keras.layers.Add(name=f"{path}_out", dtype=self.hyperparams.dtype)
        return add([shortcut, x])

    def conv(self, x, filters: int, size: int, path: str, strides=1, use_bias=False):
        conv = self.hyperparams.conv(
            filters,
            size,
            f"{path}_conv",
            strides=strides,
            explicit_padding=True,
            use_bias=use_bias,
        )
        return conv(x)

    def norm_activation(self, x, path: str):
        x = self.hyperparams.norm_layer(f"{path}_bn")(x)
        return self.hyperparams.activation_layer(f"{path}_relu")(x)

    def pool(self, x, size: int, name: str):
        pool = keras.layers.MaxPooling2D(
            size,
            2,
            data_format="channels_last",
            name=name,
            dtype=self.hyperparams.dtype,
        )
        return pool(x)
