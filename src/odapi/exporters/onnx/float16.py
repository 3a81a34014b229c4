"""Conversion of ONNX models to float16: convolutions and what lies between them.

Boxes, scores and indices remain in float32: float16 cannot tell neighboring pixels of a
large image apart. Inputs and outputs keep their types.
"""

from typing import Any

import numpy as np

# Always in float16.
_HEAVY = {"Conv", "ConvTranspose", "MatMul", "Gemm"}
# In float16 where all of their numbers come from these, or are constants.
_BETWEEN = {
    "Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Elu",
    "GlobalAveragePool", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "MaxPool",
    "Mul", "Pad", "ReduceMean", "Relu", "Reshape", "Sigmoid", "Squeeze", "Tanh",
    "Transpose", "Unsqueeze",
}  # fmt: skip
_LARGEST = 65504.0  # Of float16.


def to_float16(model: Any) -> Any:
    """Returns a float32 model with its network in float16.

    Args:
        model: A `ModelProto`; not changed.
    """
    import onnx

    converted = onnx.shape_inference.infer_shapes(model)
    graph = converted.graph
    halves = _half_nodes(graph, _float_names(graph))
    _rewrite(graph, halves, _float_names(graph))
    del graph.value_info[:]  # Types that are no longer true.
    return converted


def _float_names(graph: Any) -> set[str]:
    """Returns the names of all float32 values."""
    from onnx import TensorProto

    values = (*graph.input, *graph.value_info, *graph.output)
    known = {
        v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    return known | {
        t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT
    }


def _half_nodes(graph: Any, floats: set[str]) -> set[int]:
    """Returns the indices of the nodes that compute in float16."""
    constants = {tensor.name for tensor in graph.initializer}
    half_values: set[str] = set()
    halves: set[int] = set()
    for i, node in enumerate(graph.node):  # In topological order.
        given = [name for name in node.input if name in floats]
        computed = [name for name in given if name not in constants]
        between = node.op_type in _BETWEEN and computed
        if node.op_type in _HEAVY or (
            between and all(name in half_values for name in computed)
        ):
            halves.add(i)
            half_values.update(node.output)
    return halves


def _rewrite(graph: Any, halves: set[int], floats: set[str]) -> None:
    """Gives nodes float16 inputs, and casts where values cross the border."""
    from onnx import TensorProto, helper

    cast_to_half = {tensor.name: tensor for tensor in graph.initializer}
    of_halves = {name for i in halves for name in graph.node[i].output}
    nodes, made = [], {}
    outputs = {value.name for value in graph.output}

    def casted(name: str, kind: int) -> str:
        """Returns the name of a value in another type; casts it once."""
        target = f"{name}/{'float16' if kind == TensorProto.FLOAT16 else 'float32'}"
        if target not in made:
            made[target] = True
            constant = cast_to_half.get(name)
            if constant is not None:
                graph.initializer.append(_half_constant(constant, target))
            else:
                nodes.append(
                    helper.make_node("Cast", [name], [target], name=target, to=kind)
                )
        return target

    for i, node in enumerate(list(graph.node)):
        for k, name in enumerate(node.input):
            if i in halves and name in floats and name not in of_halves:
                node.input[k] = casted(name, TensorProto.FLOAT16)
            elif i not in halves and name in of_halves and name in floats:
                node.input[k] = casted(name, TensorProto.FLOAT)
        nodes.append(node)
    nodes += _cast_outputs(nodes, of_halves & outputs)
    used = {name for node in nodes for name in node.input} | outputs
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def _cast_outputs(nodes: list[Any], names: set[str]) -> list[Any]:
    """Renames float16 values that are outputs of the model, and casts them back."""
    from onnx import TensorProto, helper

    for node in nodes:
        for k, name in enumerate(node.output):
            if name in names:
                node.output[k] = f"{name}/half"
        for k, name in enumerate(node.input):
            if name in names:
                node.input[k] = f"{name}/half"
    return [
        helper.make_node(
            "Cast", [f"{name}/half"], [name], name=name, to=TensorProto.FLOAT
        )
        for name in sorted(names)
    ]


def _half_constant(tensor: Any, name: str) -> Any:
    from onnx import numpy_helper

    value = numpy_helper.to_array(tensor)
    half = np.clip(value, -_LARGEST, _LARGEST).astype(np.float16)
    return numpy_helper.from_array(half, name)
