"""Findings about the feature extractor of a two-stage detector."""

import pytest

from narrow_rcnn import small_rcnn
from odapi.backbones.table import RCNN_EXTRACTORS as BUILT
from odapi.config.check import find
from odapi.config.rules.choices import RCNN_EXTRACTORS

_PATH = "model.faster_rcnn.feature_extractor"


def _said(family, override):
    config = small_rcnn(family, f"{_PATH}.{override}")
    found = find(config, for_training=False, for_data=False)
    return [str(f).removeprefix(f"{_PATH}.") for f in found if f.path.startswith(_PATH)]


def test_the_list_is_that_of_what_is_built():
    assert set(RCNN_EXTRACTORS) == set(BUILT)


@pytest.mark.parametrize("family", ["c4", "pyramid"])
def test_small_models_are_fine(family):
    assert _said(family, "first_stage_features_stride=8") == []


@pytest.mark.parametrize(
    ("family", "override", "expected"),
    [
        ("c4", 'type=""', "type: is missing"),
        (
            "c4",
            "type=faster_rcnn_resnet101",
            "type: 'faster_rcnn_resnet101' is an extractor of TF1 "
            "(its TF2 name is 'faster_rcnn_resnet101_keras')",
        ),
        (
            "c4",
            "type=faster_rcnn_resnet51_keras",
            "type: unknown extractor 'faster_rcnn_resnet51_keras'",
        ),
        (
            "c4",
            "first_stage_features_stride=4",
            "first_stage_features_stride: must be 8 or 16, got 4",
        ),
        ("c4", "pad_to_multiple=0", "pad_to_multiple: is 0; allowed is 1 or more"),
        ("c4", "fpn={}", "fpn: has no effect on faster_rcnn_resnet50_keras"),
        ("c4", "conv_hyperparams={}", "conv_hyperparams: has no effect"),
        ("pyramid", "fpn.min_level=1", "fpn.min_level: is 1; "),
        ("pyramid", "fpn.max_level=1", "fpn: min_level 2 is above max_level 1"),
    ],
)
def test_what_cannot_be(family, override, expected):
    [said] = _said(family, override)
    assert said.startswith(expected)
