"""ResNet v1: the layers of Keras Applications, with the original's options."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from odapi.backbones.resnet import (
    DEFAULT_HYPERPARAMS,
    resnet,
    resnet_halves,
    stage_ends,
)
from odapi.checkpoints.pretrained import convert_names
from odapi.layers.names import named_variables
from odapi.layers.norm import Norm

ENDS = stage_ends(50)


def _shapes(model, size=(64, 96)):
    return [s[1:] for s in model.compute_output_shape((None, *size, 3))]


@pytest.fixture(scope="module")
def full():
    as_published = dataclasses.replace(
        DEFAULT_HYPERPARAMS, norm=Norm(epsilon=1.001e-5, scale=True)
    )
    return resnet(50, ENDS, as_published, explicit_padding=True)


@pytest.fixture(scope="module")
def published():
    """That of Keras Applications, with random values in all that starts as 0 or 1."""
    application = keras.applications.ResNet50(
        input_shape=(None, None, 3), include_top=False, weights=None
    )
    rng = np.random.default_rng(0)
    for layer in application.layers:
        for variable in layer.weights:
            if variable.name != "kernel":
                variable.assign(rng.uniform(0.5, 1.0, variable.shape))
    outputs = [application.get_layer(name).output for name in ENDS]
    return keras.Model(application.input, outputs)


def test_feature_maps_of_the_four_levels(full):
    assert _shapes(full) == [
        (16, 24, 256), (8, 12, 512), (4, 6, 1024), (2, 3, 2048)
    ]  # fmt: skip


def test_published_weights_give_the_published_outputs(full, published):
    arrays = {
        f"{layer.name}/{v.name}": ops.convert_to_numpy(v)
        for layer in published.layers
        for v in layer.weights
    }
    ours = named_variables(full)
    converted = convert_names(arrays)
    assert set(converted) == set(ours)
    for name, variable in ours.items():
        variable.assign(converted[name])
    rgb = np.random.default_rng(1).normal(0, 50, (1, 50, 64, 3)).astype(np.float32)
    for mine, theirs in zip(full(rgb), published(rgb[..., ::-1]), strict=True):
        mine, theirs = ops.convert_to_numpy(mine), ops.convert_to_numpy(theirs)
        np.testing.assert_allclose(mine, theirs, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize(
    "width, min_depth, channels",
    [
        (0.25, 0, [64, 128, 256, 512]),
        (0.125, 16, [32, 64, 128, 256]),
        (0.001, 8, [8, 8, 8, 8]),
    ],
)
def test_width_and_least_depth(width, min_depth, channels):
    model = resnet(50, ENDS, width=width, min_depth=min_depth)
    assert [shape[-1] for shape in _shapes(model)] == channels
    filters = model.get_layer("conv2_block1_2_conv").filters
    assert filters == max(int(64 * width), min_depth)


@pytest.mark.backend
def test_only_the_pooling_pads_otherwise_with_explicit_padding():
    image = np.random.default_rng(0).random((1, 64, 64, 3)).astype(np.float32)
    same, padded = (
        resnet(50, ("conv1_relu", ENDS[0]), width=0.125, explicit_padding=explicit)
        for explicit in (False, True)
    )
    (a, pooled), (b, other) = (
        [ops.convert_to_numpy(m) for m in model(image)] for model in (same, padded)
    )
    np.testing.assert_array_equal(a, b)
    assert pooled.shape == other.shape
    assert np.abs(pooled - other).max() > 1e-3


def test_hyperparams_reach_every_layer():
    frozen = dataclasses.replace(DEFAULT_HYPERPARAMS, l2=0.5, dtype="mixed_bfloat16")
    model = resnet(50, ENDS, frozen.frozen(), width=0.125)
    assert len(model.losses) == 53
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 53
    assert all(norm.frozen and norm.momentum == 0.997 for norm in norms)
    inner = [x for x in model.layers if not isinstance(x, keras.layers.InputLayer)]
    assert {x.compute_dtype for x in inner} == {"bfloat16"}


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"endpoints": ("conv6_block1_out",)}, "ResNet50 has no layer 'conv6_block1"),
        ({"width": 0.0}, "above 0"),
        ({"num_layers": 18}, "one of"),
    ],
)
def test_invalid_arguments_raise(arguments, words):
    with pytest.raises(ValueError, match=words):
        resnet(**{"num_layers": 50, "endpoints": ENDS, "width": 0.125, **arguments})


@pytest.mark.backend
def test_dense_maps_have_those_of_stride_16_at_every_other_place():
    image = np.random.default_rng(1).normal(0, 50, (1, 64, 96, 3)).astype(np.float32)
    maps = []
    for stride in (8, 16):
        first, second = resnet_halves(50, stride=stride, width=0.0625)
        maps.append(first(image))
        assert second(maps[-1]).shape == (1, 32 // stride, 48 // stride, 128)
    dense, sparse = (ops.convert_to_numpy(m) for m in maps)
    assert dense.shape == (1, 8, 12, 64)
    np.testing.assert_allclose(
        dense[:, ::2, ::2], sparse, atol=1e-5 * np.abs(sparse).max()
    )


@pytest.mark.backend
def test_both_parts_equal_the_whole_backbone():
    image = np.random.default_rng(1).normal(0, 50, (1, 32, 32, 3)).astype(np.float32)
    first, second = resnet_halves(50, width=0.0625)
    whole = resnet(50, ENDS[-1:], width=0.0625)
    assert first.name == "backbone" and second.name == "roi_features"
    parts = named_variables(first) | named_variables(second)
    assert list(parts) == list(named_variables(whole))
    np.testing.assert_allclose(
        ops.convert_to_numpy(second(first(image))),
        ops.convert_to_numpy(whole(image)),
        rtol=1e-4,
        atol=1e-6,
    )


def test_other_strides_are_refused():
    with pytest.raises(ValueError, match="must be 8 or 16, got 32"):
        resnet_halves(50, stride=32)
