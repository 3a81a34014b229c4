"""Boxes, masks and keypoints follow the pixels, in each augmentation and any chain."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scene import COLORS, HEIGHT, WIDTH, scene

from odapi.data.augment import transforms
from odapi.data.augment.color import AdjustBrightness
from odapi.data.augment.crop import CropImage, SsdRandomCrop
from odapi.data.augment.flip import HorizontalFlip
from odapi.data.augment.pad import AbsolutePad
from odapi.data.augment.square import ScaleCropPadToSquare, SquareCropByScale
from odapi.data.augment.transforms import Window, covered_share, drop_outside, move_to
from odapi.data.image.lazy import rendered
from odapi.data.image.resize import FixedShape, Identity, KeepAspectRatio

STEPS = {
    "flip": HorizontalFlip(1.0),
    "crop": CropImage(0.5, (0.5, 2.0), (0.2, 1.0), 0.1),
    "ssd": SsdRandomCrop(),
    "square": SquareCropByScale(),
    "scale": ScaleCropPadToSquare(80, 0.5, 2.0),
    "pad": AbsolutePad(15, 30, (0.0, 0.0, 0.0)),
    "gray pad": AbsolutePad(15, 30, (10.0, 10.0, 10.0)),
}
CHAINS = [
    *([name] for name in STEPS),
    ["flip", "square"],
    ["flip", "scale"],
    ["ssd", "flip"],
    ["crop", "pad", "flip"],
    ["pad", "crop", "gray pad"],
    ["pad", "gray pad", "flip", "ssd"],
    ["scale", "crop", "flip"],
    ["square", "scale", "pad"],
    ["flip", "gray pad", "crop", "flip", "pad", "scale", "flip", "square"],
]
RESIZERS = [
    Identity(method="nearest"),
    FixedShape(70, 50, method="nearest"),
    KeepAspectRatio(64, 96, method="nearest", pad_to_max=True),
]


def check_that_annotations_fit_the_pixels(sample, tolerance):
    height, width = sample["image"].shape[:2]
    unit = np.array([height, width, height, width])
    for i, color in enumerate(np.array(COLORS)[sample["classes"]]):
        mask = sample["masks"][i].astype(bool)
        # Where the mask is, there is the object's color, and nowhere else.
        assert_array_equal(mask, sample["image"][..., 0] == color)
        if not mask.any():
            continue  # A sliver thinner than a pixel.
        rows, columns = np.nonzero(mask)
        edges = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        assert_allclose(sample["boxes"][i] * unit, edges, atol=tolerance)
        center = sample["keypoints"][i, 0]
        if np.isfinite(center).all():
            row, column = np.minimum((center * unit[:2]).astype(int), unit[:2] - 1)
            assert sample["image"][row, column, 0] == color


@pytest.mark.parametrize("resizer", RESIZERS, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("names", CHAINS, ids="-".join)
def test_annotations_follow_the_pixels(names, resizer):
    kept = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        sample = scene()
        for name in names:
            sample = STEPS[name](sample, rng)
            assert ((sample["boxes"] >= 0) & (sample["boxes"] <= 1)).all()
        sample = resizer(sample)
        kept += len(sample["boxes"])
        # Rounding to pixels, once a change, and more where pixels became larger.
        check_that_annotations_fit_the_pixels(sample, tolerance=4.0)
    assert kept > 4


def test_a_chain_of_crops_flips_and_pads_equals_numpy_to_the_pixel():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    sample = {"image": image}
    sample = transforms.flip(move_to(sample, Window(2, 3, 15, 20)))
    sample = move_to(sample, Window(-3, -4, 22, 30), (7, 8, 9))
    sample = transforms.flip(move_to(sample, Window(1, 1, 20, 28)))
    expected = np.tile(np.uint8([7, 8, 9]), (22, 30, 1))
    expected[3:18, 4:24] = image[2:17, 3:23][:, ::-1]
    assert_array_equal(rendered(sample)["image"], expected[1:21, 1:29][:, ::-1])


@pytest.mark.parametrize("flipped", [False, True])
def test_crop_flip_and_resize_in_one_warp_equals_one_after_the_other(flipped):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    sample = move_to({"image": image}, Window(5, 6, 30, 37))
    step_by_step = image[5:35, 6:43]
    if flipped:
        sample = transforms.flip(sample)
        step_by_step = step_by_step[:, ::-1]
    for size in ((64, 64), (16, 20)):
        joint = FixedShape(*size)(sample)["image"]
        single, _ = FixedShape(*size).resize(np.ascontiguousarray(step_by_step))
        # Halves may be rounded the other way when read from the other side.
        assert_allclose(joint.astype(int), single, atol=int(flipped))


def test_what_was_cropped_away_never_shows_at_the_edges():
    image = np.full((20, 20, 3), 255, "uint8")
    image[5:10, 5:10] = 0
    sample = move_to({"image": image}, Window(5, 5, 5, 5))
    assert not FixedShape(64, 64)(sample)["image"].any()
    sample = move_to(transforms.flip(sample), Window(-5, -5, 15, 15))
    assert not FixedShape(64, 64)(sample)["image"].any()


def test_padding_of_two_colors_keeps_both():
    sample = {"image": np.full((2, 2, 3), 50, "uint8"), "masks": np.ones((1, 2, 2))}
    sample = move_to(sample, Window(-1, 0, 3, 2), (1, 1, 1))
    sample = rendered(move_to(sample, Window(0, 0, 4, 2), (2, 2, 2)))
    assert sample["image"][:, 0, 0].tolist() == [1, 50, 50, 2]
    assert sample["masks"][0, :, 0].tolist() == [0, 1, 1, 0]


def test_colors_change_padding_that_was_there_but_not_later_padding():
    class Half:
        def uniform(self, low, high):
            return 0.1  # 25.5 of 255

    sample = move_to({"image": np.full((2, 2, 3), 100, "uint8")}, Window(0, 0, 3, 2))
    sample = AdjustBrightness()(sample, Half())
    sample = rendered(move_to(sample, Window(0, 0, 4, 2)))
    assert sample["image"][:, 0, 0].tolist() == [126, 126, 26, 0]


def test_a_window_beside_the_picture_shows_only_padding():
    sample = move_to(scene(), Window(HEIGHT, WIDTH, 10, 10), (9, 9, 9))
    sample = FixedShape(5, 5)(drop_outside(sample))
    assert (sample["image"] == 9).all()
    assert sample["boxes"].shape == (0, 4)
    assert sample["masks"].shape == (0, 5, 5)


def test_drop_outside_without_clipping_leaves_boxes_and_keypoints():
    sample = move_to(scene(), Window(0, 0, 10, 10))
    left = drop_outside(sample, clip=False)
    assert left["classes"].tolist() == [0]
    assert left["boxes"][0, 2] > 1
    assert np.isfinite(left["keypoints"]).all()
    clipped = drop_outside(sample)
    assert_allclose(clipped["boxes"], [[0.4, 0.6, 1, 1]], atol=1e-6)
    assert np.isnan(clipped["keypoints"][0, 0]).all()
    assert clipped["keypoint_visibility"].tolist() == [[0, 2]]
    assert clipped["weights"].tolist() == [1.0]


# By hand.
SHARES = [
    ([0, 0, 2, 2], [1, 1, 5, 5], 0.25),
    ([0, 0, 2, 2], [0, 0, 2, 2], 1.0),
    ([0, 0, 2, 2], [2, 0, 4, 4], 0.0),
    ([3, 3, 4, 4], [0, 0, 5, 5], 1.0),
    ([1, 1, 1, 4], [0, 0, 5, 5], np.nan),
]


@pytest.mark.parametrize(("box", "window", "share"), SHARES)
def test_covered_share_of_a_box(box, window, share):
    found = covered_share(np.array([box], float), np.array(window, float))
    assert_allclose(found, [share])


def test_an_image_without_objects_passes_through_every_augmentation():
    empty = scene()
    none = np.zeros(3, bool)
    for key in ("boxes", "classes", "masks", "keypoints", "keypoint_visibility"):
        empty[key] = empty[key][none]
    empty["weights"] = empty["weights"][none]
    for step in STEPS.values():
        for seed in range(5):
            made = FixedShape(8, 8)(step(empty, np.random.default_rng(seed)))
            assert made["boxes"].shape == (0, 4)
            assert made["masks"].shape == (0, 8, 8)
            assert made["keypoints"].shape == (0, 2, 2)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 3)])
def test_tiny_pictures_survive_every_augmentation(size):
    sample = {
        "image": np.full((*size, 3), 100, "uint8"),
        "boxes": np.float32([[0, 0, 1, 1]]),
        "classes": np.int32([0]),
    }
    for step in STEPS.values():
        for seed in range(10):
            made = FixedShape(8, 8)(step(sample, np.random.default_rng(seed)))
            assert made["image"].shape == (8, 8, 3)
