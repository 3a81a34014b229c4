"""Heads of anchors: order of the outputs, and options."""

import keras
import numpy as np
import pytest
from keras import ops

from odapi.heads.anchor_head import BOXES, CLASSES, HeadOptions
from odapi.heads.per_level_conv_head import PerLevelConvHead
from odapi.heads.shared_conv_head import SharedConvHead
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.names import named_variables
from odapi.layers.norm import Norm

pytestmark = pytest.mark.backend
HYPERPARAMS = Hyperparams(norm=Norm(scale=True), activation="relu_6", l2=1e-4)
SIZES = [(3, 2), (2, 1)]


def _features(channels=(4, 4)):
    return [
        np.random.default_rng(n).random((2, *size, c)).astype(np.float32)
        for n, (size, c) in enumerate(zip(SIZES, channels, strict=True))
    ]


def _run(head, features, **kwargs):
    if not head.built:
        head.build([f.shape for f in features])
    return {k: ops.convert_to_numpy(v) for k, v in head(features, **kwargs).items()}


def _per_level(options, **kwargs):
    return PerLevelConvHead([2, 3], options, HYPERPARAMS, **kwargs)


def _shared(options, **kwargs):
    return SharedConvHead([2, 2], options, HYPERPARAMS, num_layers=1, depth=4, **kwargs)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("make, anchors", [(_per_level, 18), (_shared, 16)])
def test_shapes_of_the_predictions(make, anchors, depthwise):
    outputs = _run(make(HeadOptions(5, use_depthwise=depthwise)), _features())
    assert outputs[BOXES].shape == (2, anchors, 4)
    assert outputs[CLASSES].shape == (2, anchors, 5)
    assert outputs[BOXES].dtype == outputs[CLASSES].dtype == np.float32


def test_anchors_come_by_level_row_column_and_anchor():
    head = _per_level(HeadOptions(2, kernel_size=1))
    features = _features((1, 1))
    head.build([f.shape for f in features])
    for n, stack in enumerate(head.box_heads):
        kernel, bias = stack.steps[-1].weights
        kernel.assign(np.ones(kernel.shape))  # Each number is the pixel's value ...
        bias.assign(np.arange(bias.shape[0]) + 100 * n)  # ... plus its own place.
    for level, (height, width) in enumerate(SIZES):
        pixels = np.arange(height * width, dtype=np.float32) * 1000
        features[level] = np.broadcast_to(
            pixels.reshape(1, height, width, 1), features[level].shape
        )
    boxes = _run(head, features)[BOXES][0]
    assert boxes[0].tolist() == [0, 1, 2, 3]
    assert boxes[1].tolist() == [4, 5, 6, 7]  # Second anchor of the first place.
    assert boxes[2, 0] == 1000  # Second column of the first row.
    assert boxes[4, 0] == 2000  # Second row.
    assert boxes[12, 0] == 100  # Second level.
    assert boxes[15, 0] == 1100


@pytest.mark.parametrize("make", [_per_level, _shared])
def test_first_scores_are_those_of_the_initial_bias(make):
    head = make(HeadOptions(3, bias=-4.6, sigmoid=True))
    zeros = [np.zeros_like(f) for f in _features()]
    # 1 / (1 + exp(4.6))
    np.testing.assert_allclose(_run(head, zeros)[CLASSES], 0.00995, atol=1e-5)


def test_codes_are_bounded():
    head = _shared(HeadOptions(3, clip_range=(-0.01, 0.02)))
    boxes = _run(head, [100 * f for f in _features()])[BOXES]
    assert boxes.min() == pytest.approx(-0.01)
    assert boxes.max() == pytest.approx(0.02)


@pytest.mark.parametrize("make", [_per_level, _shared])
def test_dropout_drops_in_training_only(make):
    head = make(HeadOptions(3, dropout=0.5))
    features = _features()
    still, again = (_run(head, features)[CLASSES] for _ in range(2))
    np.testing.assert_array_equal(still, again)
    moving = _run(head, features, training=True)[CLASSES]
    assert np.abs(moving - still).max() > 0


def test_towers_share_convolutions_and_not_norms():
    shared = _shared(HeadOptions(3), share_tower=True)
    two = _shared(HeadOptions(3))
    names = {}
    for key, head in (("one", shared), ("two", two)):
        _run(head, _features())
        names[key] = list(named_variables(head))
    assert sum("conv_0/kernel" in n for n in names["one"]) == 1
    assert sum("conv_0/kernel" in n for n in names["two"]) == 2
    assert "tower/norm_0_level_1/gamma" in names["one"]
    assert "class_tower/norm_0_level_1/gamma" in names["two"]


def test_levels_of_other_depth_are_brought_to_that_of_the_most():
    head = SharedConvHead([2, 2, 2], HeadOptions(3), HYPERPARAMS, 1, 4)
    features = [*_features((4, 4)), np.ones((2, 1, 1, 7), np.float32)]
    assert _run(head, features)[BOXES].shape == (2, 18, 4)
    assert "level_2/projection/kernel" in named_variables(head)


def test_layers_before_the_predictions_have_a_bounded_depth():
    head = _per_level(HeadOptions(3), num_layers=2, min_depth=2, max_depth=3)
    _run(head, _features((4, 2)))
    kernels = {
        name: tuple(v.shape)
        for name, v in named_variables(head).items()
        if name.startswith("shared") and name.endswith("kernel")
    }
    assert kernels["shared_0/conv_0/kernel"] == (1, 1, 4, 3)
    assert kernels["shared_1/conv_1/kernel"] == (1, 1, 2, 2)


@pytest.mark.parametrize("make", [_per_level, _shared])
def test_predictions_are_float32_in_mixed_precision(make):
    hyperparams = Hyperparams(norm=Norm(), dtype="mixed_bfloat16")
    head = type(make(HeadOptions(3)))(
        [2, 2], HeadOptions(3), hyperparams, dtype="mixed_bfloat16"
    )
    features = _features()
    head.build([f.shape for f in features])
    outputs = head(features)
    assert {keras.backend.standardize_dtype(v.dtype) for v in outputs.values()} == {
        "float32"
    }


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: HeadOptions(3, kernel_size=1, use_depthwise=True), "kernel_size"),
        (lambda: HeadOptions(3, dropout=1.0), "dropout"),
        (lambda: HeadOptions(3, clip_range=(1.0, -1.0)), "must not exceed"),
        (lambda: _per_level(HeadOptions(3), min_depth=4, max_depth=2), "min_depth"),
        (lambda: SharedConvHead([3, 6], HeadOptions(3), HYPERPARAMS), "same number"),
    ],
)
def test_incompatible_options_raise(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("make", [_per_level, _shared])
def test_another_number_of_maps_than_of_anchors_is_refused(make):
    with pytest.raises(ValueError, match="1 feature maps"):
        make(HeadOptions(3)).build([(None, 2, 2, 4)])
