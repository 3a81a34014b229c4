"""Keypoint targets of regions, and their decoding."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.losses.roi_losses import roi_keypoint_loss
from odapi.targets.roi_targets import assign_roi_keypoints, decode_roi_keypoints

pytestmark = pytest.mark.backend
NAN = float("nan")


def _assign(points, box=(0.2, 0.2, 0.6, 1.0), visible=None, weight=1.0):
    targets = assign_roi_keypoints(
        ops.array([[[[9, 9]] * len(points), points]], dtype="float32"),
        None if visible is None else ops.array([[[2] * len(points), visible]]),
        ops.array([[box]], dtype="float32"),
        ops.array([[1]], dtype="int32"),
        ops.array([[weight]], dtype="float32"),
        (4, 8),
    )
    return [ops.convert_to_numpy(values)[0, 0].tolist() for values in targets]


@pytest.mark.parametrize(
    ("point", "cell", "weight"),
    [
        ((0.201, 0.201), 0, 1),
        ((0.301, 0.201), 8, 1),  # A row has 8 cells of 0.1.
        ((0.301, 0.599), 11, 1),
        ((0.599, 0.999), 31, 1),
        ((0.7, 0.5), None, 0),  # Outside.
        ((0.5, 0.1), None, 0),
        ((NAN, NAN), None, 0),
    ],
)
def test_cell_of_a_keypoint(point, cell, weight):
    cells, weights = _assign([point])
    assert weights == [weight]
    if cell is not None:
        assert cells == [cell]


def test_far_edge_is_in_the_last_cell():
    assert _assign([(0.5, 1.0)], box=(0, 0, 0.5, 1)) == [[31], [1]]


def test_unlabeled_keypoints_and_empty_boxes_have_weight_0():
    assert _assign([(0.3, 0.3)] * 3, visible=[0, 1, 2])[1] == [0, 1, 1]
    assert _assign([(0, 0)], box=(0, 0, 0, 0))[1] == [0]
    assert _assign([(0.3, 0.3)], weight=0.5)[1] == [0.5]


def test_keypoints_are_decoded_at_their_peaks():
    maps = np.zeros((1, 1, 3, 4, 8), "float32")
    maps[0, 0, 0, 1, 2] = 50  # Alone: the middle of the cell.
    maps[0, 0, 1, 1, 2] = 50
    maps[0, 0, 1, 2, 2] = maps[0, 0, 1, 1, 1] = 49  # Down and to the left.
    maps[0, 0, 2, 0, 7] = 50  # At the edge.
    maps[0, 0, 2, 1, 7] = 49
    boxes = np.array([[[0.2, 0.2, 0.6, 1.0]]], "float32")
    points, scores = decode_roi_keypoints(ops.array(maps), ops.array(boxes))
    expected = [[0.35, 0.45], [0.375, 0.425], [0.25, 0.95]]
    assert_allclose(ops.convert_to_numpy(points)[0, 0], expected, atol=1e-6)
    third = 1 / (1 + 2 * np.exp(-1))
    half = 1 / (1 + np.exp(-1))
    assert_allclose(ops.convert_to_numpy(scores)[0, 0], [1, third, half], atol=1e-5)


def test_loss_is_a_weighted_mean_over_keypoints():
    maps = np.zeros((1, 2, 1, 2, 2), "float32")
    maps[0, 0, 0, 0, 1] = np.log(5)
    cells = ops.array([[[1], [0]]], dtype="int32")

    def loss(weights):
        weights = ops.array([[[w] for w in weights]], dtype="float32")
        return float(roi_keypoint_loss(ops.array(maps), cells, weights))

    assert_allclose(loss([1, 0]), np.log(8 / 5), atol=1e-6)
    assert_allclose(loss([1, 1]), (np.log(8 / 5) + np.log(4)) / 2, atol=1e-6)
    assert loss([0, 0]) == 0
