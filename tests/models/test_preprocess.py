"""Pixel normalization and padding."""

import numpy as np
import pytest
from keras import ops

from odapi.layers.pixels import MINUS_ONE_TO_ONE, UNCHANGED, PixelScaling
from odapi.models.preprocess import normalize, pad_to_multiple

pytestmark = pytest.mark.backend


def _numpy(x):
    return ops.convert_to_numpy(x)


def test_pixels_are_scaled_channel_by_channel():
    image = np.array([[[[0, 127.5, 255]]]], np.float32)
    assert _numpy(normalize(image, MINUS_ONE_TO_ONE)).ravel().tolist() == [-1, 0, 1]
    scaling = PixelScaling((1.0, 2.0, 0.5), (-3.0, 0.0, 1.0))
    assert _numpy(normalize(image, scaling)).ravel().tolist() == [-3, 255, 128.5]
    assert _numpy(normalize(image, UNCHANGED)).ravel().tolist() == [0, 127.5, 255]


def test_padding_is_zero_after_normalizing():
    images = np.full((2, 3, 4, 3), 255, np.uint8)
    true_size = np.array([[3, 4], [1, 2]], np.int32)
    x = _numpy(normalize(images, MINUS_ONE_TO_ONE, true_size))
    assert (x[0] == 1).all()
    assert (x[1, :1, :2] == 1).all()
    assert x[1].sum() == 1 * 2 * 3


def test_grayscale_images_get_three_channels():
    x = _numpy(normalize(np.full((1, 2, 2, 1), 255, np.uint8), MINUS_ONE_TO_ONE))
    assert x.shape == (1, 2, 2, 3)
    assert (x == 1).all()


@pytest.mark.parametrize(
    "size, multiple, expected",
    [((5, 8), 4, (8, 8)), ((8, 8), 4, (8, 8)), ((1, 1), 1, (1, 1))],
)
def test_images_are_padded_to_a_multiple(size, multiple, expected):
    x = _numpy(pad_to_multiple(np.ones((1, *size, 3), np.float32), multiple))
    assert x.shape == (1, *expected, 3)
    assert x.sum() == 3 * size[0] * size[1]
