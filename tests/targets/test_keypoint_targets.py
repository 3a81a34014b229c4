"""CenterNet targets of keypoints."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.structures import Groundtruth
from odapi.targets.keypoint_targets import (
    depth_targets,
    heatmap_targets,
    keypoints_of_class,
    offset_targets,
    regression_targets,
)

pytestmark = pytest.mark.backend

NAN = float("nan")
SIZE = (8, 10)  # Of the maps.
# The first object has both keypoints, the second one, the third is of another class,
# the fourth is padding.
BOXES = [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0.8, 0.25, 1], [0, 0, 1, 1]]
KEYPOINTS = [
    [[0.25, 0.25], [0.5, 0.1]],
    [[NAN, NAN], [0.75, 0.75]],
    [[0.1, 0.9], [0.2, 0.9]],
    [[0.5, 0.5], [0.5, 0.5]],
]


def truth(keypoints=KEYPOINTS, boxes=BOXES, classes=(1, 1, 0, 1), **fields):
    number = len(boxes)
    arrays = {
        "boxes": np.array([boxes], "float32").reshape(1, number, 4),
        "classes": np.array([classes], "int32")[:, :number],
        "valid": np.array([[True, True, True, False]])[:, :number],
        "weights": np.array([[1, 1, 1, 1]], "float32")[:, :number],
        "keypoints": np.array([keypoints], "float32").reshape(1, number, -1, 2),
        **fields,
    }
    return Groundtruth(**{k: ops.convert_to_tensor(v) for k, v in arrays.items()})


def points(groundtruth, indices=(0, 1)):
    return keypoints_of_class(groundtruth, 1, indices, SIZE)


def numpy(values):
    return ops.convert_to_numpy(values)


def test_keypoints_of_other_classes_and_padding_have_weight_0():
    found = points(truth())
    assert numpy(found.weights).tolist() == [[[1, 1], [0, 1], [0, 0], [0, 0]]]
    assert numpy(found.points)[0, :2].tolist() == [
        [[2, 2.5], [4, 1]],
        [[0, 0], [6, 7.5]],
    ]


def test_indices_select_keypoints_in_order():
    found = points(truth(), (1, 0))
    assert numpy(found.points)[0, 0].tolist() == [[4, 1], [2, 2.5]]


def test_heatmaps_are_highest_at_the_cells_of_the_keypoints():
    groundtruth = truth()
    made = heatmap_targets(groundtruth, points(groundtruth), (1.0, 1.0), SIZE)
    heat = numpy(made.heatmaps)[0]
    assert [tuple(p) for p in np.argwhere(heat[..., 0] == 1)] == [(2, 2)]
    assert [tuple(p) for p in np.argwhere(heat[..., 1] == 1)] == [(4, 1), (6, 7)]
    assert float(numpy(made.number)) == 3
    # A box of 4 x 5 cells has a sigma of 0.5: a cell aside is exp(-2).
    assert_allclose(heat[2, 3, 0], np.exp(-2), rtol=1e-5)
    assert_allclose(heat[3, 3, 0], np.exp(-4), rtol=1e-5)


def test_deviations_scale_the_peak_of_their_keypoint():
    groundtruth = truth()
    made = heatmap_targets(groundtruth, points(groundtruth), (2.0, 1.0), SIZE)
    assert_allclose(numpy(made.heatmaps)[0, 2, 3, 0], np.exp(-0.5), rtol=1e-5)


def test_boxes_of_unknown_keypoints_are_excluded():
    groundtruth = truth()
    made = heatmap_targets(groundtruth, points(groundtruth), (1.0, 1.0), SIZE)
    weights = numpy(made.weights)[0]
    # Of another class: rows 0 to 2, columns 8 to 10, ends excluded; for both.
    assert not weights[:2, 8:].any()
    assert weights[2, 8:].all()
    # Without the first keypoint: rows 4 to 8, columns 5 to 10.
    assert not weights[4:, 5:, 0].any()
    assert weights[4:, 5:, 1].all()
    # Padding counts nowhere, and so it hides nothing.
    assert weights[:4, :8].all()


def test_far_edges_of_excluded_boxes_keep_their_weight():
    # From target_assigner_test.py of the original, test_keypoint_heatmap_targets: on
    # maps of 30 x 20, boxes of 15 x 10 cells without the keypoint, of 600 cells each.
    halves = [[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]]
    keypoints = [[[NAN, NAN], [NAN, NAN]], [[NAN, NAN], [0.5, 0.5]]]
    groundtruth = truth(keypoints, halves, (1, 1))
    found = keypoints_of_class(groundtruth, 1, (0, 1), (30, 20))
    made = heatmap_targets(groundtruth, found, (1.0, 1.0), (30, 20))
    weights = numpy(made.weights)
    assert weights[..., 0].sum() == 300
    assert weights[..., 1].sum() == 450
    assert weights.sum() == 750


@pytest.mark.parametrize("number", [1, 2])
def test_image_without_keypoints(number):
    empty = truth(np.full((number, 2, 2), NAN), np.zeros((number, 4)), (1,) * number)
    made = heatmap_targets(empty, points(empty), (1.0, 1.0), SIZE)
    assert not numpy(made.heatmaps).any()
    assert float(numpy(made.number)) == 0
    for cells in (
        offset_targets(points(empty), 1, SIZE),
        regression_targets(empty, points(empty), 1, SIZE),
    ):
        assert not numpy(cells.weights).any()
        assert np.isfinite(numpy(cells.values)).all()


def rows(cells):
    """y, x, keypoint and values of cells that count."""
    fields = (numpy(v)[0] for v in cells)
    return [
        (int(y), int(x), int(k), *(round(float(n), 4) for n in v))
        for y, x, k, v, w in zip(*fields, strict=True)
        if w
    ]


def test_offsets_point_from_the_cell_to_the_keypoint():
    assert rows(offset_targets(points(truth()), 0, SIZE)) == [
        (2, 2, 0, 0.0, 0.5),
        (4, 1, 1, 0.0, 0.0),
        (6, 7, 1, 0.0, 0.5),
    ]


def test_cells_in_a_disk_have_offset_targets():
    one = truth([[[0.99, 0.0]]], BOXES[:1], (1,))
    found = keypoints_of_class(one, 1, (0,), SIZE)
    # Row 7.92, column 0: of five cells those below and to the left are off the map.
    assert rows(offset_targets(found, 1, SIZE)) == [
        (6, 0, 0, 1.92, 0.0),
        (7, 0, 0, 0.92, 0.0),
        (7, 1, 0, 0.92, -1.0),
    ]
    assert offset_targets(found, 3, SIZE).y.shape == (1, 29)


def test_regression_targets_are_relative_to_the_center_cell():
    # Centers are at (2, 2.5) and (6, 7.5).
    assert rows(regression_targets(truth(), points(truth()), 0, SIZE)) == [
        (2, 2, 0, 0.0, 0.5),
        (2, 2, 1, 2.0, -1.0),
        (6, 7, 1, 0.0, 0.5),
    ]


def test_depths_have_weight_where_depth_and_keypoint_are_known():
    depths = np.array([[[1, NAN], [3, 4], [5, 6], [7, 8]]], "float32")
    weights = np.array([[[0.5, 1], [1, 0.25], [1, 1], [1, 1]]], "float32")
    groundtruth = truth(keypoint_depths=depths, keypoint_depth_weights=weights)
    cells = depth_targets(groundtruth, points(groundtruth), (0, 1), 0, SIZE)
    assert rows(cells) == [(2, 2, 0, 1.0), (6, 7, 1, 4.0)]
    assert numpy(cells.weights)[0, :4].tolist() == [0.5, 0, 0, 0.25]
    around = depth_targets(groundtruth, points(groundtruth), (0, 1), 1, SIZE)
    assert {row[2:] for row in rows(around)} == {(0, 1.0), (1, 4.0)}
