"""ResNet-50, -101 and -152 v1, adapted from Keras Applications.

As in the original, convolutions have no bias, max-pooling has "same" padding, and
convolutions of stride 2 larger than 1 x 1 pad symmetrically.

Source: He et al. 2015 (https://arxiv.org/abs/1512.03385).
"""

from collections.abc import Callable, Sequence

import keras

from odapi.backbones.application import Adapter, adapt, adapt_halves, check_width
from odapi.layers.hyperparams import DepthMultiplier, Hyperparams
from odapi.layers.initializers import VarianceScaling
from odapi.layers.norm import Norm

# Used unless `override_base_feature_extractor_hyperparams` is set.
DEFAULT_HYPERPARAMS = Hyperparams(
    initializer=VarianceScaling(factor=1.0),
    l2=0.0001,
    activation="relu",
    norm=Norm(momentum=0.997, epsilon=0.00001, scale=True),
)

# Number of blocks of the four stages, by number of layers.
_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def stage_ends(num_layers: int) -> tuple[str, ...]:
    """Returns the names of the last layers of the four stages, of strides 4 to 32.

    >>> stage_ends(50)
    ('conv2_block3_out', 'conv3_block4_out', 'conv4_block6_out', 'conv5_block3_out')
    """
    return tuple(f"conv{n}_block{k}_out" for n, k in enumerate(_BLOCKS[num_layers], 2))


def resnet(
    num_layers: int,
    endpoints: Sequence[str],
    hyperparams: Hyperparams = DEFAULT_HYPERPARAMS,
    width: float = 1.0,
    min_depth: int = 0,
    explicit_padding: bool = False,
    name: str = "backbone",
    channels: int = 3,
) -> keras.Model:
    """Returns a model from images `[b, h, w, channels]` to feature maps.

    Images are RGB, minus the mean color of ImageNet.

    Args:
        num_layers: 50, 101 or 152.
        endpoints: Names of the layers whose outputs are returned, in order.
        hyperparams: Hyperparams of all layers.
        width: Factor of the channels.
        min_depth: Minimum channels of a layer.
        explicit_padding: Whether max-pooling also pads symmetrically, as in Keras
            Applications.
        name: Name of the model.
        channels: Channels of the images.

    Raises:
        ValueError: The ResNet is unknown, `width` is not positive, or an endpoint
            is no layer.
    """
    check_width(width)
    adapter = _Adapter(hyperparams, DepthMultiplier(width, min_depth), explicit_padding)
    return adapt(_application(num_layers), adapter, endpoints, name, channels)


def resnet_halves(
    num_layers: int,
    hyperparams: Hyperparams = DEFAULT_HYPERPARAMS,
    stride: int = 16,
    names: tuple[str, str] = ("backbone", "roi_features"),
    width: float = 1.0,
    channels: int = 3,
) -> tuple[keras.Model, keras.Model]:
    """Returns the first four stages, and the fifth, which has stride 2.

    Args:
        num_layers: 50, 101 or 152.
        hyperparams: Hyperparams of all layers.
        stride: Stride of the first model, 16 or 8. With 8 the fourth stage
            has stride 1 and its 3 x 3 convolutions a dilation rate of 2.
        names: Names of the models.
        width: Factor of the channels.
        channels: Channels of the images.

    Raises:
        ValueError: The ResNet is unknown, `width` is not positive, or the stride is
            neither 8 nor 16.
    """
    if stride not in (8, 16):
        raise ValueError(f"stride must be 8 or 16, got {stride}")
    check_width(width)
    adapter = _Adapter(
        hyperparams, DepthMultiplier(width, 0), False, dilated=stride == 8
    )
    application = _application(num_layers)
    *_, split, end = stage_ends(num_layers)
    return adapt_halves(application, adapter, split, end, names, channels)


def _application(num_layers: int) -> Callable[..., keras.Model]:
    if num_layers not in _BLOCKS:
        raise ValueError(
            f"num_layers must be one of {sorted(_BLOCKS)}, got {num_layers}"
        )
    return getattr(keras.applications, f"ResNet{num_layers}")


class _Adapter(Adapter):
    def __init__(
        self,
        hyperparams: Hyperparams,
        channels: DepthMultiplier,
        explicit_padding: bool,
        dilated: bool = False,
    ):
        super().__init__(hyperparams, explicit_padding)
        self.channels = channels
        self.dilated = dilated

    def _options(self, original: keras.layers.Layer) -> dict:
        options = super()._options(original)
        if self.dilated and original.name.startswith("conv4_"):
            options["strides"] = 1
            if original.kernel_size[0] > 1:
                options["dilation_rate"] = 2
        return options

    def filters(self, original: keras.layers.Conv2D) -> int:
        return self.channels(original.filters)

    def pads_explicitly(self, original: keras.layers.Layer) -> bool:
        return original.strides[0] > 1 and original.kernel_size[0] > 1

    def layer(self, original: keras.layers.Layer) -> keras.layers.Layer:
        if not isinstance(original, keras.layers.MaxPooling2D):
            return super().layer(original)
        return keras.layers.MaxPooling2D(
            original.pool_size,
            original.strides,
            padding="valid" if self.explicit_padding else "same",
            data_format="channels_last",
            name=original.name,
            dtype=self.hyperparams.dtype,
        )

    def call(self, layer: keras.layers.Layer, *args, **kwargs) -> keras.KerasTensor:
        if layer.name == "pool1_pad" and self.explicit_padding:
            # Padded zeros never exceed the inputs, which are outputs of a ReLU.
            pad = keras.layers.ZeroPadding2D(
                layer.padding,
                data_format="channels_last",
                name=layer.name,
                dtype=self.hyperparams.dtype,
            )
            return pad(*args)
        return super().call(layer, *args, **kwargs)
