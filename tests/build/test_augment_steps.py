"""Every augmentation step of the config language is built, whatever it sets."""

import json

import pytest
from google.protobuf import text_format

from odapi.build.augment import build_step
from odapi.config.protos import preprocessor_pb2
from odapi.config.rules import support
from odapi.data.augment.crop import CropImage, CropToAspectRatio, SsdRandomCrop
from odapi.data.augment.crop_pad import (
    CropPadImage,
    SsdRandomCropFixedAspectRatio,
    SsdRandomCropPad,
    SsdRandomCropPadFixedAspectRatio,
)
from odapi.data.augment.jitter import JitterBoxes
from odapi.data.augment.labels import (
    DropLabel,
    NormalizedBoxes,
    RemapLabels,
    SoftmaxScores,
)
from odapi.data.augment.pad import PadImage, PadToAspectRatio
from odapi.data.augment.resize import (
    DownscaleToPixels,
    ImageScale,
    Resize,
    ResizeByRandomMethod,
)
from odapi.data.augment.self_concat import SelfConcat
from odapi.data.image.resize import FixedShape
from odapi.errors import ConfigError

_CROP = (
    "min_object_covered: 0.2 min_aspect_ratio: 0.6 max_aspect_ratio: 1.7 min_area: 0.3 "
    "max_area: 0.9 overlap_thresh: 0.4 clip_boxes: false random_coef: 0.1 "
)
_SQUARE = (
    "min_object_covered: 0.2 min_area: 0.3 max_area: 0.9 overlap_thresh: 0.4 "
    "clip_boxes: false random_coef: 0.1 "
)
_CROPPED = CropImage(0.2, (0.6, 1.7), (0.3, 0.9), 0.4, False, 0.1)
_RATIOS = "min_padded_size_ratio: [1.1, 1.2] max_padded_size_ratio: [1.5, 1.6] "

# Steps with every field set, and what they become; None: other tests have the values.
FULL = {
    "random_image_scale": (
        "min_scale_ratio: 0.7 max_scale_ratio: 1.5",
        ImageScale(0.7, 1.5),
    ),
    "random_jitter_boxes": (
        "ratio: 0.1 jitter_mode: EXPAND_SYMMETRIC_XY",
        JitterBoxes(0.1, "expand_symmetric_xy"),
    ),
    "random_pad_image": (
        "min_image_height: 20 min_image_width: 30 max_image_height: 40 "
        "max_image_width: 50 pad_color: [1, 2, 3]",
        PadImage((20, 30), (40, 50), (1.0, 2.0, 3.0)),
    ),
    "random_crop_pad_image": (
        _CROP + _RATIOS + "pad_color: [1, 2, 3]",
        CropPadImage(_CROPPED, (1.1, 1.2), (1.5, 1.6), (1.0, 2.0, 3.0)),
    ),
    "random_crop_to_aspect_ratio": (
        "aspect_ratio: 0.85 overlap_thresh: 0.35 clip_boxes: false",
        CropToAspectRatio(0.85, 0.35, False),
    ),
    "ssd_random_crop": (f"operations {{ {_CROP} }}", SsdRandomCrop((_CROPPED,))),
    "ssd_random_crop_pad": (
        f"operations {{ {_CROP} {_RATIOS} pad_color_r: 4 pad_color_g: 5 "
        "pad_color_b: 6 }",
        SsdRandomCropPad(
            (CropPadImage(_CROPPED, (1.1, 1.2), (1.5, 1.6), (4.0, 5.0, 6.0)),)
        ),
    ),
    "ssd_random_crop_fixed_aspect_ratio": (
        f"operations {{ {_SQUARE} }} aspect_ratio: 0.875",
        SsdRandomCropFixedAspectRatio(
            (CropImage(0.2, (0.75, 1.33), (0.3, 0.9), 0.4, False, 0.1),), 0.875
        ),
    ),
    "ssd_random_crop_pad_fixed_aspect_ratio": (
        f"operations {{ {_CROP} }} aspect_ratio: 0.875 {_RATIOS}",
        SsdRandomCropPadFixedAspectRatio(
            SsdRandomCrop((_CROPPED,)), PadToAspectRatio(0.875, (1.1, 1.2), (1.5, 1.6))
        ),
    ),
    "random_resize_method": (
        "target_height: 75 target_width: 100",
        ResizeByRandomMethod(75, 100),
    ),
    "resize_image": (
        "new_height: 75 new_width: 100 method: BICUBIC",
        Resize(FixedShape(75, 100, method="bicubic")),
    ),
    "random_downscale_to_target_pixels": (
        "random_coef: 0.5 min_target_pixels: 200 max_target_pixels: 900",
        DownscaleToPixels(200, 900, 0.5),
    ),
    "scale_boxes_to_pixel_coordinates": ("", NormalizedBoxes()),
    "random_self_concat_image": (
        "concat_vertical_probability: 0.5 concat_horizontal_probability: 0.25",
        SelfConcat(0.5, 0.25),
    ),
    # Ids count from 1.
    "drop_label_probabilistically": (
        "label: 2 drop_probability: 0.5",
        DropLabel(1, 0.5),
    ),
    "remap_labels": ("original_labels: [1, 2] new_label: 3", RemapLabels((0, 1), 2)),
    "convert_class_logits_to_softmax": ("temperature: 2", SoftmaxScores(2.0)),
    "normalize_image": (
        "original_minval: 0 original_maxval: 255 target_minval: -1 target_maxval: 1",
        None,
    ),
    "random_horizontal_flip": (
        "keypoint_flip_permutation: [1, 0] probability: 0.3",
        None,
    ),
    "random_vertical_flip": ("keypoint_flip_permutation: 0 probability: 0.3", None),
    "random_rotation90": ("keypoint_rot_permutation: 0 probability: 0.3", None),
    "random_pixel_value_scale": ("minval: 0.8 maxval: 1.2", None),
    "random_rgb_to_gray": ("probability: 0.2", None),
    "random_adjust_brightness": ("max_delta: 0.3", None),
    "random_adjust_contrast": ("min_delta: 0.5 max_delta: 1.5", None),
    "random_adjust_hue": ("max_delta: 0.1", None),
    "random_adjust_saturation": ("min_delta: 0.5 max_delta: 1.5", None),
    "random_distort_color": ("color_ordering: 1", None),
    "random_crop_image": (_CROP, _CROPPED),
    "random_absolute_pad_image": (
        "max_height_padding: 5 max_width_padding: 6 pad_color: [1, 2, 3]",
        None,
    ),
    "random_black_patches": (
        "max_black_patches: 3 probability: 0.4 size_to_image_ratio: 0.2",
        None,
    ),
    "subtract_channel_mean": ("means: [1, 2, 3]", None),
    "rgb_to_gray": ("", None),
    "autoaugment_image": ('policy_name: "v1"', None),
    "random_jpeg_quality": (
        "random_coef: 0.5 min_jpeg_quality: 10 max_jpeg_quality: 90",
        None,
    ),
    "random_patch_gaussian": (
        "random_coef: 0.5 min_patch_size: 2 max_patch_size: 9 "
        "min_gaussian_stddev: 0.1 max_gaussian_stddev: 0.5",
        None,
    ),
    "random_square_crop_by_scale": (
        "max_border: 9 scale_min: 0.5 scale_max: 1.5 num_scales: 3",
        None,
    ),
    "random_scale_crop_and_pad_to_square": (
        "output_size: 64 scale_min: 0.5 scale_max: 1.5",
        None,
    ),
    "adjust_gamma": ("gamma: 0.5 gain: 1.1", None),
}
# Fields without a usable default.
NEEDED = {
    "normalize_image": "original_maxval: 255",
    "random_resize_method": "target_height: 75 target_width: 100",
    "resize_image": "new_height: 75 new_width: 100",
    "drop_label_probabilistically": "label: 1",
    "remap_labels": "new_label: 1",
}
# Defaults of the original's schema, or else of its code.
DEFAULT = {
    "random_image_scale": ImageScale(0.5, 2.0),
    "random_jitter_boxes": JitterBoxes(0.05, "default"),
    "random_pad_image": PadImage(None, None, ()),
    "random_crop_pad_image": CropPadImage(
        CropImage(1.0, (0.75, 1.33), (0.1, 1.0), 0.3, True, 0.0), (1, 1), (2, 2), ()
    ),
    "random_crop_to_aspect_ratio": CropToAspectRatio(1.0, 0.3, True),
    "ssd_random_crop_pad": SsdRandomCropPad(
        tuple(
            CropPadImage(CropImage(s, (0.5, 2.0), (0.1, 1.0), s, True, 0.15))
            for s in (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
        )
    ),
    "ssd_random_crop_fixed_aspect_ratio": SsdRandomCropFixedAspectRatio((), 1.0),
    "ssd_random_crop_pad_fixed_aspect_ratio": SsdRandomCropPadFixedAspectRatio(
        SsdRandomCrop(), PadToAspectRatio(1.0, (1, 1), (2, 2))
    ),
    "resize_image": Resize(FixedShape(75, 100, method="bilinear")),
    # Its code has 800000, which the 500000 of the schema do not replace.
    "random_downscale_to_target_pixels": DownscaleToPixels(300_000, 800_000, 0.0),
    "random_self_concat_image": SelfConcat(0.1, 0.1),
    "drop_label_probabilistically": DropLabel(0, 1.0),
    "remap_labels": RemapLabels((), 0),
    "convert_class_logits_to_softmax": SoftmaxScores(1.0),
}


def step_of(name, text):
    step = preprocessor_pb2.PreprocessingStep()
    return text_format.Parse(f"{name} {{ {text} }}", step)


def built(name, text):
    return build_step(step_of(name, text), "here")


def names():
    fields = preprocessor_pb2.PreprocessingStep.DESCRIPTOR.fields
    rows = ((f.name, support.ROWS.get(f"PreprocessingStep.{f.name}")) for f in fields)
    return [name for name, row in rows if row is None or not row.refused]


def test_the_table_has_all_steps_of_the_language():
    fields = preprocessor_pb2.PreprocessingStep.DESCRIPTOR.fields
    assert len(fields) == 39
    assert FULL.keys() == {field.name for field in fields}


@pytest.mark.parametrize("name", names())
def test_a_step_with_defaults(name):
    step = built(name, NEEDED.get(name, ""))
    assert step == DEFAULT.get(name, step)


@pytest.mark.parametrize("name", names())
def test_a_step_with_every_field_set(name):
    text, expected = FULL[name]
    _check_that_all_fields_are_set(getattr(step_of(name, text), name))
    step = built(name, text)
    assert expected is None or step == expected


def _check_that_all_fields_are_set(message):
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.is_repeated:
            assert len(value), field.name
            if field.message_type:
                _check_that_all_fields_are_set(value[0])
        else:
            assert message.HasField(field.name), field.name


# Configs that the original builds, and whose steps then fail or do nothing.
USELESS = {
    "normalize_image { }",
    "random_resize_method { }",
    "resize_image { }",
    "drop_label_probabilistically { }",
    "remap_labels { }",
    "random_pad_image { pad_color: 1 }",
    "ssd_random_crop_pad { operations { min_object_covered: 0.1 } }",
    "ssd_random_crop_pad { operations { min_padded_size_ratio: [1.0,1.0] "
    "max_padded_size_ratio: [2.0,2.0] pad_color_r: 0.5 } operations { "
    "min_padded_size_ratio: [1.0,1.0] max_padded_size_ratio: [3.0,3.0]}}",
    "ssd_random_crop_fixed_aspect_ratio { operations { min_object_covered: 0.3 } "
    "aspect_ratio: 2.0}",
    "ssd_random_crop_pad_fixed_aspect_ratio { operations { min_object_covered: 0.3 } "
    "aspect_ratio: 2.0 min_padded_size_ratio: [1.0,1.0] "
    "max_padded_size_ratio: [2.0,2.0]}",
}


def test_steps_that_the_original_builds(shared):
    path = shared / "original_tests" / "preprocessor_builder.json"
    count = 0
    for case in json.loads(path.read_text())["cases"]:
        inputs = case["inputs"].get("preprocessor_step_config", case["inputs"])
        text = inputs.get("config_text")
        if text is None:
            continue
        count += 1
        step = text_format.Parse(text, preprocessor_pb2.PreprocessingStep())
        refused = "raises" in case["expected"] or " ".join(text.split()) in USELESS
        if refused:
            with pytest.raises(ConfigError):
                build_step(step, "here")
        else:
            build_step(step, "here")
    assert count > 90


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("random_pad_image", "min_image_height: 9", "min_image_height: needs min_ima"),
        ("random_pad_image", "pad_color: 1", "pad_color: has 1 value; give red, green"),
        (
            "random_crop_pad_image",
            "min_padded_size_ratio: 0.5",
            "min_padded_size_ratio: has 1 value; give two, of height and width, or",
        ),
        (
            "ssd_random_crop_pad",
            "operations { min_aspect_ratio: 1 max_aspect_ratio: 1 max_area: 1 }",
            r"operations\[0\].min_padded_size_ratio: has 0 values; give two",
        ),
        (
            "ssd_random_crop_fixed_aspect_ratio",
            "operations { min_object_covered: 0.3 }",
            r"operations\[0\].max_area: is missing",
        ),
        ("resize_image", "new_height: 3", "new_width: is missing"),
        ("resize_image", "new_height: 0 new_width: 3", "new_height: is 0; allowed is"),
        ("random_resize_method", "", "target_height: is missing"),
        ("drop_label_probabilistically", "", "label: is missing"),
        ("drop_label_probabilistically", "label: 0", "label: is 0; allowed is 1 or"),
        ("remap_labels", "original_labels: [1]", "new_label: is missing"),
        ("random_jitter_boxes", "ratio: 2", "at most 1 unless boxes expand, got 2"),
        (
            "random_image_scale",
            "min_scale_ratio: 3",
            "min_scale_ratio 3 is above max_scale_ratio 2",
        ),
        (
            "random_downscale_to_target_pixels",
            "min_target_pixels: 900000",
            "needs 1 <= min_target_pixels <= max_target_pixels, got 900000 and 800000",
        ),
    ],
)
def test_values_that_are_not_allowed(name, text, message):
    with pytest.raises(ConfigError, match=message):
        built(name, text)
