"""Freezing of TensorFlow functions: weights become constants, or separate variables.

When TensorFlow loads a model, it fuses batch normalization with a preceding
convolution, but not with a preceding depthwise convolution. There it stays two passes
over the feature map, a tenth of the time of an SSD MobileNetV2. So it is folded into
the weights here.

Constants are fast, since convolutions rearrange them only once. But a loaded function
keeps about thirty copies of them: a RetinaNet of 130 MB took 4.8 GB, and seven seconds
for its first call. So the large weights of large models become variables again, which
costs 3 % of the time of a call.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from odapi.runtime.compat import function_from_graph, variables_to_constants

_DEPTHWISE, _BATCH_NORM = "DepthwiseConv2dNative", "FusedBatchNormV3"
_LOOPS = ("While", "StatelessWhile", "If", "StatelessIf")
# Bytes of all weights of a large model, and of a large weight.
_LARGE_MODEL, _LARGE = 32 << 20, 256 << 10


class FrozenFunction:
    """A copy of a concrete function with its own weights.

    Args:
        function: A concrete function that returns a dict of tensors, with named inputs.

    Attributes:
        variables: Weights that are not constants, to be saved with the function.
    """

    def __init__(self, function: Any):
        constant = variables_to_constants(function)
        graph = folded_graph(constant)
        _let_loops_be_lowered(graph)
        weights = _take_large_weights(graph)
        self.variables = list(weights.values())
        self._inputs = [tensor.op.name for tensor in constant.inputs]
        outputs = sorted(function.structured_outputs.items())
        self._shapes = {name: tensor.shape for name, tensor in outputs}
        self._function = function_from_graph(
            graph,
            [f"{name}:0" for name in (*self._inputs, *weights)],
            [tensor.name for tensor in constant.outputs],
        )
        for ours, theirs in zip(self._function.inputs, constant.inputs, strict=False):
            ours.set_shape(theirs.shape)  # That of scalars is lost.

    def __call__(self, **given: Any) -> dict[str, Any]:
        """Calls the function; inputs that it does not use are ignored."""
        weights = [variable.read_value() for variable in self.variables]
        results = self._function(*(given[name] for name in self._inputs), *weights)
        for value, shape in zip(results, self._shapes.values(), strict=True):
            value.set_shape(shape)  # Static shapes are lost by freezing.
        return dict(zip(self._shapes, results, strict=True))


def folded_graph(function: Any) -> Any:
    """Returns the GraphDef of a function, with batch normalization folded.

    Args:
        function: A concrete function whose weights are constants.
    """
    graph = function.graph.as_graph_def()
    _fold_batch_norms(graph)
    return graph


def _take_large_weights(graph: Any) -> dict[str, Any]:
    """Replaces the large constants of a large model by inputs; returns variables."""
    import tensorflow as tf

    constants = {
        node.name: tf.make_ndarray(node.attr["value"].tensor)
        for node in graph.node
        if node.op == "Const"
    }
    if sum(value.nbytes for value in constants.values()) <= _LARGE_MODEL:
        return {}
    variables = {}
    for node in graph.node:
        value = constants.get(node.name)
        if value is None or value.nbytes < _LARGE:
            continue
        variables[node.name] = tf.Variable(value, trainable=False, name=node.name)
        node.op = "Placeholder"
        del node.attr["value"]
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(value.shape).as_proto())
    return variables


def _let_loops_be_lowered(graph: Any) -> None:
    """Lets the runtime inline loops into the surrounding graph.

    Freezing disables it for the sake of converters, which disable it themselves. A loop
    of small operations takes twice as long if its body is a function call.
    """
    for nodes in _bodies(graph):
        for node in nodes:
            if node.op in _LOOPS:
                node.attr["_lower_using_switch_merge"].b = True


def _bodies(graph: Any) -> Iterable[Any]:
    yield graph.node
    for function in graph.library.function:
        yield function.node_def


def _fold_batch_norms(graph: Any) -> None:
    """Folds batch normalization into preceding depthwise convolutions, in place."""
    nodes = {node.name: node for node in graph.node}
    uses = Counter(_name(name) for node in graph.node for name in node.input)
    for norm in [node for node in graph.node if node.op == _BATCH_NORM]:
        convolution = nodes.get(_name(norm.input[0]))
        if convolution is None or convolution.op != _DEPTHWISE:
            continue
        if norm.attr["is_training"].b or uses[convolution.name] > 1:
            continue
        found = [_constant(nodes, n) for n in (convolution.input[1], *norm.input[1:])]
        values = [value for value in found if value is not None]
        if len(values) < len(found):
            continue
        kernel = values[0]
        gamma, beta, mean, variance = (v.astype(np.float64) for v in values[1:])
        scale = gamma / np.sqrt(variance + norm.attr["epsilon"].f)
        folded = kernel * scale.reshape(kernel.shape[2:])
        bias = beta - mean * scale
        name = convolution.name
        convolution.input[1] = _add(graph, f"{name}/folded", folded, kernel.dtype)
        _replace_by_bias(norm, name, _add(graph, f"{name}/bias", bias, kernel.dtype))


def _replace_by_bias(norm: Any, convolution: str, bias: str) -> None:
    """Turns a batch normalization node into the addition of a bias."""
    norm.op = "BiasAdd"
    norm.input[:] = [convolution, bias]
    for name in set(norm.attr) - {"T", "data_format"}:
        del norm.attr[name]


def _add(graph: Any, name: str, value: np.ndarray, dtype: Any) -> str:
    """Adds a constant to the graph and returns its name."""
    import tensorflow as tf

    node = graph.node.add(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value.astype(dtype)))
    return name


def _constant(nodes: dict[str, Any], name: str) -> np.ndarray | None:
    """Returns the value of a node that is a constant or a copy of one, else None."""
    import tensorflow as tf

    node = nodes.get(_name(name))
    while node is not None and node.op in ("Identity", "ReadVariableOp"):
        node = nodes.get(_name(node.input[0]))
    if node is None or node.op != "Const":
        return None
    return tf.make_ndarray(node.attr["value"].tensor)


def _name(tensor: str) -> str:
    """Returns the name of the node that computes a tensor."""
    return tensor.lstrip("^").partition(":")[0]
