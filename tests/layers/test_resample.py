"""Upsampling; numbers by hand."""

import numpy as np
import pytest
from keras import ops

from odapi.layers.resample import upsample_bilinear, upsample_nearest

pytestmark = pytest.mark.backend


def _map(rows):
    return np.array(rows, np.float32)[None, :, :, None]


@pytest.mark.parametrize(
    "rows, expected",
    [
        # One pixel has no neighbors.
        ([[4.0]], [[4, 4], [4, 4]]),
        # Between 0 and 4: the border, a quarter, three quarters, the border.
        ([[0.0, 4.0]], [[0, 1, 3, 4], [0, 1, 3, 4]]),
        # 0, 4 / 8, 12: a quarter of the way is 1 to the right and 2 down.
        (
            [[0.0, 4.0], [8.0, 12.0]],
            [[0, 1, 3, 4], [2, 3, 5, 6], [6, 7, 9, 10], [8, 9, 11, 12]],
        ),
    ],
)
def test_upsample_bilinear(rows, expected):
    size = (None, len(expected), len(expected[0]), 1)
    found = ops.convert_to_numpy(upsample_bilinear(_map(rows), size))
    np.testing.assert_allclose(found[0, :, :, 0], expected)


@pytest.mark.parametrize("double", [upsample_nearest, upsample_bilinear])
def test_upsampled_maps_are_cropped_to_the_shape(double):
    x = np.random.default_rng(0).random((2, 3, 4, 5)).astype(np.float32)
    whole = ops.convert_to_numpy(double(x, (None, 6, 8, 5)))
    part = ops.convert_to_numpy(double(x, (None, 5, 7, 9)))
    assert whole.shape == (2, 6, 8, 5)
    np.testing.assert_array_equal(part, whole[:, :5, :7])
