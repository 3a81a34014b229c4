"""MobileNetV2, adapted from Keras Applications.

Source: Sandler et al. 2018 (https://arxiv.org/abs/1801.04381).
"""

from collections.abc import Sequence
from typing import Any

import keras

from odapi.backbones.application import Adapter, adapt, check_width
from odapi.layers.hyperparams import Hyperparams, make_divisible
from odapi.layers.initializers import TruncatedNormal
from odapi.layers.norm import Norm

# Used unless `override_base_feature_extractor_hyperparams` is set.
DEFAULT_HYPERPARAMS = Hyperparams(
    initializer=TruncatedNormal(stddev=0.09),
    l2=0.5 * 0.00004,
    activation="relu_6",
    norm=Norm(momentum=0.9997, epsilon=0.001, scale=True),
)

_EXPANSION = 6
_LAST_FILTERS = 1280


def mobilenet_v2(
    endpoints: Sequence[str],
    hyperparams: Hyperparams = DEFAULT_HYPERPARAMS,
    width: float = 1.0,
    min_depth: int = 0,
    explicit_padding: bool = False,
    name: str = "backbone",
    channels: int = 3,
) -> keras.Model:
    """Returns a model from images `[b, h, w, channels]` in -1 to 1 to feature maps.

    Args:
        endpoints: Names of the layers whose outputs are returned, in order; the
            last must be "out_relu". "block_2_add" is the output of block 2, even if
            the block has no sum because of `min_depth`.
        hyperparams: Hyperparams of all layers.
        width: Factor of the channels (alpha).
        min_depth: Minimum channels of a layer that is not an expansion.
        explicit_padding: Whether padding is symmetric for any image size.
        name: Name of the model.
        channels: Channels of the images.

    Raises:
        ValueError: `width` is not positive, or an endpoint is not the name of a layer.
    """
    check_width(width)
    adapter = _Adapter(hyperparams, width, min_depth, explicit_padding)
    application = keras.applications.MobileNetV2
    return adapt(application, adapter, endpoints, name, channels, alpha=width)


class _Adapter(Adapter):
    def __init__(
        self,
        hyperparams: Hyperparams,
        width: float,
        min_depth: int,
        explicit_padding: bool,
    ):
        super().__init__(hyperparams, explicit_padding)
        self.width = width
        self.min_depth = min_depth
        self._block_input: Any = None
        self._stride = 1
        self._planned_filters = 0

    def layer(self, original: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(original, keras.layers.DepthwiseConv2D):
            self._stride = original.strides[0]
        elif isinstance(original, keras.layers.Conv2D):
            self._planned_filters = original.filters
        return super().layer(original)

    def call(self, layer: keras.layers.Layer, *args, **kwargs) -> keras.KerasTensor:
        inputs = args[0]
        if isinstance(layer, keras.layers.Add):
            return inputs[-1]  # `_end_block` has already added the shortcut.
        name = layer.name
        if name.endswith("_expand"):
            layer.filters = _EXPANSION * inputs.shape[-1]
        if name.endswith("_expand") or name == "expanded_conv_depthwise":
            self._block_input = inputs
        output = super().call(layer, inputs)
        if name.endswith("_project_BN"):
            output = self._end_block(name.removesuffix("_project_BN"), output)
            self.outputs[name] = output
        return output

    def _end_block(self, block: str, output: keras.KerasTensor) -> keras.KerasTensor:
        # As in the original, compares the channels before `min_depth` is applied.
        same = self._block_input.shape[-1] == self._planned_filters
        if self._stride == 1 and same:
            add = keras.layers.Add(name=f"{block}_add", dtype=self.hyperparams.dtype)
            output = add([self._block_input, output])
        self.outputs[f"{block}_add"] = output
        return output

    def filters(self, original: keras.layers.Conv2D) -> int:
        filters = original.filters
        if original.name == "Conv_1" and self.width < 1.0:
            # Keras Applications keeps 1280 here; the original does not.
            filters = make_divisible(_LAST_FILTERS * self.width)
        return max(filters, self.min_depth)
