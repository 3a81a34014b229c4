"""Geometry, size and label steps give the numbers of the original.

Inputs, draws and results are those of the original's own unit tests and of runs with
fixed draws. Images are float32 here, so that nothing is rounded to integers.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from original_cases import all_cases
from replay import (
    ARGUMENTS,
    RECORD,
    Replay,
    array,
    converted,
    replay_windows,
    sample_of,
)

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
    RetainAboveThreshold,
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
from odapi.data.image.lazy import rendered
from odapi.data.image.resize import (
    METHODS,
    ConditionalShape,
    FixedShape,
    KeepAspectRatio,
    PadToMultiple,
)


def pad_to_aspect_ratio(aspect_ratio=1.0, **ratios):
    return PadToAspectRatio(aspect_ratio, **padded_size(ratios))


def padded_size(options):
    return {
        name.replace("padded_size_", ""): tuple(options[name])
        for name in ("min_padded_size_ratio", "max_padded_size_ratio")
        if name in options
    }


def crop_pad(random_coef=0.0, pad_color=(), **options):
    crop = CropImage(random_coef=random_coef)
    return CropPadImage(crop, **padded_size(options), color=tuple(pad_color))


def pad(min_image_size=None, max_image_size=None, pad_color=(), center_pad=False):
    low, high = (size and tuple(size) for size in (min_image_size, max_image_size))
    return PadImage(low, high, tuple(pad_color), center_pad)


def resize_image(new_height, new_width, method=0):
    return Resize(FixedShape(new_height, new_width, method=METHODS[method]))


def resize_to_range(
    min_dimension,
    max_dimension,
    method=0,
    pad_to_max_dimension=False,
    per_channel_pad_value=(),
):
    return Resize(
        KeepAspectRatio(
            min_dimension,
            max_dimension,
            pad_to_max_dimension,
            method=METHODS[method],
            pad_value=tuple(per_channel_pad_value),
        )
    )


# The step with the options of the original, and its numbers of cases with fixed draws
# and from the unit tests. Not replayed: cases of the cache of draws, and those with
# align_corners or center_crop, which no config can ask for.
STEPS = {
    "random_image_scale": (
        lambda min_scale_ratio=0.5, max_scale_ratio=2.0: ImageScale(
            min_scale_ratio, max_scale_ratio
        ),
        4,
        1,
    ),
    "random_jitter_boxes": (
        lambda ratio=0.05, jitter_mode="default": JitterBoxes(ratio, jitter_mode),
        16,
        13,
    ),
    "random_pad_image": (pad, 6, 3),
    "random_crop_pad_image": (crop_pad, 4, 1),
    "random_crop_to_aspect_ratio": (CropToAspectRatio, 5, 3),
    "random_pad_to_aspect_ratio": (pad_to_aspect_ratio, 3, 4),
    "random_downscale_to_target_pixels": (
        lambda min_target_pixels, max_target_pixels, random_coef=0.0: DownscaleToPixels(
            min_target_pixels, max_target_pixels, random_coef
        ),
        5,
        4,
    ),
    "random_resize_method": (
        lambda target_size: ResizeByRandomMethod(*target_size),
        5,
        1,
    ),
    "resize_image": (resize_image, 3, 6),
    "resize_to_range": (resize_to_range, 4, 17),
    "resize_to_max_dimension": (
        lambda max_dimension: Resize(ConditionalShape("greater", max_dimension)),
        2,
        4,
    ),
    "resize_to_min_dimension": (
        lambda min_dimension: Resize(ConditionalShape("smaller", min_dimension)),
        1,
        4,
    ),
    "resize_pad_to_multiple": (lambda multiple: Resize(PadToMultiple(multiple)), 1, 3),
    "random_self_concat_image": (
        lambda concat_vertical_probability=0.1, concat_horizontal_probability=0.1: (
            SelfConcat(concat_vertical_probability, concat_horizontal_probability)
        ),
        4,
        2,
    ),
    "ssd_random_crop": (SsdRandomCrop, 5, 2),
    "ssd_random_crop_pad": (SsdRandomCropPad, 2, 1),
    "ssd_random_crop_fixed_aspect_ratio": (
        lambda aspect_ratio=1.0: SsdRandomCropFixedAspectRatio((), aspect_ratio),
        4,
        2,
    ),
    "ssd_random_crop_pad_fixed_aspect_ratio": (
        lambda **options: SsdRandomCropPadFixedAspectRatio(
            SsdRandomCrop(), pad_to_aspect_ratio(**options)
        ),
        5,
        0,
    ),
    "drop_label_probabilistically": (
        lambda dropped_label, drop_probability: DropLabel(
            dropped_label - 1, drop_probability
        ),
        5,
        4,
    ),
    "convert_class_logits_to_softmax": (
        lambda temperature=1.0: SoftmaxScores(temperature),
        2,
        1,
    ),
    "retain_boxes_above_threshold": (
        lambda threshold=0.0: RetainAboveThreshold(threshold),
        2,
        7,
    ),
}


KEYS = {*ARGUMENTS, "tensor_dict"}
NOT_OURS = {"align_corners", "center_crop", "preprocess_vars_cache"}
READ_BY_DEFAULT = (
    "image",
    "groundtruth_boxes",
    "groundtruth_classes",
    "groundtruth_weights",
)


def cases_of(shared, file, name):
    """Returns the cases of a step, each with the options of the step."""
    cases = []
    for case in all_cases(shared / "original_tests" / f"{file}.json"):
        options = case["options"]
        steps = options.get("steps", [{"step": _step(case), "options": options}])
        if not steps or steps[-1]["step"] != name or case["expected"].get("raises"):
            continue
        if NOT_OURS & {*steps[-1]["options"], *options}:
            continue
        # Sizes that are given as tensors.
        given = {k: v for k, v in case["inputs"].items() if k not in KEYS}
        cases.append((case, steps[-1]["options"] | given))
    return cases


def _step(case):
    return case["function"].rpartition(".")[2].rstrip(")")


def replayed(inputs, names, step, draws):
    sample = sample_of(inputs, names)
    size = sample["masks"].shape[1:] if "masks" in sample else (4, 4)
    sample["image"] = sample.get("image", np.zeros((*size, 3))).astype("float32")
    if size != sample["image"].shape[:2]:
        # Some unit tests of the original have masks of another size than the image.
        sample.pop("masks", None)
    draws = Replay(draws)
    made = rendered(step(sample, draws))
    assert not draws.left
    return made


@pytest.mark.parametrize("name", STEPS)
def test_results_of_fixed_draws(shared, monkeypatch, name):
    replay_windows(monkeypatch)
    make, expected, _ = STEPS[name]
    cases = cases_of(shared, "preprocessor_fixed_draws", name)
    assert len(cases) == expected
    for case, options in cases:
        check_case(case, make(**options), name)


def check_case(case, step, name):
    """Checks the result of a call, a list in the order of its arguments."""
    made = replayed(case["inputs"], ARGUMENTS, step, case.get("draws", []))
    given = [field for key, field in ARGUMENTS.items() if key in case["inputs"]]
    out = case["expected"]["out"]
    out = [out] if "out" in case["expected_dtypes"] else out
    for field, values in zip(given, out, strict=False):
        if field == "masks" and name == "random_image_scale":
            continue  # The original takes the objects of masks for rows.
        check(field, made[field], values, case)


@pytest.mark.parametrize("name", STEPS)
def test_results_of_the_unit_tests(shared, monkeypatch, name):
    replay_windows(monkeypatch)
    make, _, expected = STEPS[name]
    cases = cases_of(shared, "preprocessor_tests", name)
    assert len(cases) == expected
    for case, options in cases:
        if "tensor_dict" in case["inputs"]:
            check_chain(case, make(**options), name)
        else:
            check_case(case, make(**options), name)


def check_chain(case, step, name):
    """Checks the result of a record, of which the step may read some fields only."""
    inputs, options = case["inputs"]["tensor_dict"], case["options"]
    made = replayed(inputs, RECORD, step, case.get("draws", []))
    reads = options.get("reads", {}).get(name, READ_BY_DEFAULT)
    normalized = options["steps"][0]["step"] == "normalize_image"
    out = case["expected"].get("out", case["expected"])
    for key in set(reads) & RECORD.keys() & out.keys():
        scale = 255 if normalized and key == "image" else 1
        if RECORD[key] in made:
            check(RECORD[key], made[RECORD[key]], out[key], case, scale)


def check(field, made, values, case, scale=1):
    expected = array(values)
    if "partial" in case and field in ("image", "masks"):  # Only shapes are stored.
        shape = values["shape"] if isinstance(values, dict) else expected.shape
        assert list(made.shape) == [*shape][-made.ndim :], (case["what"], field)
        return
    if expected is None:
        assert list(made.shape) == values["shape"][-made.ndim :], (case["what"], field)
        return
    expected = converted(field, expected * scale)
    assert made.shape == expected.shape, (case["what"], field)
    tolerance = 2e-3 if field == "image" else 2e-6
    assert_allclose(made, expected, atol=tolerance, err_msg=case["what"])
