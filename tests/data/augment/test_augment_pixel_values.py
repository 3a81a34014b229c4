"""Steps that change pixel values, against stored results of the original.

Inputs, draws and results are those of `preprocessor_fixed_draws.json`. float32 images
give the original's numbers; uint8 images the same, rounded once per operation.
"""

import numpy as np
import pytest
from original_cases import array, cases, preprocessor_cases, unit_draws
from scene import Dice

from odapi.data.augment.color import AdjustGamma, RgbToGray
from odapi.data.augment.degrade import JpegQuality, line_kernel
from odapi.data.augment.distort import DistortColor
from odapi.data.augment.noise import PatchGaussian, PixelValueScale
from odapi.data.augment.normalize import NormalizeImage, SubtractChannelMean
from odapi.data.augment.patches import BlackPatches, RandomErasing
from odapi.data.image import noise
from odapi.data.image.lazy import LazyImage, rendered
from odapi.data.image.resize import FixedShape
from odapi.data.loader.collate import Collate


def _gray():
    return RgbToGray()


def _random_gray(probability=0.1):
    return RgbToGray(probability)


def _distort(color_ordering=0):
    return DistortColor(color_ordering)


def _normalize(original_minval, original_maxval, target_minval, target_maxval):
    original = (original_minval, original_maxval)
    return NormalizeImage(original, (target_minval, target_maxval))


def _patches(max_black_patches=10, size_to_image_ratio=0.1, probability=0.5):
    return BlackPatches(max_black_patches, probability, size_to_image_ratio)


def _jpeg(min_jpeg_quality=0, max_jpeg_quality=100, random_coef=0.0):
    return JpegQuality(random_coef, (min_jpeg_quality, max_jpeg_quality))


# Step of the original: its builder, and the largest error of uint8 images.
STEPS = {
    "random_distort_color": (_distort, 3.0),
    "adjust_gamma": (AdjustGamma, 0.51),
    "rgb_to_gray": (_gray, 0.51),
    "random_rgb_to_gray": (_random_gray, 0.51),
    "random_black_patches": (_patches, 0.0),
    "random_jpeg_quality": (_jpeg, 0.0),
    "normalize_image": (_normalize, 1e-5),
    "subtract_channel_mean": (SubtractChannelMean, 1e-4),
}


def made(step, image, *draws):
    return rendered(step({"image": image}, Dice(*draws)))["image"]


@pytest.mark.parametrize("name", STEPS)
def test_pixels_of_the_original(shared, name):
    build, tolerance = STEPS[name]
    found = preprocessor_cases(shared, name)
    assert found
    for case in found:
        image, expected = array(case["inputs"]["image"]), array(case["expected"]["out"])
        step, draws = build(**case["options"]), unit_draws(case)
        if image.max() <= 1:
            image, expected = image * 255, expected * 255
        # rgb_to_gray: three equal channels instead of one.
        expected = np.broadcast_to(expected, image.shape)
        np.testing.assert_allclose(made(step, image, *draws), expected, atol=2e-3)
        whole = np.rint(image).astype("uint8")
        assert np.abs(made(step, whole, *draws) - expected).max() <= tolerance


CHAINS = {
    "normalize_image, adjust_gamma": 1,
    "normalize_image, random_distort_color": 3,
    "normalize_image, random_black_patches": 3,
    "random_rgb_to_gray": 3,
    "random_jpeg_quality": 4,
}


@pytest.mark.parametrize("steps", CHAINS)
def test_chains_of_the_original_unit_tests(shared, steps):
    # Of `preprocessor_tests.json`: images of 0..1 go through steps for 0..255.
    function = f"step chain through preprocess: {steps} (preprocessor.preprocess)"
    found = cases(shared, "preprocessor_tests", function)
    assert len(found) == CHAINS[steps]
    for case in found:
        if any("raw" not in draw for draw in case.get("draws", [])):
            continue  # The draws of the case before, repeated.
        image = array(case["inputs"]["tensor_dict"]["image"])[0]
        dice = Dice(*unit_draws(case))
        sample = {"image": image}
        for step in case["options"]["steps"]:
            sample = STEPS[step["step"]][0](**step["options"])(sample, dice)
        expected = array(case["expected"]["image"])[0]
        np.testing.assert_allclose(rendered(sample)["image"], expected, atol=1e-4)


def test_gray_images_stay_gray_in_a_resizer_for_one_channel():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (20, 30, 3)).astype("uint8")
    resizer = FixedShape(20, 30, grayscale=True)
    gray = resizer(RgbToGray()({"image": image}, Dice()))["image"]
    assert gray.shape == (20, 30, 1)
    assert np.abs(gray.astype(int) - resizer({"image": image})["image"]).max() <= 1


def test_distort_color_has_the_ranges_and_orders_of_the_original():
    # Extreme draws, in the order of the stored ones.
    gray = np.full((4, 4, 3), 100, "float32")
    for ordering in (0, 1):
        low = made(DistortColor(ordering), gray, 0, 0, 0, 0)
        np.testing.assert_allclose(low, 68, atol=1e-3)  # Brightness: -32.
    with pytest.raises(ValueError, match="0 or 1"):
        DistortColor(2)


@pytest.mark.parametrize("number", range(4))
def test_patch_of_noise_is_that_of_the_original(shared, number, monkeypatch):
    case = preprocessor_cases(shared, "random_patch_gaussian")[number]
    o = case["options"]
    step = PatchGaussian(
        o.get("random_coef", 0.0),
        (o["min_patch_size"], o["max_patch_size"]),
        (o.get("min_gaussian_stddev", 0.0), o.get("max_gaussian_stddev", 1.0)),
    )
    image, expected = array(case["inputs"]["image"]), array(case["expected"]["out"])
    drawn = array(case["draws"][-1]["value"])
    changed = np.argwhere((image != expected).any(axis=-1))
    rows, columns = (slice(low, high + 1) for low, high in zip(
        changed.min(axis=0), changed.max(axis=0), strict=True))  # fmt: skip
    seen = []

    def noise_of(shape, stddev, rng):
        seen.append((shape, stddev))
        return 255 * drawn[rows, columns]

    monkeypatch.setattr(noise, "gaussian", noise_of)
    coef, size, stddev, y, x = unit_draws(case)
    draws = (coef, size, stddev, y, x)
    assert np.abs(made(step, image, *draws) - expected).max() < 2e-3
    whole = made(step, image.astype("uint8"), *draws)
    assert np.abs(whole - expected).max() <= 0.51
    assert seen[0][0] == (*image[rows, columns].shape[:2], 3)
    assert seen[0][1] == pytest.approx(255 * case["draws"][2]["value"])


def test_noise_is_normal():
    values = noise.gaussian((200, 300, 3), 20.0, np.random.default_rng(0))
    assert abs(values.mean()) < 0.2
    assert abs(values.std() - 20) < 0.2
    # Of a normal distribution, 68.3 and 95.4 % lie within one and two deviations.
    shares = [(np.abs(values) < n * 20).mean() for n in (1, 2)]
    np.testing.assert_allclose(shares, [0.683, 0.954], atol=0.01)
    assert np.abs(values).max() < 60


@pytest.mark.parametrize("number", range(5))
def test_scaled_values_are_those_of_the_original(shared, number):
    case = preprocessor_cases(shared, "random_pixel_value_scale")[number]
    low = case["options"].get("minval", 0.9)
    high = case["options"].get("maxval", 1.1)
    image, expected = array(case["inputs"]["image"]), array(case["expected"]["out"])
    factors = array(case["draws"][0]["value"])
    if image.max() <= 1:
        # In the original, an image of 0..1 may exceed 1: only 0..255 is clipped.
        image, expected = image * 255, np.minimum(expected * 255, 255)
    levels = (factors - low) / (high - low) * 256
    whole = noise.scale_by_levels(
        np.rint(image).astype("uint8"), levels.clip(0, 255).astype("uint8"), low, high
    )
    # Half of a level of the factor, and rounding.
    assert np.abs(whole - expected).max() <= 255 * (high - low) / 512 + 0.51

    class Drawn:
        def random(self, shape, dtype):
            return (factors - low) / (high - low)

    scaled = noise.scale_values(image, low, high, Drawn())
    np.testing.assert_allclose(scaled, expected, atol=2e-2)


def test_scaled_values_have_the_range_of_the_factor():
    image = np.full((60, 80, 3), 200, "uint8")
    values = PixelValueScale()({"image": image}, np.random.default_rng(0))["image"]
    assert (values.min(), values.max()) == (180, 220)
    assert abs(values.mean() - 200) < 0.5


def test_normalized_images_reach_the_batch_as_they_are():
    # An old config: 0..255 to -1..1; the model normalizes these values again.
    image = np.full((6, 8, 3), 51, "uint8")
    sample = {
        "image": image,
        "image_id": "a",
        "boxes": np.zeros((0, 4), "float32"),
        "classes": np.zeros(0, "int32"),
    }
    step = NormalizeImage((0, 255), (-1.0, 1.0))
    padded = LazyImage.of(step(sample, Dice())["image"]).window(0, 0, 9, 8, (7, 7, 7))
    batch = Collate(1)([FixedShape(9, 8)(sample | {"image": padded})])
    assert batch.images.dtype == np.float32
    np.testing.assert_allclose(batch.images[0, :6], -0.6, atol=1e-6)
    np.testing.assert_allclose(batch.images[0, 6:], 7)


def test_colors_before_normalization_stay_clipped_and_those_after_it_clip():
    image = np.full((2, 2, 3), 250, "uint8")
    brighter = AdjustGamma(gain=2.0)({"image": image}, Dice())
    normalized = NormalizeImage((0, 255), (-1.0, 1.0))(brighter, Dice())
    np.testing.assert_allclose(rendered(normalized)["image"], 1.0, atol=1e-6)
    dark = NormalizeImage((0, 255), (-2.0, -1.0))(brighter, Dice())
    assert not rendered(AdjustGamma()(dark, Dice()))["image"].any()


def test_a_step_that_is_drawn_away_renders_nothing():
    lazy = LazyImage.of(np.zeros((4, 4, 3), "uint8"))
    for step in (JpegQuality(1.0), PatchGaussian(1.0), RandomErasing(0.0)):
        assert step({"image": lazy}, Dice(0.5))["image"] is lazy


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (37, 61)])
def test_erased_rectangles_lie_in_the_image_and_have_the_area(size):
    step = RandomErasing(1.0, (0.1, 0.3))
    rng = np.random.default_rng(0)
    for _ in range(200):
        rows, columns = step.draw(*size, rng)
        assert 0 <= rows.start < rows.stop <= size[0]
        assert 0 <= columns.start < columns.stop <= size[1]
        share = (rows.stop - rows.start) * (columns.stop - columns.start)
        share /= size[0] * size[1]
        if min(size) > 30:
            assert 0.08 < share < 0.33


@pytest.mark.parametrize(
    ("angle", "expected"),
    [
        (0.0, [[0, 0, 0], [1, 1, 1], [0, 0, 0]]),
        (np.pi / 2, [[0, 1, 0], [0, 1, 0], [0, 1, 0]]),
        (np.pi / 4, [[0, 0, 1], [0, 1, 0], [1, 0, 0]]),
    ],
)
def test_motion_blur_averages_along_a_line(angle, expected):
    np.testing.assert_allclose(line_kernel(3, angle), np.array(expected) / 3)
