"""Mirroring top to bottom, and turning."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scene import COLORS, RECTANGLES, Dice, scene

from odapi.data.augment.flip import HorizontalFlip, Rotation90, VerticalFlip
from odapi.data.augment.transforms import Window, move_to
from odapi.data.image.lazy import rendered


def small():
    return {
        "image": np.arange(6, dtype="uint8").reshape(2, 3, 1).repeat(3, 2),
        "boxes": np.float32([[0.1, 0.2, 0.3, 0.6]]),
        "keypoints": np.float32([[[0.5, 0.25], [np.nan, np.nan], [0.1, 1.0]]]),
        "keypoint_visibility": np.int32([[2, 0, 1]]),
        "keypoint_depths": np.float32([[1, 2, 3]]),
        "keypoint_depth_weights": np.float32([[0.5, 0, 1]]),
    }


@pytest.mark.parametrize(
    ("kind", "pixels", "box", "points"),
    [
        (
            HorizontalFlip,
            [[2, 1, 0], [5, 4, 3]],
            [0.1, 0.4, 0.3, 0.8],
            [[0.5, 0.75], [0.1, 0.0]],
        ),
        (
            VerticalFlip,
            [[3, 4, 5], [0, 1, 2]],
            [0.7, 0.2, 0.9, 0.6],
            [[0.5, 0.25], [0.9, 1.0]],
        ),
        # The right edge comes up; y is 1 - x, x is y.
        (
            Rotation90,
            [[2, 5], [1, 4], [0, 3]],
            [0.4, 0.1, 0.8, 0.3],
            [[0.75, 0.5], [0.0, 0.1]],
        ),
    ],
)
def test_by_hand_with_a_permutation(kind, pixels, box, points):
    moved = rendered(kind(1.0, (0, 2, 1))(small(), Dice(0.99)))
    assert moved["image"][..., 0].tolist() == pixels
    assert_allclose(moved["boxes"], [box], atol=1e-6)
    expected = [points[0], points[1], [np.nan, np.nan]]
    assert_allclose(moved["keypoints"], [expected], atol=1e-6)
    assert moved["keypoint_visibility"].tolist() == [[2, 1, 0]]
    assert moved["keypoint_depths"].tolist() == [[1, 3, 2]]
    assert moved["keypoint_depth_weights"].tolist() == [[0.5, 1, 0]]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (HorizontalFlip, [0.1, -0.3]),
        (VerticalFlip, [-0.1, 0.3]),
        (Rotation90, [-0.3, 0.1]),
    ],
)
def test_motion_is_mirrored_and_turned(kind, expected):
    sample = small() | {"temporal_offsets": np.float32([[0.1, 0.3]])}
    moved = kind(1.0, (0, 2, 1))(sample, Dice(0))
    assert_allclose(moved["temporal_offsets"], [expected], atol=1e-6)


@pytest.mark.parametrize("kind", [VerticalFlip, Rotation90])
def test_pixels_masks_and_boxes_stay_together(kind):
    moved = rendered(kind(1.0)(scene(), Dice(0)))
    height, width = moved["image"].shape[:2]
    for box, mask, color in zip(moved["boxes"], moved["masks"], COLORS, strict=True):
        edges = np.rint(box * [height, width, height, width]).astype(int)
        top, left, bottom, right = edges
        expected = np.zeros((height, width), "uint8")
        expected[top:bottom, left:right] = 1
        assert_array_equal(mask, expected)
        assert_array_equal(moved["image"][..., 0] == color, expected == 1)


def test_four_turns_change_nothing():
    sample, turn = scene(), Rotation90(1.0)
    again = sample
    for _ in range(4):
        again = turn(again, Dice(0))
    again = rendered(again)
    assert_array_equal(again["image"], sample["image"])
    assert_array_equal(again["masks"], sample["masks"])
    assert_allclose(again["boxes"], sample["boxes"], atol=1e-6)
    assert_allclose(again["keypoints"], sample["keypoints"], atol=1e-6)


def test_turning_a_padded_picture_turns_the_padding():
    top, left, bottom, right = RECTANGLES[0]
    padded = move_to(scene(), Window(-5, -7, 70, 110), (9, 9, 9))
    turned = rendered(Rotation90(1.0)(padded, Dice(0)))
    assert turned["image"].shape == (110, 70, 3)
    assert_array_equal(turned["image"], np.rot90(rendered(padded)["image"]))
    assert turned["masks"][0].sum() == (bottom - top) * (right - left)


def test_messages_name_the_field():
    with pytest.raises(ValueError, match="keypoint_rot_permutation must hold"):
        Rotation90(0.5, (1, 1))
    with pytest.raises(ValueError, match="keypoint_flip_permutation must hold"):
        VerticalFlip(0.5, (1, 1))
