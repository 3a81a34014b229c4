"""Post-processing as a graph of free batch size, on TensorFlow and as ONNX."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from odapi.geometry.nms.batched import NonMaxSuppression
from odapi.models.postprocess import PostProcess
from odapi.models.scores import ScoreConverter
from requirement import require

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
)

_ANCHORS, _CLASSES = 200, 4


def graph():
    import tensorflow as tf

    # Few candidates, so that the loop that takes more is needed, too.
    process = PostProcess(
        NonMaxSuppression(0.3, 1e-8, 50, 50, candidates=60), ScoreConverter("sigmoid")
    )
    shapes = ([None, _ANCHORS, 4], [None, _ANCHORS, _CLASSES], [None, 4])

    @tf.function(input_signature=[tf.TensorSpec(s) for s in shapes])
    def call(decoded, logits, window):
        found = process(decoded, logits, window, raw=True)
        return {k: v for k, v in found._asdict().items() if v is not None}

    return call


def inputs(batch):
    rng = np.random.default_rng(batch)
    center = rng.uniform(0, 1, (batch, _ANCHORS, 2))
    size = rng.uniform(0.1, 0.5, (batch, _ANCHORS, 2))
    boxes = np.concatenate([center - size / 2, center + size / 2], -1)
    logits = rng.normal(-3, 2, (batch, _ANCHORS, _CLASSES))
    window = np.tile([0, 0, 1, 0.8], (batch, 1))
    return [a.astype("float32") for a in (boxes, logits, window)]


def test_graph_accepts_any_batch_size():
    call = graph()
    many = {k: v.numpy() for k, v in call(*inputs(3)).items()}
    assert many["boxes"].shape == (3, 50, 4)
    assert many["raw_scores"].shape == (3, _ANCHORS, _CLASSES)
    one = {k: v.numpy() for k, v in call(*(a[1:2] for a in inputs(3))).items()}
    for name, value in one.items():
        assert_allclose(value[0], many[name][1], atol=1e-6, err_msg=name)
    assert call.experimental_get_tracing_count() == 1


@pytest.mark.slow
def test_onnx_runtime_finds_the_same(tmp_path):
    tf2onnx = require("tf2onnx")
    ort = require("onnxruntime")
    call = graph()
    model, _ = tf2onnx.convert.from_function(call, call.input_signature, opset=18)
    session = ort.InferenceSession(model.SerializeToString())
    arrays = inputs(2)
    feed = {i.name: a for i, a in zip(session.get_inputs(), arrays, strict=True)}
    names = [o.name for o in session.get_outputs()]
    got = dict(zip(names, session.run(None, feed), strict=True))
    want = call(*arrays)
    assert sorted(got) == sorted(want)
    for name, value in want.items():
        assert_allclose(got[name], value.numpy(), atol=1e-6, err_msg=name)
