"""Keypoints from heatmaps and regression."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.geometry.keypoints import (
    GaussianWeighted,
    KeypointCandidates,
    KeypointRefiner,
    Nearest,
    ScorePerDistance,
    ScorePerScaledDistance,
    argmax_keypoints,
    clip_to_frame,
    find_keypoint_candidates,
    gather_keypoint_values,
    regress_keypoints,
    rescore_by_keypoints,
)

pytestmark = pytest.mark.backend


def tensor(values, dtype="float32"):
    return ops.convert_to_tensor(np.asarray(values, dtype))


def numpy(values):
    return ops.convert_to_numpy(values)


def one_map(shape, **cells):
    """A map `[1, h, w, c]` of 0 but for `"y_x_c": value`."""
    made = np.zeros((1, *shape), "float32")
    for place, value in cells.items():
        made[(0, *(int(n) for n in place[1:].split("_")))] = value
    return tensor(made)


def test_regression_is_relative_to_the_center_cell():
    maps = one_map((3, 4, 4), c1_2_0=0.5, c1_2_1=-1.0, c1_2_2=2.0, c1_2_3=0.25)
    points = regress_keypoints(
        maps, tensor([[1, 0]], "int32"), tensor([[2, 3]], "int32")
    )
    assert numpy(points).tolist() == [
        [[[1.5, 1.0], [3.0, 2.25]], [[0.0, 3.0], [0.0, 3.0]]]
    ]


@pytest.mark.parametrize(
    ("channels", "expected"), [(4, [[5.0, 6.0]]), (2, [[3.0, 4.0]])]
)
def test_gather_keypoint_values_per_keypoint_or_shared(channels, expected):
    maps = np.zeros((1, 2, 2, channels), "float32")
    maps[0, 1, 0] = [3, 4, 5, 6][:channels]
    place = (tensor([[n]], "int32") for n in (1, 0, 1))
    assert numpy(gather_keypoint_values(tensor(maps), *place, 2)).tolist() == [expected]


def test_candidates_are_the_peaks_of_each_keypoint():
    # Channel 0 has two peaks and a cell beside the higher one; channel 1 has none.
    heat = one_map((3, 5, 2), c0_0_0=0.9, c0_1_0=0.8, c2_3_0=0.3, c1_1_1=0.05)
    offsets = one_map((3, 5, 4), c0_0_0=0.5, c0_0_1=0.25, c2_3_1=0.75)
    depths = one_map((3, 5, 1), c0_0_0=7.0, c2_3_0=8.0)
    found = find_keypoint_candidates(
        heat, offsets, depths, max_candidates=3, threshold=0.1
    )
    assert_allclose(numpy(found.scores)[0, :, 0], [0.9, 0.3, 0], rtol=1e-6)
    assert numpy(found.valid)[0].T.tolist() == [
        [True, True, False],
        [False, False, False],
    ]
    assert numpy(found.points)[0, :2, 0].tolist() == [[0.5, 0.25], [2, 3.75]]
    assert numpy(found.depths)[0, :2, 0].tolist() == [7, 8]


def test_more_candidates_than_cells():
    found = find_keypoint_candidates(
        one_map((1, 1, 1), c0_0_0=0.5),
        one_map((1, 1, 2)),
        max_candidates=3,
        threshold=0.1,
    )
    assert numpy(found.valid)[0, :, 0].tolist() == [True, False, False]


# Three candidates of one keypoint, at distances 1, 2 and 5 of the regressed point
# (10, 10); the box is 20 wide.
POINTS = [[10.0, 11.0], [12.0, 10.0], [10.0, 15.0]]
SCORES = [0.2, 0.5, 0.9]
BOX = [[0.0, 0.0, 20.0, 20.0]]


def candidates(points=POINTS, scores=SCORES, threshold=0.1):
    scores = np.asarray(scores, "float32")[None, :, None]
    points = np.asarray(points, "float32")[None, :, None]
    return KeypointCandidates(
        tensor(points), tensor(scores), tensor(scores >= threshold, "bool")
    )


def snapped(snapping, boxes=BOX, regressed=(10.0, 10.0), **kwargs):
    found = snapping(
        tensor([[[regressed]]]),
        candidates(threshold=snapping.threshold, **kwargs),
        None if boxes is None else tensor([boxes]),
    )
    return numpy(found.points)[0, 0, 0].tolist(), float(numpy(found.scores)[0, 0, 0])


@pytest.mark.parametrize(
    ("ranking", "chosen", "score"),
    [
        (Nearest(), 0, 0.2),
        # 0.2 / 1.5, 0.5 / 2.5, 0.9 / 5.5
        (ScorePerDistance(0.5), 1, 0.5),
        (ScorePerDistance(5.0), 2, 0.9),
        # 0.2 / 3, 0.5 / 4, 0.9 / 7: a tenth of 20 is added.
        (ScorePerScaledDistance(0.1), 2, 0.9),
        (ScorePerScaledDistance(0.02), 1, 0.5),
        # A box of 20 x 20 has sigma 11 / 6, see the gaussian_sigma test: exponents are
        # -d^2 / 2 sigma^2 = -0.1488, -0.5950, -3.7190.
        (GaussianWeighted((1.0,)), 1, 0.5 * np.exp(-0.59504)),
        (GaussianWeighted((10.0,)), 2, 0.9 * np.exp(-0.037190)),
    ],
)
def test_ranking_of_candidates(ranking, chosen, score):
    point, found = snapped(KeypointRefiner(ranking))
    assert point == POINTS[chosen]
    assert found == pytest.approx(score, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "boxes"),
    [
        ({"threshold": 0.21}, [[9.0, 9.0, 11.0, 11.0]]),  # Others are outside.
        ({"search_scale": 0.04}, BOX),  # 24 * 0.04 = 0.96 is nearer than 1.
        ({"threshold": 0.95}, None),
    ],
)
def test_keypoint_without_candidate_keeps_its_regression(change, boxes):
    point, score = snapped(KeypointRefiner(unmatched_score=0.07, **change), boxes)
    assert point == [10.0, 10.0]
    assert score == pytest.approx(0.07)


def test_the_edge_of_the_enlarged_box_is_inside():
    boxes = [[9.0, 9.0, 11.0, 10.5]]
    inside = KeypointRefiner(box_scale=1.67, search_scale=1.0)  # To 9.75 + 0.75 * 1.67
    assert snapped(inside, boxes)[0] == POINTS[0]
    outside = KeypointRefiner(box_scale=1.66, search_scale=1.0)
    assert snapped(outside, boxes)[0] == [10.0, 10.0]


def test_without_boxes_candidates_are_not_restricted():
    assert snapped(KeypointRefiner(search_scale=0.0), None)[0] == POINTS[0]


def test_nearest_candidate_must_be_within_the_search_radius():
    # As in the original: the chosen one is at 5, but the nearest at 1.
    ranking = ScorePerDistance(5.0)
    assert snapped(KeypointRefiner(ranking, search_scale=0.05))[0] == POINTS[2]


def test_depth_is_zero_without_candidate():
    many = candidates()._replace(depths=tensor([[[1.0], [2.0], [3.0]]]))
    regressed = tensor([[[[10.0, 10.0]], [[90.0, 90.0]]]])
    found = KeypointRefiner()(regressed, many, tensor([BOX * 2]))
    assert numpy(found.depths).tolist() == [[[1.0], [0.0]]]


def test_argmax_keypoints_weights_by_distance_within_the_box():
    # Of a map of 10 x 20, distances squared are divided by 0.1 * 10 = 1.
    heat = one_map((10, 20, 1), c2_2_0=0.5, c2_4_0=0.9, c2_9_0=1.0)
    offsets = one_map((10, 20, 2), c2_2_0=0.25)
    regressed = tensor([[[[2.0, 2.0]], [[2.0, 4.5]]]])
    boxes = tensor([[[0, 0, 5, 5], [0, 4, 5, 5]]])
    found = argmax_keypoints(heat, offsets, regressed, boxes)
    # 0.5 against 0.9 * exp(-4).
    assert numpy(found.points).tolist() == [[[[2.25, 2.0]], [[2.0, 4.0]]]]
    assert_allclose(numpy(found.scores), [[[0.5], [0.9 * np.exp(-0.25)]]], rtol=1e-5)


def test_argmax_keypoints_has_half_open_boxes():
    heat = one_map((4, 4, 1), c1_1_0=0.5, c3_3_0=0.9)
    found = argmax_keypoints(
        heat, one_map((4, 4, 2)), tensor([[[[2.0, 2.0]]]]), tensor([[[1, 1, 3, 3]]])
    )
    assert numpy(found.points).tolist() == [[[[1.0, 1.0]]]]


def test_points_outside_the_image_are_clipped_with_score_0():
    points = [[0.0, 1.0], [-0.1, 0.5], [0.5, 1.25]]
    clipped, scores = clip_to_frame(tensor(points), tensor([0.5, 0.6, 0.7]))
    assert numpy(clipped).tolist() == [[0, 1], [0, 0.5], [0.5, 1]]
    assert numpy(scores).tolist() == [0.5, 0, 0]


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.0, 0.5 * 0.4), (0.3, 0.5 * 0.6), (0.9, 0.0)]
)
def test_rescoring_takes_the_mean_of_visible_keypoints(threshold, expected):
    scores = rescore_by_keypoints(tensor([[0.5]]), tensor([[[0.6, 0.2]]]), threshold)
    assert_allclose(numpy(scores), [[expected]], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ScorePerDistance(0.0), "score_distance_offset"),
        (lambda: ScorePerScaledDistance(0.0), "score_distance_multiplier"),
        (lambda: GaussianWeighted((1.0, 0.0)), "deviations"),
    ],
)
def test_settings_that_divide_by_zero_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
