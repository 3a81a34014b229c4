"""ResNets of CenterNet: those of Keras Applications, unchanged.

Unlike in the ResNets of other detectors, convolutions have biases and max-pooling
pads on both sides.

Source: He et al. 2015 (https://arxiv.org/abs/1512.03385) and, for v2, He et al.
2016 (https://arxiv.org/abs/1603.05027).
"""

from collections.abc import Sequence

import keras

from odapi.backbones.application import Adapter, adapt
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.norm import Norm

DEFAULT_HYPERPARAMS = Hyperparams(
    activation="relu", norm=Norm(momentum=0.99, epsilon=1.001e-5, scale=True)
)

_APPLICATIONS = {
    (1, 50): "ResNet50",
    (1, 101): "ResNet101",
    (2, 50): "ResNet50V2",
    (2, 101): "ResNet101V2",
}
NUM_LAYERS = (50, 101)


def center_resnet(
    version: int,
    num_layers: int,
    endpoints: Sequence[str],
    hyperparams: Hyperparams = DEFAULT_HYPERPARAMS,
    name: str = "backbone",
    channels: int = 3,
) -> keras.Model:
    """Returns a model from images `[b, h, w, channels]` to feature maps.

    Args:
        version: 1 for BGR images minus the mean color of ImageNet, 2 for RGB images in
            -1 to 1.
        num_layers: 50 or 101.
        endpoints: Names of the layers whose outputs are returned, in order.
        hyperparams: Hyperparams of all layers.
        name: Name of the model.
        channels: Channels of the images.

    Raises:
        ValueError: The ResNet is unknown, or an endpoint is not the name of a layer.
    """
    if (version, num_layers) not in _APPLICATIONS:
        raise ValueError(
            "version and num_layers must be one of "
            f"{sorted(_APPLICATIONS)}, got {(version, num_layers)}"
        )
    application = getattr(keras.applications, _APPLICATIONS[version, num_layers])
    return adapt(application, _Adapter(hyperparams), endpoints, name, channels)


class _Adapter(Adapter):
    def uses_bias(self, original: keras.layers.Layer) -> bool:
        return original.use_bias

    def pads_explicitly(self, original: keras.layers.Layer) -> bool:
        return original.strides[0] > 1 and original.kernel_size[0] > 1

    def layer(self, original: keras.layers.Layer) -> keras.layers.Layer:
        dtype = self.hyperparams.dtype
        if isinstance(original, keras.layers.MaxPooling2D):
            return keras.layers.MaxPooling2D(
                original.pool_size,
                original.strides,
                padding=original.padding,
                data_format="channels_last",
                name=original.name,
                dtype=dtype,
            )
        if original.name == "pool1_pad":
            return keras.layers.ZeroPadding2D(
                original.padding,
                data_format="channels_last",
                name=original.name,
                dtype=dtype,
            )
        return super().layer(original)

    def call(self, layer: keras.layers.Layer, *args, **kwargs) -> keras.KerasTensor:
        if layer.name == "pool1_pad":
            return layer(*args)
        return super().call(layer, *args, **kwargs)
