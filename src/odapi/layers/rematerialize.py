"""Rematerialization: a backbone whose blocks are computed again in the backward pass.

Only the maps between the blocks are kept for the backward pass; the others are computed
again, block by block. Statistics of batch norms are updated once: a block is a pure
function of its inputs and variables, and the updates are among its outputs.

Source: Chen et al. 2016 (https://arxiv.org/abs/1604.06174).
"""

import dataclasses
import functools
import inspect
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops, tree

from odapi.structures import Tensor

_NOMINAL_SIZE = 256  # Pixels of the images whose maps are compared.
_LIMITS = 16  # Numbers of bytes per block that are tried.


@dataclasses.dataclass(frozen=True)
class Block:
    """Layers that are computed again together.

    Args:
        layers: In the order in which they are called.
        inputs: Keys of the tensors that the layers read from outside of the block.
        outputs: Keys of the tensors that are read after it.
    """

    layers: tuple[keras.layers.Layer, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Rematerialized:
    """Calls a functional model block by block.

    Args:
        model: Functional model, each of whose layers is called once.

    Raises:
        ValueError: The model is not of this kind.
    """

    def __init__(self, model: Any):
        self._model = [model]  # In a list: it is no part of what holds this object.
        _layers(model)

    @functools.cached_property
    def blocks(self) -> list[Block]:
        """Blocks in the order in which they are called."""
        graph = _graph(self._model[0])
        return _blocks(graph, _cuts(graph))

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Returns the outputs of the model in training."""
        model = self._model[0]
        tensors: dict[int, Any] = {id(model.inputs[0]): images}
        for block in self.blocks:
            outputs = _recomputed(block, [tensors[key] for key in block.inputs])
            tensors.update(zip(block.outputs, outputs, strict=True))
        return [tensors[id(x)] for x in model.outputs]


def _recomputed(block: Block, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Returns the outputs of a block that the backward pass computes again."""
    variables = [v for layer in block.layers for v in layer.variables]
    trained = [v for v in variables if v.trainable]
    # Statistics and seeds as they are now: both are changed before the backward pass.
    others = [(v, ops.convert_to_tensor(v) + 0) for v in variables if not v.trainable]
    moved = [v for v, _ in others if _is_float(v.dtype)]
    number = len(inputs)

    def run(*tensors: Tensor) -> list[Tensor]:
        mapping = [*zip(trained, tensors[number:], strict=True), *others]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            outputs = _run(block, tensors[:number])
        return [*outputs, *(scope.get_current_value(v) for v in moved)]

    weights = [ops.convert_to_tensor(v) for v in trained]
    results = keras.remat(run)(*inputs, *weights)
    outputs = list(results[: len(block.outputs)])
    for variable, value in zip(moved, results[len(outputs) :], strict=True):
        variable.assign(ops.stop_gradient(value))
    for layer in block.layers:
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.next()  # As `run` did, in its scope.
    return outputs


def _run(block: Block, inputs: Sequence[Tensor]) -> list[Tensor]:
    tensors = dict(zip(block.inputs, inputs, strict=True))
    for layer in block.layers:
        given = tree.map_structure(lambda x: tensors[id(x)], layer.input)
        # Computed again, a block is outside of the call that knows it is in training.
        tensors[id(layer.output)] = layer(given, **_training(layer))
    return [tensors[key] for key in block.outputs]


def _training(layer: keras.layers.Layer) -> dict[str, bool]:
    known = inspect.signature(layer.call).parameters
    return {"training": True} if "training" in known else {}


def _is_float(dtype: str) -> bool:
    return bool(keras.backend.is_float_dtype(dtype))


@dataclasses.dataclass(frozen=True)
class _Graph:
    """Layers of a model in order, and the tensors between them.

    Args:
        layers: In an order in which they can be called.
        reads: Keys of the inputs of each layer.
        writes: Key of the output of each layer.
        sizes: Number of values of each tensor, of one image.
        last_read: Index of the last layer that reads a tensor; for outputs of the
            model, the number of layers.
        kept: Keys of the inputs and outputs of the model, which are kept anyway.
    """

    layers: list[keras.layers.Layer]
    reads: list[list[int]]
    writes: list[int]
    sizes: dict[int, int]
    last_read: dict[int, int]
    kept: set[int]


def _layers(model: Any) -> list[keras.layers.Layer]:
    """Returns the layers of a functional model in the order of calls, without inputs.

    Raises:
        ValueError: It is no such model, or has operations that are no layers.
    """
    operations = getattr(model, "operations", None)
    if operations is None:
        raise ValueError(f"{type(model).__name__} is no graph of layers")
    layers = [o for o in operations if not isinstance(o, keras.layers.InputLayer)]
    for layer in layers:
        is_layer = isinstance(layer, keras.layers.Layer)
        if not (is_layer and isinstance(layer.output, keras.KerasTensor)):
            raise ValueError(f"{layer.name} is no layer with one output")
    return layers


def _graph(model: Any) -> _Graph:
    layers = _layers(model)
    inputs = [tree.flatten(layer.input) for layer in layers]
    outputs = [layer.output for layer in layers]
    starts, ends = model.inputs, model.outputs
    last_read = {id(x): i for i, given in enumerate(inputs) for x in given}
    last_read |= {id(x): len(layers) for x in ends}
    return _Graph(
        layers=layers,
        reads=[[id(x) for x in given] for given in inputs],
        writes=[id(x) for x in outputs],
        sizes=_sizes(model, outputs),
        last_read=last_read,
        kept={id(x) for x in (*starts, *ends)},
    )


def _sizes(model: Any, tensors: list[Any]) -> dict[int, int]:
    """Returns the number of values of tensors, for an image of a nominal size."""
    channels = model.inputs[0].shape[-1]
    images = (1, _NOMINAL_SIZE, _NOMINAL_SIZE, channels)
    shapes = keras.Function(model.inputs, tensors).compute_output_shape([images])
    sizes = {}
    for tensor, shape in zip(tensors, shapes, strict=True):
        sizes[id(tensor)] = 1
        for length in shape[1:]:
            sizes[id(tensor)] *= length
    return sizes


def _cuts(graph: _Graph) -> list[int]:
    """Returns where blocks end, so that least memory is kept and computed again.

    For each limit of the values within a block, the cuts that keep least are found by
    dynamic programming over the places where a single tensor is alive.
    """
    count = len(graph.layers)
    ends = [i + 1 for i in range(count - 1) if len(_alive(graph, i)) <= 1] + [count]
    inside = [0]
    for key in graph.writes:
        inside.append(inside[-1] + graph.sizes[key])
    kept = {e: sum(graph.sizes[k] for k in _alive(graph, e - 1)) for e in ends[:-1]}
    kept[count] = 0
    best: tuple[float, list[int]] = (float("inf"), [count])
    for step in range(1, _LIMITS + 1):
        limit = inside[-1] * step / _LIMITS / 2
        cost: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
        for end in ends:
            before = [
                cost[start] for start in cost if inside[end] - inside[start] <= limit
            ]
            if before:
                paid, path = min(before, key=lambda found: found[0])
                cost[end] = (paid + kept[end], [*path, end])
        if count in cost:
            best = min(best, (cost[count][0] + limit, cost[count][1]))
    return best[1]


def _alive(graph: _Graph, index: int) -> list[int]:
    """Returns the tensors that are read after a layer and not kept anyway."""
    return [
        key
        for key in graph.writes[: index + 1]
        if graph.last_read.get(key, -1) > index and key not in graph.kept
    ]


def _blocks(graph: _Graph, ends: list[int]) -> list[Block]:
    blocks, start = [], 0
    for end in ends:
        written = graph.writes[start:end]
        read = [key for given in graph.reads[start:end] for key in given]
        blocks.append(
            Block(
                tuple(graph.layers[start:end]),
                tuple(dict.fromkeys(key for key in read if key not in written)),
                tuple(k for k in written if graph.last_read.get(k, -1) >= end),
            )
        )
        start = end
    return blocks
