"""Functions with constants: the same numbers, batch norms folded, loops lowered."""

import keras
import numpy as np
import pytest

from odapi.exporters.saved_model import frozen_function
from odapi.exporters.saved_model.frozen_function import FrozenFunction
from requirement import require

tf = require("tensorflow")

if keras.backend.backend() != "tensorflow":
    pytest.skip("only TensorFlow exports", allow_module_level=True)

IMAGES = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")


class Block(tf.Module):
    """A depthwise convolution and a batch norm with statistics of its own."""

    def __init__(self, multiplier=1, training=False, other_use=False):
        rng = np.random.default_rng(1)
        channels = 3 * multiplier
        draw = rng.uniform(0.5, 2.0, (4, channels)).astype("float32")
        kernel = rng.normal(size=(3, 3, 3, multiplier)).astype("float32")
        self.kernel = tf.Variable(kernel)
        self.gamma, self.beta, self.mean, self.variance = map(tf.Variable, draw)
        self.training, self.other_use = training, other_use

    def __call__(self, images):
        maps = tf.nn.depthwise_conv2d(images, self.kernel, [1, 2, 2, 1], "SAME")
        norm = tf.raw_ops.FusedBatchNormV3(
            x=maps,
            scale=self.gamma,
            offset=self.beta,
            mean=tf.zeros([0]) if self.training else self.mean,
            variance=tf.zeros([0]) if self.training else self.variance,
            epsilon=0.1,
            is_training=self.training,
        )
        made = {"normed": tf.nn.relu6(norm.y)}
        return made | ({"before": maps} if self.other_use else {})


def concrete(block):
    spec = tf.TensorSpec([None, 8, 8, 3], tf.float32, name="images")
    return tf.function(lambda images: block(images)).get_concrete_function(spec)


def operations(function):
    """Returns the operations that a frozen function ends up as."""
    outer = tf.function(lambda images: function(images=images))
    graph = outer.get_concrete_function(tf.TensorSpec([2, 8, 8, 3])).graph
    kinds = {node.op for node in graph.as_graph_def().node}
    for inner in graph.as_graph_def().library.function:
        kinds |= {node.op for node in inner.node_def}
    return kinds


@pytest.mark.parametrize("multiplier", [1, 2])
def test_batch_norm_is_folded_into_a_depthwise_convolution(multiplier):
    block = Block(multiplier)
    frozen = FrozenFunction(concrete(block))
    kinds = operations(frozen)
    assert "FusedBatchNormV3" not in kinds
    assert {"DepthwiseConv2dNative", "BiasAdd"} <= kinds
    ours, theirs = frozen(images=tf.constant(IMAGES)), block(tf.constant(IMAGES))
    np.testing.assert_allclose(ours["normed"], theirs["normed"], atol=1e-5)


@pytest.mark.parametrize(
    "block", [Block(training=True), Block(other_use=True)], ids=["statistics", "used"]
)
def test_what_cannot_be_folded_stays(block):
    frozen = FrozenFunction(concrete(block))
    assert "FusedBatchNormV3" in operations(frozen)
    ours, theirs = frozen(images=tf.constant(IMAGES)), block(tf.constant(IMAGES))
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, atol=1e-5)


def test_large_weights_of_large_models_are_variables(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    large, small = (
        tf.Variable(rng.normal(size=size).astype("float32")) for size in ((64, 40), 64)
    )

    def multiply(x):
        return {"x": tf.matmul(x + small, large)}

    spec = tf.TensorSpec([None, 64], tf.float32, name="x")
    concrete = tf.function(multiply).get_concrete_function(spec)
    assert not FrozenFunction(concrete).variables
    monkeypatch.setattr(frozen_function, "_LARGE_MODEL", 10_000)
    monkeypatch.setattr(frozen_function, "_LARGE", 1000)
    frozen = FrozenFunction(concrete)
    assert [tuple(v.shape) for v in frozen.variables] == [(64, 40)]
    x = rng.normal(size=(3, 64)).astype("float32")
    expected = multiply(x)["x"].numpy()
    np.testing.assert_allclose(frozen(x=tf.constant(x))["x"], expected, rtol=1e-6)
    module = tf.Module()
    module.weights = frozen.variables
    module.serve = tf.function(lambda x: frozen(x=x), input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path))
    large.assign(tf.zeros_like(large))  # Weights of its own.
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(loaded.serve(tf.constant(x))["x"], expected, rtol=1e-6)


def test_loops_may_be_lowered_and_inputs_that_are_not_needed_are_given():
    def double(images, unused):
        loop = tf.while_loop(
            lambda x: tf.reduce_sum(x) < 100.0, lambda x: (2 * x,), [images]
        )
        return {"images": loop[0]}

    spec = tf.TensorSpec([None], tf.float32, name="images")
    other = tf.TensorSpec([], tf.int32, name="unused")
    frozen = FrozenFunction(tf.function(double).get_concrete_function(spec, other))
    outer = tf.function(lambda images: frozen(images=images, unused=tf.constant(3)))
    assert outer(tf.constant([1.0, 2.0]))["images"].numpy().tolist() == [64.0, 128.0]
    graph = outer.get_concrete_function(spec).graph.as_graph_def()
    loops = [
        node
        for nodes in (graph.node, *(f.node_def for f in graph.library.function))
        for node in nodes
        if node.op in ("While", "StatelessWhile")
    ]
    assert loops
    assert all(node.attr["_lower_using_switch_merge"].b for node in loops)
