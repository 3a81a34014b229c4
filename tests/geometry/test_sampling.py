"""Bilinear sampling of crops: positions, borders and padding; numbers by hand."""

import numpy as np
import pytest
from keras import ops

from odapi.geometry.crop.sampling import (
    gather_bilinear,
    linear_neighbors,
    pad_border,
    sample_positions,
)

pytestmark = pytest.mark.backend

POSITIONS = [-2.0, -1.0, -0.5, 0.0, 0.25, 2.0, 2.5, 3.0, 4.0]


def floats(values):
    return ops.convert_to_tensor(np.array(values, "float32"))


@pytest.mark.parametrize(
    ("border", "expected"),
    [
        # A map of three cells of value 1: the sum of the weights of both neighbors.
        ("none", [0, 0, 0, 1, 1, 1, 0, 0, 0]),
        ("zero_pad", [0, 0, 0.5, 1, 1, 1, 0.5, 0, 0]),
        ("replicate", [0, 1, 1, 1, 1, 1, 1, 1, 0]),
    ],
)
def test_borders(border, expected):
    (_, before), (_, after) = linear_neighbors(floats(POSITIONS), 3, border)
    assert ops.convert_to_numpy(before + after).tolist() == expected


@pytest.mark.parametrize("border", ["zero_pad", "replicate"])
def test_borders_equal_those_of_padded_maps(border):
    maps = np.arange(1, 7, dtype="float32").reshape(1, 2, 3, 1)
    rows, columns = floats([[[-1, -0.25, 0.5, 2]]]), floats([[[-1, 0, 1.5, 2.75]]])
    read = gather_bilinear(
        ops.reshape(maps, (1, 6, 1)), rows, columns, (2, 3), border=border
    )
    padded = pad_border(ops.convert_to_tensor(maps), border)
    assert tuple(padded.shape) == (1, 4, 5, 1)
    table = ops.reshape(padded, (1, 20, 1))
    expected = gather_bilinear(table, rows + 1.0, columns + 1.0, (4, 5))
    found, expected = (ops.convert_to_numpy(x) for x in (read, expected))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.any()


@pytest.mark.parametrize("exact_ends", [False, True])
def test_positions(exact_ends):
    first, last = floats([[0.0, 1.0, 0.25]]), floats([[1.0, 0.0, 0.75]])
    found = sample_positions(first, last, 4, 3, exact_ends=exact_ends)
    assert ops.convert_to_numpy(found).tolist() == [[[0, 2, 4], [4, 2, 0], [1, 2, 3]]]
    single = sample_positions(first, last, 4, 1, exact_ends=exact_ends)
    assert ops.convert_to_numpy(single).tolist() == [[[2], [2], [2]]]
    # One extent per box.
    extents = floats([[4, 2, 0]])
    found = sample_positions(first, last, extents, 2, exact_ends=exact_ends)
    assert ops.convert_to_numpy(found).tolist() == [[[0, 4], [2, 0], [0, 0]]]


def test_exact_ends_stay_on_the_last_cell():
    rng = np.random.default_rng(0)
    first = floats(rng.random((1, 500)))
    last = ops.ones_like(first)
    found = sample_positions(first, last, 27, 14, exact_ends=True)
    assert (ops.convert_to_numpy(found)[..., -1] == 27).all()
    # The rounding of TensorFlow's operation is outside for some boxes.
    rounded = sample_positions(first, last, 27, 14)
    assert (ops.convert_to_numpy(rounded)[..., -1] > 27).any()
