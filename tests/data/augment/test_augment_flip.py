"""Mirroring."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scene import Dice, scene

from odapi.data.augment.flip import HorizontalFlip
from odapi.data.image.lazy import rendered


def test_mirrored_boxes_pixels_and_keypoints_by_hand():
    sample = {
        "image": np.arange(4, dtype="uint8").reshape(1, 4, 1).repeat(3, 2),
        "boxes": np.float32([[0.1, 0.2, 0.3, 0.6]]),
        "keypoints": np.float32([[[0.5, 0.25], [np.nan, np.nan], [0.1, 1.0]]]),
        "keypoint_visibility": np.int32([[2, 0, 1]]),
    }
    flipped = rendered(HorizontalFlip(1.0, (0, 2, 1))(sample, Dice(0.99)))
    assert flipped["image"][0, :, 0].tolist() == [3, 2, 1, 0]
    assert_allclose(flipped["boxes"], [[0.1, 0.4, 0.3, 0.8]], atol=1e-6)
    expected = [[[0.5, 0.75], [0.1, 0.0], [np.nan, np.nan]]]
    assert_allclose(flipped["keypoints"], expected)
    assert flipped["keypoint_visibility"].tolist() == [[2, 1, 0]]


def test_keypoints_without_a_permutation_keep_their_places():
    flipped = HorizontalFlip(1.0)(scene(), Dice(0.0))
    assert_allclose(flipped["keypoints"][..., 1], 1 - scene()["keypoints"][..., 1])


@pytest.mark.parametrize(
    ("probability", "drawn", "happens"),
    [(0.0, 0.0, False), (1.0, 0.999, True), (0.5, 0.49, True), (0.5, 0.5, False)],
)
def test_probability_0_is_never_and_1_always(probability, drawn, happens):
    sample = scene()
    flipped = rendered(HorizontalFlip(probability)(sample, Dice(drawn)))
    mirrored = sample["image"][:, ::-1]
    assert_array_equal(flipped["image"], mirrored if happens else sample["image"])


def test_mirroring_twice_changes_nothing():
    flip, sample = HorizontalFlip(1.0, (1, 0)), scene()
    again = rendered(flip(flip(sample, Dice(0)), Dice(0)))
    assert_array_equal(again["image"], sample["image"])
    assert_array_equal(again["masks"], sample["masks"])
    assert_allclose(again["boxes"], sample["boxes"], atol=1e-6)
    assert_allclose(again["keypoints"], sample["keypoints"], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.5,), "probability must be in 0..1"),
        ((0.5, (0, 0)), "each of 0..1 once"),
        ((0.5, (1, 2)), "each of 0..1 once"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        HorizontalFlip(*arguments)


def test_a_permutation_of_another_length_is_refused():
    with pytest.raises(ValueError, match="3 entries, objects have 2 keypoints"):
        HorizontalFlip(1.0, (0, 1, 2))(scene(), Dice(0))
