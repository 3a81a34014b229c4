"""Boxes: overlap, clipping, frames of reference; numbers by hand unless stated."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.geometry import boxes as geometry
from odapi.geometry import overlap
from odapi.geometry.gather import gather_rows

UNIT = [0.0, 0.0, 1.0, 1.0]


def np_(x):
    return ops.convert_to_numpy(x)


def floats(values):
    return ops.convert_to_tensor(np.array(values, "float32"))


PAIRS = {
    "same": (UNIT, UNIT, 1.0, 1.0),
    "half": ([0, 0, 2, 2], [0, 0, 2, 1], 0.5, 0.5),
    "touching": (UNIT, [0, 1, 1, 2], 0.0, 0.0),
    # Hull 3 x 3 = 9, union 2, so GIoU = 0 - 7 / 9.
    "apart": (UNIT, [2, 2, 3, 3], 0.0, -7 / 9),
    # Overlap 1, union 7, hull 9: 1 / 7 - 2 / 9.
    "corner": ([0, 0, 2, 2], [1, 1, 3, 3], 1 / 7, 1 / 7 - 2 / 9),
    "inside": ([0, 0, 4, 4], [1, 1, 2, 2], 1 / 16, 1 / 16),
    "no area": (UNIT, [0.5, 0.5, 0.5, 0.5], 0.0, 0.0),
    "both without area": ([0, 0, 0, 0], [0, 0, 0, 0], 0.0, 0.0),
    "inverted": (UNIT, [1, 1, 0, 0], 0.0, 0.0),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", PAIRS)
def test_iou_and_giou(name):
    box, other, iou, giou = PAIRS[name]
    assert_allclose(np_(geometry.iou(floats([box]), floats([other]))), [iou], rtol=1e-6)
    if name != "inverted":
        got = np_(geometry.giou(floats([box]), floats([other])))
        assert_allclose(got, [giou], rtol=1e-6)


def test_iou_of_arrays_needs_no_tensors():
    boxes, others, ious, _ = zip(*PAIRS.values(), strict=True)
    found = overlap.iou(np.array(boxes, "float32"), np.array(others, "float32"))
    assert isinstance(found, np.ndarray)
    assert_allclose(found, ious, rtol=1e-6)
    boxes, others = [[0, 0, 2, 2], [0, 0, 1, 1]], [[0, 0, 2, 1], [2, 2, 3, 3]]
    assert overlap.pairwise_iou(boxes, others).tolist() == [[0.5, 0], [0.5, 0]]
    assert overlap.pairwise_overlap_area(boxes, others).tolist() == [[2, 0], [1, 0]]
    assert overlap.pairwise_iou(np.zeros((0, 4)), np.array(others)).shape == (0, 2)


@pytest.mark.backend
def test_pairwise_functions_take_all_pairs():
    boxes = floats([[[0, 0, 2, 2], [0, 0, 1, 1]]])  # [1, 2, 4]
    others = floats([[0, 0, 2, 1], [2, 2, 3, 3], [0, 0, 0, 0]])  # [3, 4]
    assert_allclose(
        np_(geometry.pairwise_iou(boxes, others)), [[[0.5, 0, 0], [0.5, 0, 0]]]
    )
    # Of the second argument's area: the first covers all of [0, 0, 2, 1].
    assert_allclose(
        np_(geometry.pairwise_ioa(boxes, others)), [[[1.0, 0, 0], [0.5, 0, 0]]]
    )
    assert_allclose(
        np_(geometry.pairwise_squared_distance(boxes, others)),
        [[[1, 4 + 4 + 1 + 1, 8], [1, 4 + 4 + 4 + 4, 2]]],
    )


def test_area_of_an_inverted_box_is_zero():
    boxes = floats([[0, 0, 2, 3], [1, 1, 0, 0], [0, 1, 2, 0]])
    assert_allclose(np_(geometry.area(boxes)), [6, 0, 0])


def test_boxes_need_four_coordinates():
    with pytest.raises(ValueError, match=r"boxes must have shape \[..., 4\]"):
        geometry.area(floats([[0, 0, 1]]))


def test_center_and_size_invert_each_other():
    boxes = floats([[0, 2, 4, 8], [0.5, 0.5, 0.5, 0.5]])
    center, size = geometry.center_size(boxes)
    assert_allclose(np_(center), [[2, 5], [0.5, 0.5]])
    assert_allclose(np_(size), [[4, 6], [0, 0]])
    assert_allclose(np_(geometry.from_center_size(center, size)), np_(boxes))


@pytest.mark.backend
def test_clip_uses_the_window_of_each_image():
    boxes = floats([[[-1, -1, 2, 0.5]], [[-1, -1, 2, 0.5]]])
    windows = floats([[0, 0, 1, 1], [0.25, 0.25, 0.75, 1]])
    assert_allclose(
        np_(geometry.clip(boxes, windows)),
        [[[0, 0, 1, 0.5]], [[0.25, 0.25, 0.75, 0.5]]],
    )


@pytest.mark.backend
def test_to_window_makes_the_window_the_unit_square():
    windows = floats([[0, 0, 0.5, 1], [0.5, 0, 1, 0.25]])
    boxes = floats([[[0, 0, 0.5, 1]], [[0.5, 0, 1, 0.25]]])
    assert_allclose(np_(geometry.to_window(boxes, windows)), [[UNIT], [UNIT]])
    points = floats([[[0.25, 0.5]], [[0.75, 0.25]]])  # (y, x)
    assert_allclose(
        np_(geometry.to_window(points, windows)), [[[0.5, 0.5]], [[0.5, 1.0]]]
    )


@pytest.mark.backend
def test_gather_rows_indexes_each_image():
    values = np.arange(2 * 3 * 2).reshape(2, 3, 2).astype("float32")
    index = ops.convert_to_tensor(np.array([[2, 0], [1, 1]], "int32"))
    got = np_(gather_rows(ops.convert_to_tensor(values), index))
    assert_allclose(got, [[[4, 5], [0, 1]], [[8, 9], [8, 9]]])
