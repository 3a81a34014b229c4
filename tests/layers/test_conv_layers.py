"""Convolution layers: padding and CPU fast paths."""

import keras
import numpy as np
import pytest
from keras import ops

from odapi.layers.conv import Conv2D, DepthwiseConv2D, SeparableConv2D
from odapi.runtime.devices import computes_on_cpu

pytestmark = pytest.mark.backend


def _image(height, width, channels=3):
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, height, width, channels)).astype(np.float32)


def _numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_explicit_padding_pads_both_sides_whatever_the_size(size):
    image = _image(size, size)
    layer = Conv2D(4, 3, strides=2, explicit_padding=True)
    outputs = _numpy(layer(image))
    bare = Conv2D(4, 3, strides=2, padding="valid")
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    bare.build(padded.shape)
    bare.set_weights(layer.get_weights())
    np.testing.assert_allclose(outputs, _numpy(bare(padded)), atol=1e-6)
    assert layer.compute_output_shape(image.shape) == outputs.shape
    assert outputs.shape == (2, -(-size // 2), -(-size // 2), 4)


def test_same_padding_puts_the_odd_pixel_at_the_end():
    # On an even size with stride 2, "same" begins at pixel 0, not at -1.
    layer = DepthwiseConv2D(3, strides=2, use_bias=False)
    layer.build((1, 4, 4, 1))
    kernel = np.zeros((3, 3, 1, 1), np.float32)
    kernel[0, 0] = 1
    layer.set_weights([kernel])
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    assert _numpy(layer(image)).ravel().tolist() == [0, 2, 8, 10]
    padded = DepthwiseConv2D(3, strides=2, use_bias=False, explicit_padding=True)
    padded.build((1, 4, 4, 1))
    padded.set_weights([kernel])
    assert _numpy(padded(image)).ravel().tolist() == [0, 0, 0, 5]


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 8), (8, 8)])
@pytest.mark.parametrize("make", ["depthwise", "separable"])
def test_shifted_products_equal_the_depthwise_convolution(
    make, shape, stride, explicit
):
    options = {"strides": stride, "explicit_padding": explicit}
    if make == "depthwise":
        layer = DepthwiseConv2D(3, bias_initializer="ones", **options)
    else:
        layer = SeparableConv2D(5, 3, bias_initializer="ones", **options)
    image = _image(*shape)
    layer.build(image.shape)
    layer._shifted = False
    expected = _numpy(layer(image))
    layer._shifted = True
    np.testing.assert_allclose(_numpy(layer(image)), expected, atol=1e-5)


def _pointwise(**options):
    return Conv2D(5, 1, bias_initializer="ones", **options)


def _separable(**options):
    return SeparableConv2D(5, 3, bias_initializer="ones", **options)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 8)])
@pytest.mark.parametrize(
    ("make", "options"),
    [
        (_pointwise, {}),
        (_pointwise, {"use_bias": False, "explicit_padding": True}),
        (_pointwise, {"activation": "relu"}),
        (_separable, {}),
        (_separable, {"strides": 2, "explicit_padding": True}),
        (_separable, {"use_bias": False, "dilation_rate": 2, "activation": "relu"}),
    ],
)
def test_matrix_product_in_training_equals_the_convolution(make, options, shape):
    layer, image = make(**options), _image(*shape)
    expected = _numpy(layer(image))
    layer._matrix_product = True  # Also where it is no faster.
    np.testing.assert_allclose(_numpy(layer(image, training=True)), expected, atol=1e-5)
    assert np.array_equal(_numpy(layer(image)), expected)


@pytest.mark.parametrize(
    ("layer", "multiplied"),
    [
        (lambda: Conv2D(5, 1), True),
        (lambda: Conv2D(5, 3), False),
        (lambda: Conv2D(5, (1, 3)), False),
        (lambda: Conv2D(5, 1, strides=2), False),
        (lambda: Conv2D(4, 1, groups=2), False),
        (lambda: SeparableConv2D(5, 3, strides=2), True),
    ],
)
def test_matrix_products_replace_only_1x1_convolutions(layer, multiplied):
    on_a_cpu = keras.backend.backend() == "tensorflow" and computes_on_cpu()
    assert layer()._matrix_product == (multiplied and on_a_cpu)
