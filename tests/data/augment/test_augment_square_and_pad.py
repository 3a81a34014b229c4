"""Square images of random scale, and padding."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scene import HEIGHT, WIDTH, Dice, scene

from odapi.data.augment.pad import AbsolutePad
from odapi.data.augment.square import ScaleCropPadToSquare, SquareCropByScale
from odapi.data.image.lazy import rendered


def test_square_crop_by_hand():
    # Scale 1.0 of 0.5, 1.0: side 100; center at row 20, column 40.
    sample = SquareCropByScale(16, 0.5, 1.0, 2)(scene(), Dice(1, 20, 40))
    made = rendered(sample)
    expected = np.zeros((100, 100, 3), "uint8")
    expected[30:90, 10:100] = scene()["image"][:, :90]
    assert_array_equal(made["image"], expected)
    assert_allclose(made["boxes"][0], [0.34, 0.16, 0.5, 0.4], atol=1e-6)
    assert_allclose(made["boxes"][2], [0.4, 0.7, 0.8, 1.0], atol=1e-6)


@pytest.mark.parametrize(
    # 128 for large images; halved until two borders fit.
    ("size", "border"),
    [(1000, 128), (256, 128), (255, 64), (128, 64), (100, 32), (3, 1), (1, 0)],
)
def test_the_center_keeps_its_distance_from_the_edges(size, border):
    rng = np.random.default_rng(0)
    centers = {SquareCropByScale()._center(size, rng) for _ in range(3000)}
    assert min(centers) >= border
    assert max(centers) <= size - border
    if size < 300:
        assert max(centers) - min(centers) >= 0.95 * (size - 2 * border) - 1


def test_the_side_is_one_of_the_scales_of_the_longer_side():
    rng = np.random.default_rng(0)
    crop = SquareCropByScale()
    sides = {crop(scene(), rng)["image"].shape for _ in range(200)}
    # 0.6 to 1.3 in eight steps, of 100.
    assert {side[0] for side in sides} == {60, 70, 80, 90, 100, 110, 120, 130}
    assert all(side[0] == side[1] for side in sides)


def test_scaled_down_picture_lies_at_the_top_left():
    # 0.5 of 100: 30 x 50 of 60 x 100.
    sample = ScaleCropPadToSquare(100, 0.5, 1.5)(scene(), Dice(0.0, 0.3))
    made = rendered(sample)
    assert made["image"].shape == (100, 100, 3)
    assert made["image"][:30, :50].all()
    assert not made["image"][30:].any()
    assert not made["image"][:, 50:].any()
    scale = np.array([0.3, 0.5, 0.3, 0.5])
    assert_allclose(made["boxes"], scene()["boxes"] * scale, atol=1e-6)


def test_scaled_up_picture_is_cropped_at_random():
    # Twice 100: 120 x 200, of which 100 x 100 from row 10, column 50 on:
    # 50 x 50 of 60 x 100, of which row 5 of 0..10 and column 25 of 0..50 were drawn.
    sample = ScaleCropPadToSquare(100, 2.0, 2.0)(
        scene(), Dice(0.7, np.array([0.5, 0.5]))
    )
    made = rendered(sample)
    assert made["image"].shape == (100, 100, 3)
    assert made["image"].all()
    assert made["classes"].tolist() == [0, 2]  # The second ends where this begins.
    assert_allclose(made["boxes"][0], [0.0, 0.0, 0.3, 0.1], atol=1e-6)
    assert np.isnan(made["keypoints"][0, 1]).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: SquareCropByScale(scale_min=0.0),
        lambda: SquareCropByScale(scale_min=2.0),
        lambda: SquareCropByScale(max_border=0),
        lambda: SquareCropByScale(num_scales=0),
        lambda: ScaleCropPadToSquare(0),
        lambda: ScaleCropPadToSquare(8, 2.0, 1.0),
        lambda: AbsolutePad(-1),
        lambda: AbsolutePad(1, 1, (1.0, 2.0)),
    ],
)
def test_settings_that_cannot_be_are_refused(make):
    with pytest.raises(ValueError):
        make()


def test_absolute_padding_by_hand():
    # 4 rows and 10 columns, the image from row 1, column 3 on.
    pad = AbsolutePad(20, 20, (1.0, 2.0, 3.0))
    made = rendered(pad(scene(), Dice(4, 10, 1, 3)))
    assert made["image"].shape == (HEIGHT + 4, WIDTH + 10, 3)
    assert_array_equal(made["image"][1 : HEIGHT + 1, 3 : WIDTH + 3], scene()["image"])
    assert made["image"][0, 0].tolist() == [1, 2, 3]
    unit = np.array([HEIGHT, WIDTH, HEIGHT, WIDTH])
    grown = np.array([HEIGHT + 4, WIDTH + 10, HEIGHT + 4, WIDTH + 10])
    expected = (scene()["boxes"] * unit + np.array([1, 3, 1, 3])) / grown
    assert_allclose(made["boxes"], expected, atol=1e-6)


def test_padding_without_a_color_has_the_mean_of_the_picture():
    image = np.zeros((2, 2, 3), "uint8")
    image[0] = [100, 200, 40]
    sample = {"image": image, "boxes": np.zeros((0, 4), "float32")}
    made = rendered(AbsolutePad(5, 5)(sample, Dice(1, 0, 0)))
    assert made["image"][2, 0].tolist() == [50, 100, 20]


def test_absolute_padding_of_the_original():
    # random_absolute_pad_image with max_height_padding 5 and max_width_padding 4 by the
    # original, on an image of 8 x 8, for the draws of 11, 8 and 2: rows and columns of
    # the result, and the first row of the image. Without columns, none is drawn for it.
    image = np.arange(192, dtype="uint8").reshape(8, 8, 3)
    sample = {"image": image, "boxes": np.float32([[0.0, 0.25, 0.5, 1.0]])}
    made = rendered(AbsolutePad(5, 4, (1.0, 2.0, 3.0))(sample, Dice(3, 0, 2)))
    assert made["image"].shape == (11, 8, 3)
    assert (made["image"][[0, 1, 10]] == [1, 2, 3]).all()
    assert_array_equal(made["image"][2:10], image)
    assert_allclose(made["boxes"], [[2 / 11, 0.25, 6 / 11, 1.0]], atol=1e-6)


def test_absolute_padding_adds_less_than_the_bound():
    rng = np.random.default_rng(0)
    pad = AbsolutePad(3, 5, (0.0,) * 3)
    padded = [rendered(pad(scene(), rng))["image"] for _ in range(300)]
    assert {image.shape[0] - HEIGHT for image in padded} == {0, 1, 2}
    assert {image.shape[1] - WIDTH for image in padded} == {0, 1, 2, 3, 4}
    # The position excludes the last one, too: some of the padding is below.
    assert all(not image[-1].any() for image in padded if image.shape[0] > HEIGHT)


def test_absolute_padding_pads_nothing_by_default():
    rng = np.random.default_rng(0)
    assert {AbsolutePad()(scene(), rng)["image"].shape for _ in range(20)} == {
        (HEIGHT, WIDTH, 3)
    }
