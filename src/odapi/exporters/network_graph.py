"""The graph of a network with its weights, from which other formats are converted."""

from typing import Any, NamedTuple

from odapi.exporters.saved_model.frozen_function import folded_graph
from odapi.runtime.compat import variables_to_constants


class NetworkGraph(NamedTuple):
    """A GraphDef without variables.

    Args:
        graph: The GraphDef.
        inputs: Tensors of the inputs that are used.
        outputs: Names of the output tensors, by the names of the function's results.
    """

    graph: Any
    inputs: list[Any]
    outputs: dict[str, str]


def network_graph(function: Any) -> NetworkGraph:
    """Returns the graph of a concrete function that returns a dict of tensors."""
    constant = variables_to_constants(function)
    graph = folded_graph(constant)
    reads = (name for node in graph.node for name in node.input)
    used = {name.lstrip("^").split(":")[0] for name in reads}
    inputs = [tensor for tensor in constant.inputs if tensor.op.name in used]
    names, tensors = sorted(function.structured_outputs), constant.outputs
    outputs = {name: t.name for name, t in zip(names, tensors, strict=True)}
    return NetworkGraph(graph, inputs, outputs)
