"""Normalization of groups of rows by their moments."""

import numpy as np
import pytest
from keras import ops

from odapi.layers.group_statistics import normalize_groups

pytestmark = pytest.mark.backend

_OF_BATCH = (3.2, 2.96)  # Moments of 1, 3, 2, 4, 6.


@pytest.mark.parametrize(
    ("first", "second", "moments"),
    [
        # Two or three values: the moments of all groups.
        ([1, 3], [2, 4, 6], (_OF_BATCH, _OF_BATCH)),
        ([1, 3], [2, 4, 6, 8], ((4.0, 17 / 3), (5.0, 5.0))),
        # One value, or four: their own.
        ([1], [2, 4, 6, 8], ((1.0, 0.0), (5.0, 5.0))),
        # All groups together have fewer than four values.
        ([1, 3], [], ((2.0, 1.0), (0.0, 0.0))),
        ([1, 3], [5], ((2.0, 1.0), (5.0, 0.0))),
        ([], [], ((0.0, 0.0), (0.0, 0.0))),
    ],
)
def test_moments_of_groups_of_one_pixel(first, second, moments):
    groups = [first, second]
    weights = np.array([[n < len(g) for n in range(4)] for g in groups], "float32")
    x = np.full((2, 4, 1, 1, 1), 1e6, "float32")  # Padding is not read.
    for values, group in zip(x, groups, strict=True):
        values[: len(group), 0, 0, 0] = group
    outputs, mean, variance = normalize_groups(
        ops.convert_to_tensor(x.reshape(8, 1, 1, 1)),
        ops.convert_to_tensor(weights),
        epsilon=0.01,
        unbiased=False,
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(mean)[:, 0], [m for m, _ in moments], rtol=1e-6
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(variance)[:, 0], [v for _, v in moments], rtol=1e-6
    )
    found = ops.convert_to_numpy(outputs).reshape(2, 4)
    for row, group, (m, v) in zip(found, groups, moments, strict=True):
        expected = [(value - m) / np.sqrt(v + 0.01) for value in group]
        np.testing.assert_allclose(row[: len(group)], expected, rtol=1e-5, atol=1e-6)
        assert (row[len(group) :] == 0).all()


def test_variances_are_unbiased_by_the_values_they_are_made_of():
    x = ops.reshape(ops.convert_to_tensor([1.0, 3.0, 0.0, 2.0, 4.0, 6.0]), (6, 1, 1, 1))
    weights = ops.convert_to_tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    _, _, variance = normalize_groups(x, weights, 0.01, unbiased=True)
    np.testing.assert_allclose(
        ops.convert_to_numpy(variance)[:, 0], [3.7, 3.7], rtol=1e-6
    )


def test_maps_of_several_pixels_have_more_values():
    x = ops.reshape(ops.arange(8, dtype="float32"), (2, 2, 2, 1))
    weights = ops.convert_to_tensor([[1.0], [1.0]])
    _, mean, _ = normalize_groups(x, weights, 0.01, unbiased=False)
    np.testing.assert_allclose(ops.convert_to_numpy(mean)[:, 0], [1.5, 5.5])
