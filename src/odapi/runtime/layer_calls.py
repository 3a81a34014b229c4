"""Watches the calls of layers, and traces a function without computing it."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras

Call = Callable[..., Any]


@contextlib.contextmanager
def wrapped_calls(
    layers: Iterable[keras.layers.Layer],
    wrap: Callable[[keras.layers.Layer, Call], Call],
) -> Iterator[None]:
    """Within this context, `wrap(layer, layer.call)` is called instead of each layer.

    Args:
        layers: Each once.
        wrap: Returns the function to call.
    """
    wrapped = list(layers)
    try:
        for layer in wrapped:
            # The attribute of the instance hides the method of the class.
            layer.call = wrap(layer, layer.call)
        yield
    finally:
        for layer in wrapped:
            layer.__dict__.pop("call", None)


def trace(function: Call, *specs: Any) -> None:
    """Calls a function with symbolic tensors: shapes are known, nothing is computed.

    Args:
        function: Of tensors, such as one that calls a model.
        specs: `keras.KerasTensor`s, or structures of them.
    """
    _Traced(function).compute_output_spec(*specs)


class _Traced(keras.layers.Layer):
    """A function as a layer, which Keras can trace."""

    def __init__(self, function: Call):
        super().__init__(autocast=False)
        self.function = function
        self.built = True

    def call(self, *inputs: Any) -> Any:
        return self.function(*inputs)
