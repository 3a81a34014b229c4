"""Pasted objects and what they cover, with fixed random numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from partner_samples import Draws, boxes_px, partners_of, plain

from odapi.data.augment.copy_paste import CopyPaste
from odapi.data.image.lazy import rendered

PASTE = CopyPaste(1.0)
SIZE = (20, 40)


def paste(first, second, count=1, order=(0, 1, 2), position=(0.0, 0.0), step=PASTE):
    rng = Draws(0.0, count, list(order), np.array(position))
    return rendered(step(first, rng, partners_of(second)))


def test_an_object_is_pasted_by_its_mask():
    first = plain("first", 100, SIZE, (0, 0, 4, 4))
    second = plain("second", 200, SIZE, (8, 10, 12, 20))
    second["masks"][0, 8:10, 10:15] = 0
    made = paste(first, second, order=[0])
    assert ((made["image"][..., 0] == 200) == second["masks"][0]).all()
    assert (made["image"][..., 0] == 100).sum() == 20 * 40 - 30
    assert made["classes"].tolist() == [100, 200]
    assert_allclose(boxes_px(made), [[0, 0, 4, 4], [8, 10, 12, 20]], atol=1e-5)
    assert (made["masks"][1] == second["masks"][0]).all()
    assert (first["image"] == 100).all() and first["masks"].sum() == 16


def test_covered_objects_lose_pixels_and_sides():
    first = plain(
        "first", 100, SIZE,
        (0, 0, 10, 10),  # Its right 4 columns are covered: 6 of 10 stay.
        (0, 6, 10, 16),  # Its left 8 of 10 columns: below 0.3.
        (12, 8, 18, 12),  # Not covered at all.
        (0, 4, 12, 16),  # In the middle, so that no side moves.
    )  # fmt: skip
    second = plain("second", 200, SIZE, (0, 6, 10, 14))
    first["boxes"][0] += np.float32([0.01, 0, 0, 0])  # Looser than the mask.
    made = paste(first, second, order=[0])
    assert made["masks"].sum(axis=(1, 2)).tolist() == [60, 24, 12 * 12 - 80, 80]
    assert_allclose(
        boxes_px(made),
        [[0.2, 0, 10, 6], [12, 8, 18, 12], [0, 4, 12, 16], [0, 6, 10, 14]],
        atol=1e-5,
    )


def test_an_object_that_is_wholly_covered_is_dropped_at_any_threshold():
    first = plain("first", 100, SIZE, (0, 0, 5, 5))
    second = plain("second", 200, SIZE, (0, 0, 10, 10))
    made = paste(first, second, order=[0], step=CopyPaste(1.0, overlap_thresh=0.0))
    assert made["classes"].tolist() == [200]


def test_boxes_are_pasted_if_there_are_no_masks():
    first = plain("a", 100, SIZE, (0, 0, 10, 10), (0, 0, 10, 4), masks=False)
    second = plain("b", 200, SIZE, (0, 3, 10, 9), masks=False)
    made = paste(first, second, order=[0])
    assert (made["image"][:10, 3:9] == 200).all()
    assert (made["image"] == 200).sum() == 60 * 3
    # 40 and 75 % are visible; boxes stay as they are.
    assert_allclose(
        boxes_px(made), [[0, 0, 10, 10], [0, 0, 10, 4], [0, 3, 10, 9]], atol=1e-5
    )
    assert "masks" not in made


def test_objects_without_a_mask_and_crowds_are_not_pasted():
    first = plain("first", 100, SIZE)
    second = plain("second", 200, SIZE, (0, 0, 5, 5), (5, 5, 9, 9), (10, 0, 15, 5))
    second["masks"][1] = 0
    second["is_crowd"] = np.array([False, False, True])
    made = paste(first, second, count=2, order=[1, 0])
    assert_allclose(boxes_px(made), [[0, 0, 5, 5]], atol=1e-5)
    assert made["is_crowd"].tolist() == [False]


@pytest.mark.parametrize("boxes", [(), ((5, 5, 9, 9),)])
def test_nothing_changes_without_objects_that_can_be_pasted(boxes):
    first = plain("first", 100, SIZE, (0, 0, 5, 5))
    second = plain("second", 200, SIZE, *boxes)
    second["masks"] *= 0
    rng = np.random.default_rng(0)
    assert PASTE(first, rng, partners_of(second)) is first


def test_the_number_of_pasted_objects_is_limited():
    first = plain("first", 100, SIZE)
    second = plain("second", 200, SIZE, *[(i, 0, i + 1, 9) for i in range(9)])
    step = CopyPaste(1.0, max_objects=3)
    counts = {
        len(step(first, np.random.default_rng(i), partners_of(second))["boxes"])
        for i in range(20)
    }
    assert counts == {1, 2, 3}


def test_covered_keypoints_are_no_longer_visible():
    first = plain("first", 100, SIZE, (0, 0, 10, 10))
    points = np.float32([[[2, 2], [2, 8], [2, 9], [np.nan, np.nan], [25, 8]]])
    first["keypoints"] = points / np.float32(SIZE)
    first["keypoint_visibility"] = np.int32([[2, 2, 1, 0, 2]])
    second = plain("second", 200, SIZE, (0, 6, 10, 10))
    made = paste(first, second, order=[0])
    assert made["keypoint_visibility"].tolist() == [[2, 1, 1, 0, 2], [0] * 5]
    assert np.isnan(made["keypoints"][1]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((2.0,), "probability"), ((1.0, 0), "max_objects"), ((1.0, 1, 2.0), "overlap")],
)
def test_values_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        CopyPaste(*arguments)
