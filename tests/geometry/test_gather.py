"""Bilinear sampling of maps; numbers by hand."""

import numpy as np
import pytest
from keras import ops

from odapi.geometry.gather import sample_cells

pytestmark = pytest.mark.backend


@pytest.mark.parametrize(
    "y, x, expected",
    [
        (0.0, 0.0, 0.0),
        (0.0, 1.0, 4.0),
        (1.0, 1.0, 12.0),
        # A quarter to the right is 1, half down is 4.
        (0.5, 0.25, 5.0),
        # Beyond the outer cells, these count alone.
        (-3.0, 0.5, 2.0),
        (9.0, 9.0, 12.0),
    ],
)
def test_sample_cells_is_bilinear(y, x, expected):
    maps = np.array([[0, 4], [8, 12]], np.float32)[None, :, :, None]
    maps = ops.convert_to_tensor(np.concatenate([maps, -maps], axis=-1))
    found = sample_cells(maps, *(ops.convert_to_tensor([[a]]) for a in (y, x)))
    np.testing.assert_allclose(ops.convert_to_numpy(found), [[[expected, -expected]]])


def test_sample_of_a_map_of_one_cell():
    found = sample_cells(ops.ones((1, 1, 1, 1)), ops.zeros((1, 3)), ops.ones((1, 3)))
    np.testing.assert_array_equal(ops.convert_to_numpy(found), np.ones((1, 3, 1)))
