"""CenterNet targets: cells of objects, and heatmaps of their centers."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.structures import Groundtruth
from odapi.targets.center_targets import (
    WeightedKeypoints,
    cell_targets,
    center_heatmaps,
    keypoint_center_heatmaps,
)

pytestmark = pytest.mark.backend


def np_(value):
    return ops.convert_to_numpy(value)


def truth_of(boxes, classes=None, valid=None, weights=None):
    count = len(boxes)
    return Groundtruth(
        boxes=ops.convert_to_tensor(np.float32(boxes).reshape(1, count, 4)),
        classes=ops.convert_to_tensor(np.int32([classes or [0] * count])),
        valid=ops.convert_to_tensor(np.array([valid or [True] * count])),
        weights=ops.convert_to_tensor(np.float32([weights or [1] * count])),
    )


@pytest.mark.parametrize(
    ("box", "cell", "size", "offset"),
    [
        ((0.0, 0.0, 1.0, 1.0), (4, 8), (8, 16), (0.0, 0.0)),
        ((0.25, 0.25, 0.5, 0.5), (3, 6), (2, 4), (0.0, 0.0)),
        # Center (3.4, 6.6): a row of 8, a column of 16.
        ((0.375, 0.35, 0.475, 0.475), (3, 6), (0.8, 2.0), (0.4, 0.6)),
        # A point on the far corner: the cell is cut to the map.
        ((1.0, 1.0, 1.0, 1.0), (7, 15), (0, 0), (0.0, 0.0)),
    ],
)
def test_cells_of_a_box(box, cell, size, offset):
    found = cell_targets(truth_of([box]), (8, 16))
    assert (int(np_(found.y)[0, 0]), int(np_(found.x)[0, 0])) == cell
    assert_allclose(np_(found.sizes)[0, 0], size, atol=1e-5)
    assert_allclose(np_(found.offsets)[0, 0], offset, atol=1e-5)


def test_rounding_at_the_border_of_cells_is_that_of_the_original():
    # Of the goldens: 0.05 and 0.45 of 64 give 15.999999, not 16.
    found = cell_targets(truth_of([[0.05, 0.10, 0.45, 0.40]]), (64, 64))
    assert np_(found.y).tolist() == [[15]]
    assert np_(found.x).tolist() == [[16]]


def test_padding_has_weight_0():
    truth = truth_of([[0, 0, 1, 1]] * 3, valid=[True, False, True], weights=[0.5, 1, 0])
    assert np_(cell_targets(truth, (4, 4)).weights).tolist() == [[0.5, 0, 0]]


def test_heatmaps_peak_at_the_centers_of_each_class():
    truth = truth_of(
        [[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0]],
        classes=[0, 1, 2],
        valid=[True, True, False],
    )
    found = np_(center_heatmaps(truth, 3, (4, 4), 0.7))[0]
    assert np.argwhere(found == 1).tolist() == [[1, 1, 0], [3, 3, 1]]
    assert (found[..., 2] == 0).all()


def test_images_without_objects_are_empty():
    truth = truth_of([[0, 0, 0, 0]] * 2, valid=[False, False], weights=[0, 0])
    assert (np_(center_heatmaps(truth, 2, (3, 5), 0.7)) == 0).all()


NAN = (float("nan"), float("nan"))


def test_centers_are_weighted_means_of_labeled_keypoints():
    # Of a map of 8 x 8. The first: (1 * (2, 2) + 3 * (6, 2)) / 4 = (5, 2).
    points = [
        [(0.25, 0.25), (0.75, 0.25), (0.0, 0.0)],
        [NAN, (0.375, 0.5), (0.0, 0.0)],
        [NAN, NAN, (0.5, 0.5)],
        [(0.5, 0.5), (0.5, 0.5), (0.5, 0.5)],
    ]
    truth = truth_of([[0, 0, 1, 1]] * 4, classes=[1, 1, 1, 0])
    truth = truth._replace(keypoints=ops.convert_to_tensor(np.float32([points])))
    rule = WeightedKeypoints(1, (0, 1), (1.0, 3.0))
    found = np_(keypoint_center_heatmaps(truth, rule, 2, (8, 8), 0.7))[0]
    assert np.argwhere(found == 1).tolist() == [[3, 4, 1], [5, 2, 1]]
    # Distances 3 and 1: a mean of (3 + 3 * 1) / 4, a side of 3; its reach is 0.82.
    assert_allclose(found[5, 3, 1], np.exp(-0.5 * 36), rtol=1e-4)


@pytest.mark.parametrize(
    ("weights", "message"), [((1.0,), "2 keypoints"), ((0.0, 0.0), "not all 0")]
)
def test_invalid_keypoint_weights_are_rejected(weights, message):
    with pytest.raises(ValueError, match=message):
        WeightedKeypoints(0, (0, 1), weights)
