"""Private parts of Keras and TensorFlow: used in one file, and still there."""

import ast
import pathlib

import keras
import numpy as np
import pytest

from odapi.runtime.compat import (
    child_layers,
    flatten_layers,
    optimizer_slots,
    sync_variables,
)
from requirement import require

ROOT = pathlib.Path(__file__).parents[2]
COMPAT = ROOT / "src/odapi/runtime/compat.py"
# Of tests only, which need no release of odapi to follow Keras.
TESTS = ROOT / "tests/valueless.py"
_CLASSES = (
    keras.Model, keras.layers.Layer, keras.Variable, keras.callbacks.Callback,
    keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer,
)  # fmt: skip
# Our own subclasses may define a name that Keras also has.
PRIVATE = {name for c in _CLASSES for name in dir(c) if name[0] == "_" != name[1]}
PRIVATE |= {"jax_state_sync"}
MODULES = ("tensorflow.python", "tensorflow.core", "keras.src", "jax._src", "torch._")


def private_uses(source: str) -> list[str]:
    """Returns the private names of Keras and its backends that a file mentions."""
    found: list[str] = []
    tree = ast.parse(source)
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.FunctionDef | ast.Constant):
            name = getattr(node, "attr", getattr(node, "name", None))
            name = name or getattr(node, "value", None)
            found += [name] if name in PRIVATE and name not in own else []
        elif isinstance(node, ast.ImportFrom):
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [m for m in modules if m.startswith(MODULES)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            found += [name for name in names if name.startswith(MODULES)]
    return found


@pytest.mark.parametrize("folder", ["src", "benchmarks", "examples", "tests"])
def test_private_names_are_used_in_compat_only(folder):
    files = [f for f in (ROOT / folder).rglob("*.py") if "_pb2" not in f.name]
    used = {
        str(path.relative_to(ROOT)): uses
        for path in files
        if path not in (COMPAT, TESTS, pathlib.Path(__file__))
        and (uses := private_uses(path.read_text(encoding="utf-8")))
    }
    assert files
    assert used == {}


def test_the_search_finds_what_compat_uses():
    assert sorted(set(private_uses(COMPAT.read_text(encoding="utf-8")))) == [
        "_flatten_layers",
        "_maybe_symbolic_build",
        "jax._src.distributed",
        "jax_state_sync",
        "keras.src.backend.common.global_state",
        "keras.src.random.seed_generator",
        "keras.src.utils.rng_utils",
        "tensorflow.python.eager.wrap_function",
        "tensorflow.python.framework.convert_to_constants",
    ]


class Nested(keras.layers.Layer):
    def __init__(self):
        super().__init__(name="nested")
        self.first = keras.layers.Dense(2, name="first")
        self.rest = [keras.Sequential([keras.layers.Dense(3, name="inner")], name="s")]


def test_layers_are_found_at_every_depth():
    nested = Nested()
    assert [layer.name for layer in child_layers(nested)] == ["first", "s"]
    names = [layer.name for layer in flatten_layers(nested)]
    assert names == ["nested", "first", "s", "inner"]


class ReadsAtEachBatch(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.kernels = []

    def on_train_batch_end(self, batch, logs=None):
        sync_variables(self.model)
        self.kernels.append(float(np.asarray(self.model.weights[0])[0, 0]))


@pytest.mark.backend
def test_variables_are_up_to_date_within_fit():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.weights[0].assign([[1.0]])
    model.compile(keras.optimizers.SGD(0.25), "mean_squared_error")
    reads = ReadsAtEachBatch()
    # The loss is the square of the kernel: each step halves it.
    model.fit(
        np.ones((3, 1)), np.zeros((3, 1)), batch_size=1, callbacks=[reads], verbose=0
    )
    np.testing.assert_allclose(reads.kernels, [0.5, 0.25, 0.125])


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        (keras.optimizers.SGD(momentum=0.9), ["momentum"]),
        (keras.optimizers.SGD(), []),
        (keras.optimizers.Adam(), ["m", "v"]),
        (keras.optimizers.AdamW(), ["m", "v"]),
        (keras.optimizers.RMSprop(momentum=0.9), ["momentum", "rms"]),
        (
            keras.optimizers.RMSprop(momentum=0.9, centered=True),
            ["momentum", "rms", "mg"],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_slots_of_optimizers_have_the_names_of_keras_2(optimizer, slots):
    optimizer.build([keras.Variable(np.zeros((2, 3)))])
    found = optimizer_slots(optimizer)
    assert list(found) == slots
    assert all([tuple(v.shape) for v in group] == [(2, 3)] for group in found.values())


def test_functions_of_tensorflow_are_frozen_and_rebuilt():
    tf = require("tensorflow")
    from odapi.runtime.compat import function_from_graph, variables_to_constants

    scale = tf.Variable(3.0)
    spec = tf.TensorSpec([None], tf.float32, name="x")
    concrete = tf.function(lambda x: x * scale).get_concrete_function(spec)
    frozen = variables_to_constants(concrete)
    ops = {node.op for node in frozen.graph.as_graph_def().node}
    assert "VarHandleOp" not in ops and "ReadVariableOp" not in ops
    graph = frozen.graph.as_graph_def()
    outputs = [tensor.name for tensor in frozen.outputs]
    again = function_from_graph(graph, ["x:0"], outputs)
    assert again(tf.constant([2.0]))[0].numpy().tolist() == [6.0]
