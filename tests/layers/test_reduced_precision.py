"""Layers that multiply in 16 bits in training, on a CPU."""

import keras
import numpy as np
import pytest
from keras import ops

from odapi.layers.conv import Conv2D, DepthwiseConv2D, SeparableConv2D
from odapi.layers.reduced_precision import (
    Conv2DTranspose,
    Dense,
    gains_from_16_bits,
    multiplies_in_float16,
    multiply_adds_per_value,
)

pytestmark = pytest.mark.backend

LAYERS = {
    "1x1": lambda: Conv2D(24, 1),
    "1x1, stride 2": lambda: Conv2D(24, 1, strides=2),
    "3x3": lambda: Conv2D(24, 3, activation="relu"),
    "3x3, padded, stride 2": lambda: Conv2D(24, 3, strides=2, explicit_padding=True),
    "separable": lambda: SeparableConv2D(24, 3),
    "transposed": lambda: Conv2DTranspose(24, 4, strides=2, padding="same"),
    "dense": lambda: Dense(24, activation="relu"),
}
# Eight and eleven bits of precision; sums of some hundred products of size 1.
TOLERANCES = {"bfloat16": 0.03, "float16": 0.004}


def _layer(make):
    keras.utils.set_random_seed(0)
    layer = make()
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 20)).astype("float32")
    layer.build(x.shape)
    layer.bias.assign(np.linspace(-1, 1, 24))
    return layer, ops.convert_to_tensor(x)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("name", LAYERS)
def test_a_training_step_multiplies_in_16_bits_and_returns_float32(name, dtype):
    layer, x = _layer(LAYERS[name])
    exact = ops.convert_to_numpy(layer(x, training=True))
    layer.training_dtype = dtype
    lowered = layer(x, training=True)
    assert keras.backend.standardize_dtype(lowered.dtype) == "float32"
    lowered = ops.convert_to_numpy(lowered)
    difference = np.abs(lowered - exact).max()
    assert 0 < difference < TOLERANCES[dtype], difference
    # Inference does not change by a bit.
    layer.training_dtype = None
    expected = ops.convert_to_numpy(layer(x, training=False))
    layer.training_dtype = dtype
    np.testing.assert_array_equal(
        ops.convert_to_numpy(layer(x, training=False)), expected
    )


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ((1, 1, 64, 64), 32.0),
        ((1, 1, 256, 64), 51.2),
        ((3, 3, 64, 64), 288.0),
        ((3, 3, 256, 36), 284.05479),
        ((1024, 1024), 512.0),
    ],
)
def test_multiply_adds_per_value(kernel, expected):
    # rows * columns * inputs * outputs / (inputs + outputs), by hand.
    assert multiply_adds_per_value(kernel) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("make", "channels", "gains"),
    [
        (lambda: Conv2D(64, 3), 64, True),
        (lambda: Conv2D(512, 1), 128, True),  # 102 multiply-adds per value.
        (lambda: Conv2D(64, 1), 256, False),  # 51.
        (lambda: Conv2D(64, 7), 3, False),  # Reads images.
        (lambda: Conv2D(64, 3, groups=2), 64, False),
        (lambda: DepthwiseConv2D(3), 512, False),
        (lambda: SeparableConv2D(256, 3), 256, True),
        (lambda: SeparableConv2D(64, 3), 64, False),
        (lambda: Conv2DTranspose(64, 4), 64, True),
        (lambda: Dense(256), 256, True),
        (lambda: keras.layers.Dense(256), 256, False),  # Cannot be lowered.
    ],
)
def test_large_dense_convolutions_gain(make, channels, gains):
    layer = make()
    layer.build((None, 8, 8, channels))
    assert gains_from_16_bits(layer) is gains


def test_float16_needs_a_scaled_loss():
    plain, lowered = Dense(3), Dense(3)
    assert not multiplies_in_float16([plain, keras.layers.ReLU()])
    lowered.training_dtype = "bfloat16"
    assert not multiplies_in_float16([plain, lowered])
    lowered.training_dtype = "float16"
    assert multiplies_in_float16([plain, lowered])
