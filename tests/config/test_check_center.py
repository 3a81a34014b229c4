"""Findings about CenterNets: what cannot be built, or has no effect."""

import pytest

from odapi.config.check import find
from small_models import small_config

_MODEL = "model.center_net"
_OBJECTS = f"{_MODEL}.object_center_params"
_BOXES = f"{_MODEL}.object_detection_task"


def said_of(*overrides):
    findings = find(small_config("center", *overrides), for_training=False)
    return [str(f) for f in findings if f.path.startswith("model")]


def test_the_small_model_is_fine():
    assert said_of() == []


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (f"{_MODEL}.num_classes=0", "num_classes: is 0; allowed is 1 or more"),
        (
            f"{_MODEL}.feature_extractor.type=resnet_v1_50",
            "unknown extractor 'resnet_v1_50'",
        ),
        (
            f"{_OBJECTS}.center_head_params={{num_filters: 8}}",
            "center_head_params.num_filters: has 1 value, kernel_sizes has 0",
        ),
        (
            f"{_BOXES}.scale_head_params={{num_filters: 0 kernel_sizes: 3}}",
            "scale_head_params.num_filters[0]: is 0; allowed is 1 or more",
        ),
        (
            f"{_BOXES}.localization_loss={{weighted_giou {{}}}}",
            "localization_loss.weighted_giou: compares boxes",
        ),
        (
            f"{_OBJECTS}.classification_loss="
            "{penalty_reduced_logistic_focal_loss {alpha: 2}}",
            "penalty_reduced_logistic_focal_loss.beta: is missing",
        ),
        (
            f"{_MODEL}.deepmac_mask_estimation={{classification_loss {{"
            "weighted_sigmoid {}} allowed_masked_classes_ids: [1, 3]}",
            "allowed_masked_classes_ids[1]: is 3; class ids are 1 to 2",
        ),
        (
            f"{_MODEL}.post_processing={{score_converter: SIGMOID "
            "batch_non_max_suppression {max_total_detections: 8}}",
            "score_converter: has no effect",
        ),
        (
            f"{_MODEL}.post_processing={{batch_non_max_suppression "
            "{max_total_detections: 9}}",
            "max_total_detections: is 9, but there are at most 8 peaks",
        ),
        (f"{_MODEL}.compute_heatmap_sparse=true", "always computed sparsely"),
    ],
)
def test_a_mistake_is_named_by_its_place(override, expected):
    found = said_of(override)
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize("part", ["object_center_params", "feature_extractor"])
def test_parts_that_a_model_cannot_do_without(part):
    config = small_config("center")
    config.model.center_net.ClearField(part)
    found = [str(f) for f in find(config, for_training=False)]
    assert any(f"{_MODEL}.{part}: is missing" in line for line in found)
