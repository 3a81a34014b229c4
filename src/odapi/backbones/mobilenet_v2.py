"""MobileNetV2: that of Keras Applications, with other layers in it.

The graph and the names of the layers are those of Keras Applications, so its
weights load by name. The layers are ours: hyperparams, width, padding, and what
batch norm does are chosen by configuration.

Source: Sandler et al. 2018 (https://arxiv.org/abs/1801.04381).
"""

from collections.abc import Sequence
from typing import Any

import keras

from odapi.layers.depth import divisible
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.initializers import Constant, TruncatedNormal
from odapi.layers.norm import Norm

# What a backbone is made with unless `override_base_feature_extractor_hyperparams`.
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
) -> keras.Model:
    """Returns a model from images `[b, h, w, 3]` in -1 to 1 to feature maps.

    Args:
        endpoints: Names of the layers whose outputs are returned, in order; the
            last must be "out_relu". "block_2_add" means the output of block 2,
            also where there is no sum because of `min_depth`.
        hyperparams: Of all layers.
        width: Multiplies the channels (alpha).
        min_depth: Least channels of a layer that is not an expansion.
        explicit_padding: Pad symmetrically, whatever the size of the image.
        name: Of the model.

    Raises:
        ValueError: `width` is not positive, or an endpoint is no layer.
    """
    if width <= 0:
        raise ValueError(f"depth_multiplier must be above 0, got {width}")
    adapter = _Adapter(hyperparams, width, min_depth, explicit_padding)
    images = keras.Input((None, None, 3), name="images", dtype="float32")
    keras.models.clone_model(
        _application(width),
        input_tensors=images,
        clone_function=adapter.layer,
        call_function=adapter.call,
    )
    missing = [e for e in endpoints if e not in adapter.outputs]
    if missing:
        raise ValueError(
            f"MobileNetV2 has no layer {missing[0]!r}; it has {list(adapter.outputs)}"
        )
    return keras.Model(images, [adapter.outputs[e] for e in endpoints], name=name)


def _application(width: float) -> keras.Model:
    # Only its graph is used: its weights are not worth drawing at random.
    cheap = {"glorot_uniform": Constant, "zeros": Constant, "ones": Constant}
    with keras.utils.custom_object_scope(cheap):
        return keras.applications.MobileNetV2(
            input_shape=(None, None, 3), alpha=width, include_top=False, weights=None
        )


class _Adapter:
    """Makes our layer for each of the application's, and calls it.

    Keeps the output of each layer under its name in `outputs`.
    """

    def __init__(
        self,
        hyperparams: Hyperparams,
        width: float,
        min_depth: int,
        explicit_padding: bool,
    ):
        self.hyperparams = hyperparams
        self.width = width
        self.min_depth = min_depth
        self.options: dict[str, Any] = {
            "explicit_padding": explicit_padding,
            "use_bias": False,
        }
        self.outputs: dict[str, keras.KerasTensor] = {}
        self._block_input: Any = None
        self._stride = 1
        self._planned_filters = 0

    def layer(self, original: keras.layers.Layer) -> keras.layers.Layer:
        """Returns the layer that takes the place of `original`."""
        name = original.name
        if isinstance(original, keras.layers.DepthwiseConv2D):
            self._stride = original.strides[0]
            size = original.kernel_size[0]
            return self.hyperparams.depthwise(
                size, name, strides=self._stride, **self.options
            )
        if isinstance(original, keras.layers.Conv2D):
            self._planned_filters = original.filters
            return self.hyperparams.conv(
                self._filters(original),
                original.kernel_size[0],
                name,
                strides=original.strides[0],
                **self.options,
            )
        if isinstance(original, keras.layers.BatchNormalization):
            return self.hyperparams.norm_layer(name)
        if isinstance(original, keras.layers.ReLU):
            return self.hyperparams.activation_layer(name)
        return original  # Padding and sums, which `call` passes over.

    def call(self, layer: keras.layers.Layer, *args, **kwargs) -> keras.KerasTensor:
        """Returns the output of `layer`, and keeps it."""
        inputs = args[0]
        if isinstance(layer, keras.layers.ZeroPadding2D):
            return inputs  # Our convolutions pad by themselves.
        if isinstance(layer, keras.layers.Add):
            return inputs[-1]  # `_end_block` has added already.
        name = layer.name
        if name.endswith("_expand"):
            layer.filters = _EXPANSION * inputs.shape[-1]
        if name.endswith("_expand") or name == "expanded_conv_depthwise":
            self._block_input = inputs
        output = layer(inputs)
        if name.endswith("_project_BN"):
            output = self._end_block(name.removesuffix("_project_BN"), output)
        self.outputs[name] = output
        return output

    def _end_block(self, block: str, output: keras.KerasTensor) -> keras.KerasTensor:
        # As in the original: what counts is the width before `min_depth`.
        same = self._block_input.shape[-1] == self._planned_filters
        if self._stride == 1 and same:
            add = keras.layers.Add(name=f"{block}_add", dtype=self.hyperparams.dtype)
            output = add([self._block_input, output])
        self.outputs[f"{block}_add"] = output
        return output

    def _filters(self, original: keras.layers.Conv2D) -> int:
        filters = original.filters
        if original.name == "Conv_1" and self.width < 1.0:
            # Keras Applications keeps 1280 here; the original does not.
            filters = divisible(_LAST_FILTERS * self.width)
        return max(filters, self.min_depth)
