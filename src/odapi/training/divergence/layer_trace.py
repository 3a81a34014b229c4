"""Finds the first layer of a forward pass whose output is not finite."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras

from odapi.runtime.compat import child_layers
from odapi.runtime.layer_calls import Call, wrapped_calls
from odapi.training.divergence.statistics import TensorStatistics, statistics_of

_MAX_KEPT = 5


class LayerRecord(NamedTuple):
    """A call of a layer.

    Args:
        name: Names of the layers from the outside in.
        kind: Class of the layer.
        inputs: Statistics of its inputs.
        outputs: Statistics of its outputs.
        weights: Statistics of its own weights, by name.
    """

    name: str
    kind: str
    inputs: tuple[TensorStatistics, ...]
    outputs: tuple[TensorStatistics, ...]
    weights: dict[str, TensorStatistics]

    @property
    def largest(self) -> float:
        """Largest magnitude of a finite value of its outputs."""
        return max((s.largest for s in self.outputs), default=0.0)


class LayerTrace:
    """Watches the calls of all layers within a model.

    Attributes:
        first: The innermost layer that was first to return a value that is not finite;
            None if there was none.
        largest: The calls with the largest outputs so far, at most `_MAX_KEPT`.
    """

    def __init__(self) -> None:
        self.first: LayerRecord | None = None
        self.largest: list[LayerRecord] = []

    @contextlib.contextmanager
    def watching(self, model: keras.Model) -> Iterator["LayerTrace"]:
        """Watches the layers of a model, called outside of a compiled function."""
        watched = list(_layers(model, ""))
        names = {id(layer): name for name, layer in watched}

        def wrap(layer: keras.layers.Layer, call: Call) -> Call:
            return self._watched(names[id(layer)], layer, call)

        with wrapped_calls((layer for _, layer in watched), wrap):
            yield self

    def _watched(self, name: str, layer: keras.layers.Layer, call: Call) -> Call:
        def watched(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            if self.first is None:
                self._check(name, layer, (args, kwargs), outputs)
            return outputs

        return watched

    def _check(
        self, name: str, layer: keras.layers.Layer, inputs: Any, outputs: Any
    ) -> None:
        got = _statistics(outputs)
        is_finite = all(s.is_finite for s in got)
        if is_finite and child_layers(layer):
            return  # Its layers have been seen.
        record = LayerRecord(
            name,
            type(layer).__name__,
            _statistics(inputs),
            got,
            {v.name: statistics_of(v) for v in layer.weights}
            if not child_layers(layer)
            else {},
        )
        if not is_finite:
            self.first = record
            return
        self.largest.append(record)
        self.largest.sort(key=lambda r: -r.largest)
        del self.largest[_MAX_KEPT:]


def _layers(
    layer: keras.layers.Layer, prefix: str
) -> Iterator[tuple[str, keras.layers.Layer]]:
    """Yields all layers within a layer with their paths, each once."""
    seen: set[int] = set()

    def walk(
        parent: keras.layers.Layer, path: str
    ) -> Iterator[tuple[str, keras.layers.Layer]]:
        for child in child_layers(parent):
            if id(child) in seen or isinstance(child, keras.layers.InputLayer):
                continue
            seen.add(id(child))
            name = f"{path}{child.name}"
            yield name, child
            yield from walk(child, f"{name}/")

    yield from walk(layer, prefix)


def _statistics(values: Any) -> tuple[TensorStatistics, ...]:
    return tuple(statistics_of(value) for value in _tensors(values))


def _tensors(value: Any) -> Iterator[Any]:
    """Yields the tensors of numbers in nested structures."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            yield from _tensors(item)
    elif keras.ops.is_tensor(value):
        yield value
