"""Heatmaps: drawing Gaussians and finding peaks."""

import math

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.geometry import heatmaps
from odapi.geometry.gather import gather_cells

pytestmark = pytest.mark.backend


def np_(value):
    return ops.convert_to_numpy(value)


def tensor(values):
    return ops.convert_to_tensor(np.float32(values))


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (0.0, 0.0, 0.0),
        # half = 0.7 * 2 and 4 * 0.7 * 0.3 = 0.84: sqrt(1.96 + 0.84) - 1.4
        (1.0, 1.0, math.sqrt(2.8) - 1.4),
        (10.0, 10.0, 10 * (math.sqrt(2.8) - 1.4)),
        # half = 0.7 * 5, 0.84 * 4: sqrt(12.25 + 3.36) - 3.5
        (4.0, 1.0, math.sqrt(15.61) - 3.5),
    ],
)
def test_gaussian_radius(height, width, expected):
    found = heatmaps.gaussian_radius(tensor([height]), tensor([width]), 0.7)
    assert_allclose(np_(found), [expected], rtol=1e-5, atol=1e-6)


# Radii that the losses of the original's goldens tell: 6, 8 and 4.
@pytest.mark.parametrize(
    ("size", "sigma"),
    [
        ((25.6, 19.2), 13 / 6),
        ((32.0, 28.8), 17 / 6),
        ((17.28, 16.0), 9 / 6),
        ((1.0, 1.0), 1 / 6),
        ((0.0, 0.0), 1 / 6),
    ],
)
def test_gaussian_sigma(size, sigma):
    height, width = (tensor([side]) for side in size)
    assert_allclose(
        np_(heatmaps.gaussian_sigma(height, width, 0.7)), [sigma], rtol=1e-6
    )


def draw(points, map_size=(3, 4), channels=2):
    """Points are (y, x, sigma, weight, channel)."""
    rows = np.float32([points]).reshape(1, -1, 5)
    return np_(
        heatmaps.draw_gaussians(
            ops.convert_to_tensor(rows[..., :2]),
            ops.convert_to_tensor(rows[..., 2]),
            ops.convert_to_tensor(rows[..., 3]),
            ops.convert_to_tensor(rows[..., 4].astype("int32")),
            channels,
            map_size,
        )
    )[0]


def test_nothing_is_drawn_without_points():
    assert draw([]).tolist() == np.zeros((3, 4, 2)).tolist()


def test_gaussian_is_1_at_its_cell():
    found = draw([(1.9, 2.1, 1.0, 1.0, 0)])
    one, diagonal = math.exp(-0.5), math.exp(-1.0)
    # Distances from cell (1, 2): two columns to the left is exp(-2).
    assert_allclose(
        found[..., 0],
        [
            [math.exp(-2.5), diagonal, one, diagonal],
            [math.exp(-2.0), one, 1.0, one],
            [math.exp(-2.5), diagonal, one, diagonal],
        ],
        rtol=1e-5,
    )
    assert found[1, 2, 0] == 1.0
    assert (found[..., 1] == 0).all()


def test_overlapping_gaussians_take_the_maximum():
    found = draw([(0, 0, 1.0, 1.0, 1), (0, 1, 1.0, 0.5, 1), (0, 3, 1.0, 0.5, 1)])
    assert_allclose(
        found[0, :, 1],
        [1.0, math.exp(-0.5), 0.5 * math.exp(-0.5), 0.5],
        rtol=1e-5,
    )


def test_weight_0_draws_nothing_and_points_outside_are_drawn():
    found = draw([(1, 1, 1.0, 0.0, 0), (-1, 0, 1.0, 1.0, 1)])
    assert (found[..., 0] == 0).all()
    assert_allclose(found[0, 0, 1], math.exp(-0.5), rtol=1e-5)


def test_images_are_independent():
    centers = np.float32([[[0, 0]], [[1, 1]]])
    found = heatmaps.draw_gaussians(
        ops.convert_to_tensor(centers),
        tensor(np.full((2, 1), 0.1)),
        tensor(np.ones((2, 1))),
        ops.convert_to_tensor(np.int32([[0], [1]])),
        2,
        (2, 2),
    )
    where = np.argwhere(np_(found) > 0.5).tolist()
    assert where == [[0, 0, 0, 0], [1, 1, 1, 1]]


HEAT = np.float32(
    [
        [0.1, 0.2, 0.1, 0.0],
        [0.2, 0.9, 0.3, 0.0],
        [0.1, 0.3, 0.9, 0.5],
    ]
)[None, ..., None]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (1, HEAT[0, ..., 0].tolist()),
        # The two of 0.9 are neighbors: both are as high as it gets around them.
        (3, [[0, 0, 0, 0], [0, 0.9, 0, 0], [0, 0, 0.9, 0]]),
        (5, [[0, 0, 0, 0], [0, 0.9, 0, 0], [0, 0, 0.9, 0]]),
        # An even window has one cell more below and to the right.
        (2, [[0, 0, 0, 0], [0, 0.9, 0, 0], [0, 0, 0.9, 0.5]]),
    ],
)
def test_cells_that_are_no_peaks_are_0(window, expected):
    found = np_(heatmaps.keep_peaks(ops.convert_to_tensor(HEAT), window))[0, ..., 0]
    assert_allclose(found, np.float32(expected))


def test_all_cells_of_a_flat_map_are_peaks():
    flat = np.full((1, 2, 2, 1), 0.3, "float32")
    assert np_(heatmaps.keep_peaks(ops.convert_to_tensor(flat), 3)).tolist() == (
        flat.tolist()
    )


def listed(places):
    return [np_(v).tolist() for v in places]


def test_top_peaks_are_ordered_by_score_row_column_channel():
    heat = np.zeros((1, 2, 2, 2), "float32")
    heat[0, 0, 0] = [0.5, 0.5]
    heat[0, 1, 0] = [0.5, 0.9]
    heat[0, 1, 1] = [0.2, 0.5]
    scores, y, x, channel = listed(heatmaps.top_peaks(ops.convert_to_tensor(heat), 5))
    assert_allclose(scores, [[0.9, 0.5, 0.5, 0.5, 0.5]])
    assert y == [[1, 0, 0, 1, 1]]
    assert x == [[0, 0, 0, 0, 1]]
    assert channel == [[1, 0, 1, 0, 1]]


def test_missing_peaks_have_score_0():
    heat = np.float32([[[[0.2]], [[0.4]]]])
    scores, y, x, channel = listed(heatmaps.top_peaks(ops.convert_to_tensor(heat), 4))
    assert_allclose(scores, [[0.4, 0.2, 0, 0]])
    assert (y, x, channel) == ([[1, 0, 0, 0]], [[0] * 4], [[0] * 4])


def test_top_peaks_equal_a_full_sort():
    rng = np.random.default_rng(0)
    # Few values, so that many tie.
    heat = (rng.integers(0, 6, (2, 7, 5, 3)) / 8).astype("float32")
    flat = heat.reshape(2, -1)
    order = np.argsort(-flat, axis=1, kind="stable")[:, :9]
    scores, y, x, channel = heatmaps.top_peaks(ops.convert_to_tensor(heat), 9)
    assert_allclose(np_(scores), np.take_along_axis(flat, order, 1))
    index = (np_(y) * 5 + np_(x)) * 3 + np_(channel)
    assert index.tolist() == order.tolist()


def test_top_peaks_per_channel():
    heat = np.zeros((1, 2, 2, 2), "float32")
    heat[0, :, :, 0] = [[0.1, 0.4], [0.4, 0.2]]
    heat[0, :, :, 1] = [[0.0, 0.0], [0.7, 0.0]]
    found = heatmaps.top_peaks_per_channel(ops.convert_to_tensor(heat), 3)
    scores, y, x, channel = listed(found)
    assert_allclose(scores, [[[0.4, 0.4, 0.2], [0.7, 0, 0]]])
    assert y == [[[0, 1, 1], [1, 0, 0]]]
    assert x == [[[1, 0, 1], [0, 0, 1]]]
    assert channel == [[[0, 0, 0], [1, 1, 1]]]


def test_gather_cells_clips_to_the_border():
    maps = np.arange(6, dtype="float32").reshape(1, 2, 3, 1)
    y, x = (ops.convert_to_tensor(np.int32([v])) for v in ([0, 1, 5, -1], [1, 2, 0, 9]))
    found = gather_cells(ops.convert_to_tensor(maps), y, x)
    assert np_(found)[0, :, 0].tolist() == [1, 5, 3, 2]
