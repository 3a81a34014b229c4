"""Affine and perspective warps: positions by hand, and pixels of exact cases."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from painted import painted, without_objects
from scene import Dice

from odapi.data.augment.perspective import RandomPerspective
from odapi.data.augment.transforms import Window, move_to, rotate90
from odapi.data.augment.warping import FILL, warp_sample
from odapi.data.image import homography
from odapi.data.image.homography import about, move, rotated, shifted, warp_image
from odapi.data.image.lazy import rendered
from odapi.data.image.mask_patch import warp_mask
from odapi.data.image.resize import FixedShape, Identity

SQUARE = (20, 20)


def boxes_only(*rectangles, size=(40, 40)):
    sample = painted(rectangles, size)
    return {key: sample[key] for key in ("image", "image_id", "boxes", "classes")}


@pytest.mark.parametrize("nearest", [True, False])
def test_a_quarter_turn_is_that_of_rotate90(nearest):
    sample = painted(((2, 3, 8, 18), (10, 0, 20, 4)), SQUARE)
    expected = Identity(method="nearest")(rotate90(sample))
    warped, share = warp_sample(sample, about((10, 10), rotated(90)), nearest)
    assert_allclose(share, 1)
    made = rendered(warped)
    assert_array_equal(made["image"], expected["image"])
    assert_array_equal(np.asarray(made["masks"]), expected["masks"])
    for name in ("boxes", "keypoints", "densepose_points", "temporal_offsets"):
        assert_allclose(made[name], expected[name], atol=1e-6, err_msg=name)


def test_nothing_changes_without_a_map():
    sample = painted()
    warped, share = warp_sample(sample, np.eye(3))
    assert_allclose(share, 1)
    for name in ("image", "masks", "boxes", "keypoints"):
        assert_allclose(np.asarray(warped[name]), sample[name], atol=1e-6)


def test_positions_of_a_perspective_by_hand():
    # x / (1 + x / 40): 0, 20, 40 become 0, 13.33, 20.
    matrix = np.eye(3)
    matrix[2, 0] = 1 / 40
    assert_allclose(
        move(matrix, np.array([[0, 10], [20, 10], [40, 10.0]])),
        [[0, 10], [40 / 3, 20 / 3], [20, 5]],
    )
    assert np.isnan(move(matrix, np.array([-50.0, 0]))).all()  # Behind the horizon.
    box = homography.move_boxes(matrix, np.array([[10, 0, 30, 40.0]]))
    # The right side is nearer to the vanishing point: y from 5 to 15 there.
    assert_allclose(box, [[5, 0, 30, 20]])


def test_boxes_without_masks_are_those_of_four_corners_and_with_masks_tight():
    turned = about((20, 20), rotated(45))
    square = boxes_only((10, 10, 30, 30))
    warped, _ = warp_sample(square, turned)
    reach = 10 * np.sqrt(2)
    expected = np.array([[20 - reach, 20 - reach, 20 + reach, 20 + reach]]) / 40
    assert_allclose(warped["boxes"], expected, atol=1e-6)
    # A disk keeps its extent.
    y, x = np.indices((40, 40)) + 0.5
    disk = ((y - 20) ** 2 + (x - 20) ** 2 < 100).astype("uint8")[None]
    warped, _ = warp_sample(square | {"masks": disk}, turned)
    assert_allclose(warped["boxes"] * 40, [[10, 10, 30, 30]], atol=1.1)


def test_at_the_edge_the_box_is_that_of_the_visible_mask():
    # An L: its foot is shifted out of the image.
    sample = boxes_only((10, 10, 30, 30))
    mask = np.zeros((1, 40, 40), "uint8")
    mask[0, 10:30, 10:14] = mask[0, 26:30, 10:30] = 1
    moved, share = warp_sample(sample | {"masks": mask}, shifted(0, 14))
    assert_allclose(moved["boxes"] * 40, [[24, 10, 40, 14]], atol=1e-5)
    assert_allclose(share, 16 * 4 / 400)
    # Without the mask: the part of the box in the image.
    moved, share = warp_sample(sample, shifted(0, 14))
    assert_allclose(moved["boxes"] * 40, [[24, 10, 44, 30]], atol=1e-5)
    assert_allclose(share, 0.8)


@pytest.mark.parametrize(("threshold", "kept"), [(0.79, 1), (0.81, 0)])
def test_objects_need_a_visible_share(threshold, kept):
    step = RandomPerspective(
        1.0, 0.0, 0.0, (1.0, 1.0), 0.5, 0.0, overlap_thresh=threshold
    )
    # Probability, angle, scale, two shears; then right 0, down 0.35 of 40, no tilt.
    dice = Dice(0.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.85, 0.5, 0.5)
    made = step(boxes_only((10, 10, 30, 30)), dice)
    assert len(made["boxes"]) == kept
    if kept:
        assert_allclose(made["boxes"], [[0.6, 0.25, 1, 0.75]], atol=1e-6)
    assert_array_equal(made["image"][:14], FILL)


def test_an_object_without_a_mask_keeps_its_box_and_an_empty_mask():
    sample = painted(((10, 10, 30, 30), (2, 2, 6, 6)), (40, 40))
    sample["masks"] = sample["masks"] * np.uint8([[[0]], [[1]]])
    warped, _ = warp_sample(sample, shifted(3, 0))
    assert_allclose(warped["boxes"][0] * 40, [10, 13, 30, 33], atol=1e-5)
    assert not warped["masks"][0].any()
    assert warped["masks"][1].sum() == 16


def test_a_warp_after_a_crop_and_before_a_resizer():
    sample = painted(((10, 10, 30, 30),), (40, 60))
    cropped = move_to(sample, Window(5, 5, 30, 40))
    warped, _ = warp_sample(cropped, shifted(4, 2), nearest=True)
    made = FixedShape(60, 80, method="nearest")(warped)
    box = (made["boxes"][0] * [60, 80, 60, 80]).round().astype(int)
    assert_array_equal(box, [14, 18, 54, 58])
    mask = made["masks"][0]
    assert mask.sum() == 40 * 40
    assert mask[14:54, 18:58].all()


def test_masks_are_stored_around_their_object():
    mask = np.zeros((500, 700), "uint8")
    mask[100:120, 200:230] = 1
    patch, extent = warp_mask(mask, about((350, 250), rotated(30)))
    assert patch.pixels.size < 3000
    whole = patch()
    assert whole.shape == mask.shape
    assert abs(int(whole.sum()) - 600) < 30
    assert_array_equal(
        whole, warp_image(mask, about((350, 250), rotated(30)), 0, nearest=True)
    )
    assert (extent[:2] <= patch.box()[:2] + 1).all()


def test_nothing_happens_to_images_without_objects_besides_the_warp():
    step = RandomPerspective(1.0, 20.0, 10.0, (0.5, 0.9), 0.1, 0.3)
    made = step(without_objects(), np.random.default_rng(0))
    assert not len(made["boxes"])
    assert made["masks"].shape == (0, 60, 100)
    assert (made["image"] == FILL).any()


BAD = [
    ({"probability": 2}, "probability must be in 0..1"),
    ({"max_rotation": 200}, "max_rotation must be in 0..180"),
    ({"scale": (0, 1)}, "0 < min_scale"),
    ({"max_perspective": 1.0}, "below 1"),
]


@pytest.mark.parametrize(("settings", "message"), BAD)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RandomPerspective(**settings)
