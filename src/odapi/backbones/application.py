"""Graphs of Keras Applications with the layers of this library.

Graph and layer names are those of Keras Applications, so that their weights load by
name; hyperparams, width, padding and batch norm are configurable.
"""

from collections.abc import Callable, Mapping, Sequence

import keras

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.initializers import Constant


class Adapter:
    """Replaces the layers of an application by layers of this library.

    `outputs` keeps the output of each layer by name. Subclasses define what differs
    for a backbone.

    Args:
        hyperparams: Hyperparams of all layers.
        explicit_padding: Whether the padding of convolutions is symmetric for any
            image size.
    """

    def __init__(self, hyperparams: Hyperparams, explicit_padding: bool = False):
        self.hyperparams = hyperparams
        self.explicit_padding = explicit_padding
        self.outputs: dict[str, keras.KerasTensor] = {}

    def filters(self, original: keras.layers.Conv2D) -> int:
        """Returns the channels of the convolution that replaces `original`."""
        return original.filters

    def pads_explicitly(self, original: keras.layers.Layer) -> bool:
        """Returns whether the convolution that replaces it pads symmetrically."""
        return self.explicit_padding

    def uses_bias(self, original: keras.layers.Layer) -> bool:
        """Returns whether the convolution that replaces it has a bias."""
        return False

    def layer(self, original: keras.layers.Layer) -> keras.layers.Layer:
        """Returns the layer that replaces `original`."""
        name, dtype = original.name, self.hyperparams.dtype
        if isinstance(original, keras.layers.DepthwiseConv2D):
            return self.hyperparams.depthwise(
                original.kernel_size[0], name, **self._options(original)
            )
        if isinstance(original, keras.layers.Conv2D):
            return self.hyperparams.conv(
                self.filters(original),
                original.kernel_size[0],
                name,
                **self._options(original),
            )
        if isinstance(original, keras.layers.BatchNormalization):
            return self.hyperparams.norm_layer(name)
        if isinstance(original, keras.layers.ReLU | keras.layers.Activation):
            return self.hyperparams.activation_layer(name)
        if isinstance(original, keras.layers.Add):
            return keras.layers.Add(name=name, dtype=dtype)
        return original  # Padding, which `call` skips.

    def call(self, layer: keras.layers.Layer, *args, **kwargs) -> keras.KerasTensor:
        """Returns the output of `layer`, and stores it in `outputs`."""
        if isinstance(layer, keras.layers.ZeroPadding2D):
            return args[0]  # Convolutions of this library pad by themselves.
        output = layer(*args)
        self.outputs[layer.name] = output
        return output

    def _options(self, original: keras.layers.Layer) -> dict:
        return {
            "strides": original.strides[0],
            "explicit_padding": self.pads_explicitly(original),
            "use_bias": self.uses_bias(original),
        }


def adapt(
    application: Callable[..., keras.Model],
    adapter: Adapter,
    endpoints: Sequence[str],
    name: str,
    channels: int = 3,
    **arguments,
) -> keras.Model:
    """Returns a model from images `[b, h, w, channels]` to some feature maps.

    Args:
        application: Function of Keras Applications.
        adapter: Adapter that creates the layers.
        endpoints: Names of the layers whose outputs are returned, in order.
        name: Name of the model.
        channels: Channels of the images.
        arguments: Arguments of `application`.

    Raises:
        ValueError: An endpoint is not the name of a layer.
    """
    images = _run(application, adapter, channels, arguments)
    return ending_at(endpoints, images, adapter.outputs, name, of=application.__name__)


def adapt_halves(
    application: Callable[..., keras.Model],
    adapter: Adapter,
    split: str,
    end: str,
    names: tuple[str, str],
    channels: int = 3,
    **arguments,
) -> tuple[keras.Model, keras.Model]:
    """Returns two models: from images to a map, and from that map to the end.

    Args:
        application: Function of Keras Applications.
        adapter: Adapter that creates the layers.
        split: Name of the layer whose output is the output of the first model and the
            input of the second.
        end: Name of the layer whose output the second model returns.
        names: Names of the models.
        channels: Channels of the images.
        arguments: Arguments of `application`.

    Raises:
        ValueError: `split` or `end` is not the name of a layer.
    """
    images = _run(application, adapter, channels, arguments)
    of, outputs = application.__name__, adapter.outputs
    first = ending_at([split], images, outputs, names[0], of)
    _check_layers([end], outputs, of)
    return first, keras.Model(outputs[split], outputs[end], name=names[1])


def _run(
    application: Callable[..., keras.Model],
    adapter: Adapter,
    channels: int,
    arguments: dict,
) -> keras.KerasTensor:
    """Creates and calls the layers of the adapter; returns the input of the graph."""
    images = keras.Input((None, None, channels), name="images", dtype="float32")
    # Only the graph is used, so that its weights need no random initialization.
    constants = {"glorot_uniform": Constant, "zeros": Constant, "ones": Constant}
    with keras.utils.custom_object_scope(constants):
        graph = application(
            input_shape=(None, None, 3), include_top=False, weights=None, **arguments
        )
    keras.models.clone_model(
        graph,
        input_tensors=images,
        clone_function=adapter.layer,
        call_function=adapter.call,
    )
    return images


def ending_at(
    endpoints: Sequence[str],
    images: keras.KerasTensor,
    outputs: Mapping[str, keras.KerasTensor],
    name: str,
    of: str,
) -> keras.Model:
    """Returns the model from images to the outputs of some layers, in order.

    Args:
        endpoints: Names of layers.
        images: Input of the model.
        outputs: Outputs of the layers, by name.
        name: Name of the model.
        of: Name of the network, for the error message.

    Raises:
        ValueError: An endpoint is not the name of a layer.
    """
    _check_layers(endpoints, outputs, of)
    return keras.Model(images, [outputs[e] for e in endpoints], name=name)


def _check_layers(
    names: Sequence[str], outputs: Mapping[str, keras.KerasTensor], of: str
) -> None:
    missing = [name for name in names if name not in outputs]
    if missing:
        raise ValueError(f"{of} has no layer {missing[0]!r}; it has {list(outputs)}")


def check_width(width: float) -> None:
    """Raises ValueError unless a factor of channels is positive."""
    if width <= 0:
        raise ValueError(f"depth_multiplier must be above 0, got {width}")
