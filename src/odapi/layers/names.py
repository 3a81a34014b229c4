"""Names of variables, derived from the nesting of layers."""

from collections.abc import Iterator
from typing import Any

import keras

from odapi.runtime.compat import child_layers


def named_variables(layer: keras.layers.Layer) -> dict[str, keras.Variable]:
    """Returns the weights of a layer and its sublayers by their path.

    A path consists of the names of the layers from the outside in, without that of
    `layer` itself, and the name of the variable: "backbone/Conv1/kernel". Seeds of
    dropout and metrics are not weights. A layer that is used twice is listed once.

    Raises:
        ValueError: Two variables have the same path.
    """
    named: dict[str, keras.Variable] = {}
    seen: set[int] = set()
    for path, variable in _walk(layer, ""):
        if id(variable) in seen:
            continue
        seen.add(id(variable))
        if path in named:
            raise ValueError(f"two variables are named {path!r}")
        named[path] = variable
    return named


def _walk(layer: Any, prefix: str) -> Iterator[tuple[str, keras.Variable]]:
    inner = child_layers(layer)
    for child in inner:
        yield from _walk(child, f"{prefix}{child.name}/")
    if not inner:
        for variable in layer.weights:
            yield f"{prefix}{variable.name}", variable
