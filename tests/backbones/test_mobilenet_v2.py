"""MobileNetV2: the layers of Keras Applications, with the original's options."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from odapi.backbones.mobilenet_v2 import DEFAULT_HYPERPARAMS, mobilenet_v2
from odapi.layers.names import named_variables

LEVELS = ("block_2_add", "block_5_add", "block_12_add", "out_relu")


def _shapes(model, size=(64, 96)):
    return [s[1:] for s in model.compute_output_shape((None, *size, 3))]


@pytest.fixture(scope="module")
def full():
    return mobilenet_v2(LEVELS)


def test_feature_maps_of_the_four_levels(full):
    assert _shapes(full) == [
        (16, 24, 24), (8, 12, 32), (4, 6, 96), (2, 3, 1280)
    ]  # fmt: skip


def test_weights_have_the_names_and_shapes_of_keras_applications(full):
    original = keras.applications.MobileNetV2(
        input_shape=(None, None, 3), include_top=False, weights=None
    )
    expected = {
        f"{layer.name}/{v.name}": tuple(v.shape)
        for layer in original.layers
        for v in layer.weights
    }
    ours = {name: tuple(v.shape) for name, v in named_variables(full).items()}
    assert ours == expected


def test_published_weights_fill_every_variable(full, shared):
    with np.load(shared / "pretrained" / "mobilenet_v2_imagenet.npz") as stored:
        missing = set(named_variables(full)) - set(stored.files)
        assert missing == set()


@pytest.mark.parametrize(
    "width, min_depth, channels",
    [
        (0.35, 0, [8, 16, 32, 448]),
        (0.5, 0, [16, 16, 48, 640]),
        (1.4, 0, [32, 48, 136, 1792]),
        # The least depth holds for what is not an expansion.
        (0.35, 16, [16, 16, 32, 448]),
        (0.5, 32, [32, 32, 48, 640]),
    ],
)
def test_width_and_least_depth(width, min_depth, channels):
    model = mobilenet_v2(LEVELS, width=width, min_depth=min_depth)
    assert [shape[-1] for shape in _shapes(model)] == channels
    by_name = {layer.name: layer for layer in model.layers}
    for block in range(1, 17):
        conv = by_name[f"block_{block}_expand"]
        assert conv.filters == 6 * conv.input.shape[-1]


def test_block_widened_by_min_depth_has_no_sum():
    # 0.35 * 24 gives 8 channels in and out of block 2, and 16 come in.
    names = [layer.name for layer in mobilenet_v2(LEVELS, width=0.35).layers]
    assert "block_2_add" in names
    widened = mobilenet_v2(LEVELS, width=0.35, min_depth=16)
    names = [layer.name for layer in widened.layers]
    assert "block_2_add" not in names
    assert "block_4_add" in names  # 16 channels of their own.


@pytest.mark.backend
def test_explicit_padding_keeps_sizes_and_changes_values():
    image = np.random.default_rng(0).random((1, 32, 32, 3)).astype(np.float32)
    same, padded = (
        mobilenet_v2(LEVELS, width=0.25, explicit_padding=explicit)
        for explicit in (False, True)
    )
    a, b = (ops.convert_to_numpy(model(image)[0]) for model in (same, padded))
    assert a.shape == b.shape
    assert np.abs(a - b).max() > 1e-3


def test_hyperparams_reach_every_layer():
    frozen = dataclasses.replace(DEFAULT_HYPERPARAMS, l2=0.5).frozen()
    model = mobilenet_v2(("out_relu",), frozen, width=0.25)
    assert len(model.losses) == 52
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 52
    assert all(norm.frozen and norm.momentum == 0.9997 for norm in norms)


@pytest.mark.parametrize(
    "arguments, words",
    [({"endpoints": ("block_99_add",)}, "block_99_add"), ({"width": 0.0}, "above 0")],
)
def test_invalid_arguments_raise(arguments, words):
    with pytest.raises(ValueError, match=words):
        mobilenet_v2(**{"endpoints": LEVELS, **arguments})
