"""MobileNet v1: the layers of Keras Applications, with the original's options."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from odapi.backbones.mobilenet import DEFAULT_HYPERPARAMS, NARROW_END, mobilenet
from odapi.layers.names import named_variables

LEVELS = ("conv_pw_3_relu", "conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu")


def _shapes(model, size=(64, 96)):
    return [s[1:] for s in model.compute_output_shape((None, *size, 3))]


def test_feature_maps_and_weights_are_those_of_keras_applications():
    model = mobilenet(LEVELS)
    assert _shapes(model) == [
        (16, 24, 128), (8, 12, 256), (4, 6, 512), (2, 3, 1024)
    ]  # fmt: skip
    original = keras.applications.MobileNet(
        input_shape=(None, None, 3), include_top=False, weights=None
    )
    variables = named_variables(model)
    values = {
        f"{layer.name}/{v.name}": v for layer in original.layers for v in layer.weights
    }
    assert set(variables) == set(values)
    for name, variable in variables.items():
        variable.assign(values[name])
    image = np.random.default_rng(0).random((1, 64, 96, 3)).astype(np.float32)
    theirs = ops.convert_to_numpy(original(image))
    mine = ops.convert_to_numpy(model(image)[-1])
    np.testing.assert_allclose(mine, theirs, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize(
    "width, min_depth, nominal, channels",
    [
        # Multiplied twice, as in the original.
        (0.5, 0, None, [32, 64, 128, 256]),
        (0.75, 0, None, [72, 144, 288, 576]),
        (0.25, 16, None, [16, 16, 32, 64]),
        (2.0, 0, None, [512, 1024, 2048, 4096]),
        (1.0, 0, NARROW_END, [128, 256, 512, 256]),
        # These once.
        (0.5, 0, NARROW_END, [32, 64, 128, 128]),
        # From ssd_mobilenet_v1_feature_extractor_tf2_test.py of the original,
        # test_extract_features_enforces_min_depth.
        (0.5**12, 32, None, [32, 32, 32, 32]),
        (0.5**12, 32, NARROW_END, [32, 32, 32, 32]),
    ],
)
def test_width_and_least_depth(width, min_depth, nominal, channels):
    model = mobilenet(LEVELS, width=width, min_depth=min_depth, nominal=nominal)
    assert [shape[-1] for shape in _shapes(model)] == channels


@pytest.mark.backend
def test_explicit_padding_keeps_sizes_and_changes_values():
    image = np.random.default_rng(0).random((1, 32, 32, 3)).astype(np.float32)
    same, padded = (
        mobilenet(LEVELS, width=0.5, explicit_padding=explicit)
        for explicit in (False, True)
    )
    a, b = (ops.convert_to_numpy(model(image)[0]) for model in (same, padded))
    assert a.shape == b.shape
    assert np.abs(a - b).max() > 0.01 * np.abs(a).max()


def test_hyperparams_reach_every_layer():
    frozen = dataclasses.replace(DEFAULT_HYPERPARAMS, l2=0.5).frozen()
    model = mobilenet(LEVELS, frozen, width=0.5)
    assert len(model.losses) == 27
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 27
    assert all(norm.frozen and norm.momentum == 0.9997 for norm in norms)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"endpoints": ("conv_pw_14_relu",)}, "MobileNet has no layer 'conv_pw_14"),
        ({"width": 0.0}, "above 0"),
    ],
)
def test_invalid_arguments_raise(arguments, words):
    with pytest.raises(ValueError, match=words):
        mobilenet(**{"endpoints": LEVELS, **arguments})
