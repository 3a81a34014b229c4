"""Augmentations and resizers, from the config."""

import numpy as np
import pytest
from google.protobuf import text_format

from odapi.build.augment import build_augmentations, check_keypoints
from odapi.build.resizer import build_resizer, model_resizer
from odapi.config.protos import image_resizer_pb2, pipeline_pb2, train_pb2
from odapi.data.augment.autoaugment.augment import AutoAugment
from odapi.data.augment.chain import augment
from odapi.data.augment.color import (
    AdjustBrightness,
    AdjustContrast,
    AdjustGamma,
    AdjustHue,
    AdjustSaturation,
    RgbToGray,
)
from odapi.data.augment.crop import CropImage, SsdRandomCrop
from odapi.data.augment.degrade import JpegQuality
from odapi.data.augment.distort import DistortColor
from odapi.data.augment.flip import HorizontalFlip
from odapi.data.augment.noise import PatchGaussian, PixelValueScale
from odapi.data.augment.normalize import NormalizeImage, SubtractChannelMean
from odapi.data.augment.pad import AbsolutePad
from odapi.data.augment.patches import BlackPatches
from odapi.data.augment.square import ScaleCropPadToSquare, SquareCropByScale
from odapi.data.image.resize import (
    ConditionalShape,
    FixedShape,
    Identity,
    KeepAspectRatio,
    PadToMultiple,
)
from odapi.errors import ConfigError


def steps_of(*texts):
    config = train_pb2.TrainConfig()
    for text in texts:
        text_format.Parse(text, config.data_augmentation_options.add())
    return config.data_augmentation_options


# Defaults are those of the schema and, where it has none, of the original's code.
STEPS = [
    ("random_horizontal_flip {}", HorizontalFlip(0.5)),
    (
        "random_horizontal_flip { probability: 0.0 keypoint_flip_permutation: [1, 0] }",
        HorizontalFlip(0.0, (1, 0)),
    ),
    ("random_crop_image {}", CropImage(1.0, (0.75, 1.33), (0.1, 1.0), 0.3, True, 0.0)),
    (
        "random_crop_image { min_object_covered: 0.0 min_aspect_ratio: 0.75 "
        "max_aspect_ratio: 3.0 min_area: 0.75 max_area: 1.0 overlap_thresh: 0.0 "
        "clip_boxes: false random_coef: 0.5 }",
        CropImage(0.0, (0.75, 3.0), (0.75, 1.0), 0.0, False, 0.5),
    ),
    ("ssd_random_crop {}", SsdRandomCrop()),
    (
        "ssd_random_crop { operations { min_aspect_ratio: 0.5 max_aspect_ratio: 2.0 "
        "max_area: 1.0 } operations { min_object_covered: 0.3 min_aspect_ratio: 1.0 "
        "max_aspect_ratio: 1.0 min_area: 0.2 max_area: 0.9 overlap_thresh: 0.1 "
        "random_coef: 0.15 } }",
        SsdRandomCrop(
            (
                CropImage(0.0, (0.5, 2.0), (0.0, 1.0), 0.0, True, 0.0),
                CropImage(0.3, (1.0, 1.0), (0.2, 0.9), 0.1, True, 0.15),
            )
        ),
    ),
    ("random_square_crop_by_scale {}", SquareCropByScale(128, 0.6, 1.3, 8)),
    ("random_scale_crop_and_pad_to_square {}", ScaleCropPadToSquare(512, 0.1, 2.0)),
    ("random_absolute_pad_image {}", AbsolutePad(1, 1, ())),
    (
        "random_absolute_pad_image { max_height_padding: 200 max_width_padding: 100 "
        "pad_color: [0, 0, 0] }",
        AbsolutePad(200, 100, (0.0, 0.0, 0.0)),
    ),
    ("random_adjust_hue {}", AdjustHue(0.02)),
    ("random_adjust_saturation {}", AdjustSaturation(0.8, 1.25)),
    ("random_adjust_contrast { max_delta: 1.5 }", AdjustContrast(0.8, 1.5)),
    ("random_adjust_brightness { max_delta: 0.3 }", AdjustBrightness(0.3)),
    ("autoaugment_image {}", AutoAugment("v0")),
    ("random_distort_color {}", DistortColor(0)),
    ("random_distort_color { color_ordering: 1 }", DistortColor(1)),
    ("adjust_gamma { gamma: 0.5 }", AdjustGamma(0.5, 1.0)),
    ("rgb_to_gray {}", RgbToGray(1.0)),
    ("random_rgb_to_gray {}", RgbToGray(0.1)),
    (
        "normalize_image { original_maxval: 255 }",
        NormalizeImage((0.0, 255.0), (0.0, 1.0)),
    ),
    ("subtract_channel_mean {}", SubtractChannelMean()),
    ("subtract_channel_mean { means: [1, 2, 3] }", SubtractChannelMean((1, 2, 3))),
    ("random_pixel_value_scale {}", PixelValueScale(0.9, 1.1)),
    ("random_black_patches {}", BlackPatches(10, 0.5, 0.1)),
    ("random_jpeg_quality {}", JpegQuality(0.0, (0, 100))),
    ("random_patch_gaussian {}", PatchGaussian(0.0, (1, 250), (0.0, 1.0))),
]


@pytest.mark.parametrize(("text", "expected"), STEPS)
def test_a_step_becomes_its_augmentation(text, expected):
    assert build_augmentations(steps_of(text)) == (expected,)


def test_steps_keep_their_order():
    built = build_augmentations(steps_of(STEPS[5][0], STEPS[0][0], STEPS[10][0]))
    assert built == (STEPS[5][1], STEPS[0][1], STEPS[10][1])


BAD = [
    ("", r"\[0\]: is empty"),
    (
        "autoaugment_image { policy_name: 'v4' }",
        r"autoaugment_image\.policy_name: unknown policy 'v4'; known are v0, v1",
    ),
    (
        "random_distort_color { color_ordering: 2 }",
        r"\[0\]\.random_distort_color\.color_ordering: is 2",
    ),
    (
        "random_absolute_pad_image { pad_color: 3 }",
        r"\[0\]\.random_absolute_pad_image\.pad_color: has 1 value",
    ),
    (
        "ssd_random_crop { operations { max_area: 1.0 } }",
        r"ssd_random_crop\.operations\[0\]\.min_aspect_ratio: is missing",
    ),
    (
        "random_horizontal_flip { probability: 2 }",
        r"random_horizontal_flip\.probability: is 2; allowed is 0 to 1",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_step_that_cannot_be_built_is_named(text, message):
    with pytest.raises(ConfigError, match=message):
        build_augmentations(steps_of(text))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("random_horizontal_flip {}", 0),
        ("random_horizontal_flip {}", 1),
        ("random_horizontal_flip { keypoint_flip_permutation: [1, 0] }", 2),
        ("random_horizontal_flip { probability: 0 }", 2),
        ("random_adjust_hue {}", 5),
    ],
)
def test_flips_that_know_the_keypoints_pass(text, number):
    (step,) = build_augmentations(steps_of(text))
    check_keypoints({"a.path": step}, number)


@pytest.mark.parametrize("permutation", ["", "keypoint_flip_permutation: [1, 0]"])
def test_a_flip_that_does_not_know_the_keypoints_is_refused(permutation):
    steps = steps_of(f"random_horizontal_flip {{ {permutation} }}")
    (step,) = build_augmentations(steps)
    with pytest.raises(ConfigError, match="objects have 3 keypoints") as error:
        check_keypoints({"a.path": step}, 3)
    field = "random_horizontal_flip.keypoint_flip_permutation"
    assert error.value.place == f"a.path.{field}"


RESIZERS = [
    ("fixed_shape_resizer {}", FixedShape(300, 300)),
    (
        "fixed_shape_resizer { height: 4 width: 5 resize_method: AREA "
        "convert_to_grayscale: true }",
        FixedShape(4, 5, method="area", grayscale=True),
    ),
    ("keep_aspect_ratio_resizer {}", KeepAspectRatio(600, 1024)),
    (
        "keep_aspect_ratio_resizer { min_dimension: 8 max_dimension: 9 "
        "resize_method: BICUBIC pad_to_max_dimension: true "
        "per_channel_pad_value: [123.68, 116.779, 103.939] }",
        KeepAspectRatio(
            8,
            9,
            pad_to_max=True,
            pad_value=(123.68, 116.779, 103.939),
            method="bicubic",
        ),
    ),
    ("identity_resizer {}", Identity()),
    ("conditional_shape_resizer {}", ConditionalShape("greater", 300)),
    (
        "conditional_shape_resizer { condition: SMALLER size_threshold: 7 "
        "resize_method: NEAREST_NEIGHBOR }",
        ConditionalShape("smaller", 7, method="nearest"),
    ),
    ("pad_to_multiple_resizer { multiple: 32 }", PadToMultiple(32)),
]


@pytest.mark.parametrize(("text", "expected"), RESIZERS)
def test_a_message_becomes_its_resizer(text, expected):
    message = text_format.Parse(text, image_resizer_pb2.ImageResizer())
    assert build_resizer(message) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "image_resizer: is empty"),
        ("fixed_shape_resizer { height: -3 }", "height: is -3; allowed is 1"),
        ("conditional_shape_resizer { condition: INVALID }", "set GREATER or"),
        (
            "keep_aspect_ratio_resizer { min_dimension: 9 max_dimension: 8 }",
            "above max_dimension 8",
        ),
    ],
)
def test_a_resizer_that_cannot_be_built_is_named(text, message):
    with pytest.raises(ConfigError, match=message):
        build_resizer(text_format.Parse(text, image_resizer_pb2.ImageResizer()))


def test_a_config_without_a_model_has_no_resizer():
    with pytest.raises(ConfigError, match="model: is empty"):
        model_resizer(pipeline_pb2.TrainEvalPipelineConfig())


def test_every_zoo_config_gets_its_resizer(shared):
    paths = sorted((shared / "configs" / "tf2").glob("*.config"))
    assert paths
    for path in paths:
        config = pipeline_pb2.TrainEvalPipelineConfig()
        text_format.Parse(path.read_text(), config)
        model = config.model.WhichOneof("model")
        if getattr(config.model, model).image_resizer.WhichOneof("image_resizer_oneof"):
            assert model_resizer(config)


def test_the_augmentations_of_every_real_config_run(shared):
    image = np.full((64, 96, 3), 100, np.uint8)
    sample = {
        "image": image,
        "image_id": "a",
        "boxes": np.float32([[0.1, 0.2, 0.6, 0.7]]),
        "classes": np.int32([0]),
    }
    paths = sorted((shared / "configs").rglob("*.config"))
    assert len(paths) > 80
    for path in paths:
        config = pipeline_pb2.TrainEvalPipelineConfig()
        text_format.Parse(path.read_text(), config)
        steps = config.train_config.data_augmentation_options
        augmentations = build_augmentations(steps)
        assert len(augmentations) == len(steps) > 0, path.name
        made = augment(sample, np.random.default_rng(0), augmentations)
        made = FixedShape(32, 32)(made)
        assert made["image"].shape == (32, 32, 3), path.name
        assert len(made["classes"]) == len(made["boxes"]) <= 1, path.name
