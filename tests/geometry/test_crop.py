"""crop_and_resize: values by hand, and against TensorFlow's operation."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.geometry.crop.crop_and_resize import crop_and_resize, crop_each_mask
from requirement import require

pytestmark = pytest.mark.backend

# A row counts 10, a column 1: bilinear reading gives the position.
RAMP = (10.0 * np.arange(3)[:, None] + np.arange(4)).astype("float32")[None, ..., None]


def crop(boxes, size, maps=RAMP, **options):
    boxes = np.array(boxes, "float32")[None]
    return ops.convert_to_numpy(
        crop_and_resize(ops.array(maps), boxes, size, **options)
    )


@pytest.mark.parametrize(
    ("box", "size", "expected"),
    [
        # 0 and 1 are the centers of the first and last cell.
        ([0, 0, 1, 1], (3, 4), RAMP[0, ..., 0]),
        ([0, 0, 1, 1], (2, 2), [[0, 3], [20, 23]]),
        ([0.25, 0.5, 0.75, 1], (2, 2), [[6.5, 8], [16.5, 18]]),
        # One row or column reads the middle.
        ([0, 0, 1, 1], (1, 1), [[11.5]]),
        # Mirrored.
        ([1, 0, 0, 1], (2, 2), [[20, 23], [0, 3]]),
        # A box without area repeats one place.
        ([0.5, 1, 0.5, 1], (2, 2), [[13, 13], [13, 13]]),
        # Outside is 0.
        ([-1, 0, 1, 0], (3, 1), [[0], [0], [20]]),
        ([5, 5, 1e9, 1e9], (2, 2), [[0, 0], [0, 0]]),
    ],
)
def test_crop_is_bilinear(box, size, expected):
    assert_allclose(crop([box], size)[0, 0, ..., 0], expected, atol=1e-5)


def test_border_is_zero_or_interpolated():
    ones = np.ones((1, 3, 3, 1), "float32")
    box = [-0.25, 0.5, 1.25, 0.5]  # Rows -0.5, 1 and 2.5.
    assert crop([box], (3, 1), ones).ravel().tolist() == [0, 1, 0]
    assert crop([box], (3, 1), ones, zero_pad_border=True).ravel().tolist() == [
        0.5,
        1,
        0.5,
    ]


def test_one_channel_per_box():
    maps = np.concatenate([RAMP, -RAMP], -1)
    channels = ops.array([[1, 0]], "int32")
    found = crop([[0, 0, 1, 1]] * 2, (2, 2), maps, channels=channels)
    assert found.tolist() == [[[[0, -3], [-20, -23]], [[0, 3], [20, 23]]]]


def test_each_mask_is_cropped_by_its_own_box():
    masks = np.concatenate([RAMP, 2 * RAMP])[None, ..., 0]
    boxes = np.array([[[0, 0, 0, 1], [1, 0, 1, 1]]], "float32")
    found = ops.convert_to_numpy(crop_each_mask(ops.array(masks), boxes, (1, 2)))
    assert found.tolist() == [[[[0, 3]], [[40, 46]]]]


def test_crop_equals_that_of_tensorflow():
    tf = require("tensorflow")
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(2, 9, 7, 3)).astype("float32")
    boxes = rng.uniform(-0.2, 1.2, (2, 5, 4)).astype("float32")
    owners = np.repeat([0, 1], 5)
    expected = tf.image.crop_and_resize(maps, boxes.reshape(-1, 4), owners, (4, 6))
    found = crop_and_resize(ops.array(maps), ops.array(boxes), (4, 6))
    found = ops.convert_to_numpy(found).reshape(10, 4, 6, 3)
    assert_allclose(found, expected.numpy(), atol=1e-5)
