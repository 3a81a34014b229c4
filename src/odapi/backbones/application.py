"""Graphs of Keras Applications, with our layers in them.

The graph and the names of the layers are those of Keras Applications, so their
weights load by name. The layers are ours: hyperparams, width, padding, and what
batch norm does are chosen by configuration.
"""

from collections.abc import Callable, Mapping, Sequence

import keras

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.initializers import Constant


class Adapter:
    """Makes our layer for each of an application's, and calls it.

    Keeps the output of each layer under its name in `outputs`. A backbone says in a
    subclass what is different there.

    Args:
        hyperparams: Of all layers.
        explicit_padding: Pad convolutions symmetrically, whatever the size of the
            image.
    """

    def __init__(self, hyperparams: Hyperparams, explicit_padding: bool = False):
        self.hyperparams = hyperparams
        self.explicit_padding = explicit_padding
        self.outputs: dict[str, keras.KerasTensor] = {}

    def filters(self, original: keras.layers.Conv2D) -> int:
        """Returns the channels of the convolution in the place of `original`."""
        return original.filters

    def pads(self, original: keras.layers.Layer) -> bool:
        """Returns whether the convolution in its place pads symmetrically."""
        return self.explicit_padding

    def biased(self, original: keras.layers.Layer) -> bool:
        """Returns whether the convolution in its place has a bias."""
        return False

    def layer(self, original: keras.layers.Layer) -> keras.layers.Layer:
        """Returns the layer that takes the place of `original`."""
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
        return original  # Padding, which `call` passes over.

    def call(self, layer: keras.layers.Layer, *args, **kwargs) -> keras.KerasTensor:
        """Returns the output of `layer`, and keeps it."""
        if isinstance(layer, keras.layers.ZeroPadding2D):
            return args[0]  # Our convolutions pad by themselves.
        output = layer(*args)
        self.outputs[layer.name] = output
        return output

    def _options(self, original: keras.layers.Layer) -> dict:
        return {
            "strides": original.strides[0],
            "explicit_padding": self.pads(original),
            "use_bias": self.biased(original),
        }


def adapt(
    application: Callable[..., keras.Model],
    adapter: Adapter,
    endpoints: Sequence[str],
    name: str,
    **arguments,
) -> keras.Model:
    """Returns a model from images `[b, h, w, 3]` to some feature maps.

    Args:
        application: Function of Keras Applications.
        adapter: Makes the layers.
        endpoints: Names of the layers whose outputs are returned, in order.
        name: Of the model.
        arguments: Of `application`.

    Raises:
        ValueError: An endpoint is no layer.
    """
    images = _run(application, adapter, arguments)
    return ending_at(endpoints, images, adapter.outputs, name, of=application.__name__)


def adapt_halves(
    application: Callable[..., keras.Model],
    adapter: Adapter,
    border: str,
    end: str,
    names: tuple[str, str],
    **arguments,
) -> tuple[keras.Model, keras.Model]:
    """Returns two models: from images to one map, and from there on.

    Args:
        application: Function of Keras Applications.
        adapter: Makes the layers.
        border: Name of the layer whose output ends the first and begins the second.
        end: Name of the layer whose output the second returns.
        names: Of the models.
        arguments: Of `application`.

    Raises:
        ValueError: `border` or `end` is no layer.
    """
    images = _run(application, adapter, arguments)
    of, outputs = application.__name__, adapter.outputs
    first = ending_at([border], images, outputs, names[0], of)
    _check_layers([end], outputs, of)
    return first, keras.Model(outputs[border], outputs[end], name=names[1])


def _run(
    application: Callable[..., keras.Model], adapter: Adapter, arguments: dict
) -> keras.KerasTensor:
    """Lets the adapter make and call its layers; returns the input of the graph."""
    images = keras.Input((None, None, 3), name="images", dtype="float32")
    # Only the graph is used: its weights are not worth drawing at random.
    cheap = {"glorot_uniform": Constant, "zeros": Constant, "ones": Constant}
    with keras.utils.custom_object_scope(cheap):
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
        images: Its input.
        outputs: What each layer gives, by its name.
        name: Of the model.
        of: Whose layers they are, for the message.

    Raises:
        ValueError: An endpoint is no layer.
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
    """Raises ValueError if a factor of channels is not positive."""
    if width <= 0:
        raise ValueError(f"depth_multiplier must be above 0, got {width}")
