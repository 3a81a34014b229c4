"""Augmentations against the classes of the model and the fields of the reader."""

import pytest
from google.protobuf import text_format

from odapi.config import check
from odapi.config.load import load_config

MODEL = "model { ssd { num_classes: 3 } } "
STEPS = "train_config.data_augmentation_options[0]"


def findings(step, reader="", own=False):
    """Returns errors and warnings about augmentations, by path."""
    config = load_config(MODEL + f"train_input_reader {{ {reader} }}")
    if own:
        text = f"[odapi.options] {{ augmentations {{ step {{ {step} }} }} }}"
    else:
        text = f"train_config {{ data_augmentation_options {{ {step} }} }}"
    found = check.find(text_format.Merge(text, config), for_data=False)
    return {
        finding.path: (finding.is_error, finding.problem)
        for finding in found
        if "augmentation" in finding.path
    }


@pytest.mark.parametrize("own", [False, True])
def test_a_new_label_that_the_model_does_not_have_is_an_error(own):
    found = findings("remap_labels { original_labels: [1, 3] new_label: 4 }", own=own)
    path = "options.augmentations[0].step" if own else STEPS
    assert found == {
        f"{path}.remap_labels.new_label": (
            True,
            "is 4; the model has the classes 1 to 3",
        )
    }


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ("remap_labels { original_labels: [1, 4] new_label: 1 }", "original_labels[1]"),
        ("drop_label_probabilistically { label: 4 }", "label"),
    ],
)
def test_a_label_that_no_object_has_is_a_warning(step, field):
    name = step.partition(" ")[0]
    assert findings(step) == {
        f"{STEPS}.{name}.{field}": (
            False,
            "has no effect: is 4; the model has the classes 1 to 3",
        )
    }


def test_scores_must_be_loaded_to_have_a_softmax():
    step = "convert_class_logits_to_softmax { }"
    path = f"{STEPS}.convert_class_logits_to_softmax"
    assert findings(step) == {
        path: (False, "has no effect: the reader loads no scores")
    }
    assert not findings(step, "load_multiclass_scores: true")


def test_boxes_in_pixels_have_no_effect_and_say_so():
    found = findings("scale_boxes_to_pixel_coordinates { }")
    is_error, problem = found[f"{STEPS}.scale_boxes_to_pixel_coordinates"]
    assert not is_error
    assert problem.startswith("has no effect: models expect boxes that are normalized")


@pytest.mark.parametrize(
    ("step", "field", "allowed"),
    [
        ("random_horizontal_flip { probability: -1 }", "probability", "0 to 1"),
        ("random_vertical_flip { probability: -1 }", "probability", "0 to 1"),
        ("random_rotation90 { probability: 2 }", "probability", "0 to 1"),
        (
            "random_square_crop_by_scale { num_scales: 2147483647 }",
            "num_scales",
            "1 to 10000",
        ),
    ],
)
def test_values_out_of_range_are_errors(step, field, allowed):
    name, value = step.partition(" ")[0], step.split()[-2]
    problem = f"is {value}; allowed is {allowed}"
    assert findings(step) == {f"{STEPS}.{name}.{field}": (True, problem)}
