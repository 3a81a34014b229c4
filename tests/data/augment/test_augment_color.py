"""Colors, against the image ops of TensorFlow that the original calls."""

import numpy as np
import pytest
from scene import Dice

from odapi.data.augment.color import (
    AdjustBrightness,
    AdjustContrast,
    AdjustHue,
    AdjustSaturation,
)
from odapi.data.image import color_ops as color
from odapi.data.image.lazy import LazyImage, rendered
from odapi.data.image.resize import FixedShape
from requirement import require


def image(dtype="uint8"):
    """Random colors, and the corners of the cube of colors."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (32, 40, 3)).astype(dtype)
    corners = np.stack(np.meshgrid(*[[0, 128, 255]] * 3), axis=-1).reshape(-1, 3)
    image[0, : len(corners)] = corners
    return image


# Drawn numbers 0..1, and what the original does with the value they stand for.
CASES = {
    "brightness": (AdjustBrightness(0.2), "adjust_brightness", lambda u: 0.4 * u - 0.2),
    "contrast": (AdjustContrast(0.5, 2.0), "adjust_contrast", lambda u: 0.5 + 1.5 * u),
    "hue": (AdjustHue(0.1), "adjust_hue", lambda u: 0.2 * u - 0.1),
    "saturation": (
        AdjustSaturation(0.2, 3.0),
        "adjust_saturation",
        lambda u: 0.2 + 2.8 * u,
    ),
}


@pytest.mark.parametrize("drawn", [0.0, 0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("name", CASES)
def test_each_change_equals_the_original(name, drawn):
    tf = require("tensorflow")
    step, operation, value = CASES[name]
    change = getattr(tf.image, operation)
    scaled = tf.constant(image("float32") / 255)
    expected = np.clip(change(scaled, value(drawn)).numpy() * 255, 0, 255)
    for dtype, tolerance in (("float32", 2e-3), ("uint8", 0.51)):
        made = rendered(step({"image": image(dtype)}, Dice(drawn)))["image"]
        assert made.dtype == dtype
        assert np.abs(made - expected).max() <= tolerance


def test_several_changes_equal_the_original_one_after_the_other():
    tf = require("tensorflow")
    expected = tf.constant(image("float32") / 255)
    sample, exact = {"image": image()}, {"image": image("float32")}
    # CenterNet's order.
    for name, drawn in (
        ("hue", 0.9),
        ("contrast", 0.7),
        ("saturation", 0.4),
        ("brightness", 0.1),
    ):
        step, operation, value = CASES[name]
        expected = getattr(tf.image, operation)(expected, value(drawn))
        expected = tf.clip_by_value(expected, 0, 1)
        sample, exact = step(sample, Dice(drawn)), step(exact, Dice(drawn))
    assert np.abs(rendered(exact)["image"] - expected * 255).max() < 5e-3
    # Rounded to whole numbers after each change, of which contrast doubles errors.
    assert np.abs(rendered(sample)["image"] - expected * 255).max() < 2.5


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.7])
def test_clipping_between_two_changes_is_kept(gain):
    # Brighter beyond 255, then darker again: what was clipped stays clipped.
    image = np.arange(256, dtype="uint8").reshape(1, 256, 1).repeat(3, 2)
    joint = color.brighten(0.4).then(color.Linear(gain, (-50.0,) * 3))
    expected = np.clip(np.clip(image + 102.0, 0, 255) * gain - 50, 0, 255)
    assert np.abs(joint(image) - expected).max() <= 0.5
    assert np.abs(joint(image.astype("float32")) - expected).max() < 1e-4


def test_hue_and_saturation_join_unless_saturation_is_clipped_in_between():
    hue, more = color.HueSaturation(hue=0.1), color.HueSaturation(saturation=2.0)
    less = color.HueSaturation(saturation=0.5)
    assert hue.then(more) == color.HueSaturation(0.1, 2.0)
    assert more.then(hue) == color.HueSaturation(0.1, 2.0)
    assert more.then(less) is None
    assert more.then(color.brighten(0.1)) is None
    assert color.brighten(0.1).then(more) is None


def test_gray_has_no_hue_and_no_saturation():
    gray = np.arange(256, dtype="uint8").reshape(16, 16, 1).repeat(3, 2)
    for change in (color.HueSaturation(0.2, 2.0), color.HueSaturation(0, 3.0)):
        assert np.array_equal(change(gray), gray)


def test_contrast_takes_the_mean_of_what_the_picture_shows_then():
    # Left half 0, right half 200; only the right half is left.
    image = np.zeros((4, 8, 3), "uint8")
    image[:, 4:] = 200
    cropped = LazyImage.of(image).window(0, 4, 4, 4)
    assert cropped.mean().tolist() == [200, 200, 200]
    padded = cropped.window(0, 0, 8, 4)
    assert padded.mean().tolist() == [100, 100, 100]
    sample = AdjustContrast(2.0, 2.0)({"image": padded}, Dice(0.5))
    assert sample["image"].layers[0].color == (0.0, 0.0, 0.0)  # 100 - 2 * 100, clipped
    assert rendered(sample)["image"][:, 0, 0].tolist() == [255] * 4 + [0] * 4


def test_the_mean_of_changed_colors_is_that_of_the_changed_picture():
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    lazy = LazyImage.of(image).recolor(color.brighten(0.3))
    exact = np.clip(image + 0.3 * 255, 0, 255).mean(axis=(0, 1))
    assert np.abs(lazy.mean() - exact).max() < 2.0  # A sample of pixels.


@pytest.mark.parametrize("size", [(16, 20), (100, 100)])
def test_colors_join_the_resizing_whichever_comes_first(size):
    sample = AdjustBrightness(0.2)({"image": image()}, Dice(1.0))
    joint = FixedShape(*size)(sample)["image"].astype(int)
    single, _ = FixedShape(*size).resize(rendered(sample)["image"])
    # Equal where nothing was clipped; there, the order matters.
    dark = FixedShape(*size).resize(image())[0].max(axis=-1) < 150
    assert np.abs(joint - single)[dark].max() <= 60
    assert np.median(np.abs(joint - single)) <= 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: AdjustBrightness(-0.1),
        lambda: AdjustHue(0.7),
        lambda: AdjustContrast(-1.0, 1.0),
        lambda: AdjustSaturation(2.0, 1.0),
    ],
)
def test_settings_that_cannot_be_are_refused(make):
    with pytest.raises(ValueError):
        make()


def test_masks_and_boxes_stay_as_they_are():
    sample = {
        "image": image(),
        "boxes": np.float32([[0, 0, 1, 1]]),
        "masks": np.ones((1, 32, 40), "uint8"),
    }
    for step, _, _ in CASES.values():
        made = step(sample, Dice(0.5))
        assert made["boxes"] is sample["boxes"]
        assert made["masks"] is sample["masks"]
