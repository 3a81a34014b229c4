"""Findings about two-stage detectors: what cannot be built, or has no effect."""

import pytest

from odapi.config.check import find
from small_models import small_config

_MODEL = "model.faster_rcnn"
_ANCHORS = f"{_MODEL}.first_stage_anchor_generator"
_HEAD = f"{_MODEL}.second_stage_box_predictor.mask_rcnn_box_predictor"
_GRID = f"{_ANCHORS}={{grid_anchor_generator {{scales: 1 aspect_ratios: 1}}}}"
_HALVED = f"{_MODEL}.feature_extractor={{type: 'faster_rcnn_resnet50_keras'}}"


def said_of(*overrides, for_training=False):
    findings = find(small_config("rcnn", *overrides), for_training)
    return [str(f) for f in findings if f.path.startswith("model")]


def test_the_small_model_is_fine():
    assert said_of() == []
    assert said_of(for_training=True) == []


def test_a_model_without_parts_lacks_them():
    said = said_of("model={faster_rcnn {}}")
    for part in (
        "num_classes: is missing",
        "image_resizer: is missing",
        "faster_rcnn.feature_extractor: is missing",
        "first_stage_anchor_generator: is missing",
        "first_stage_box_predictor_conv_hyperparams: is missing",
        "second_stage_box_predictor: is missing",
        "initial_crop_size: is missing",
        "maxpool_stride: is missing",
    ):
        assert any(part in each for each in said), part


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([f"{_MODEL}.number_of_stages=4"], "number_of_stages: is 4; allowed is 1 to 3"),
        (
            [f"{_MODEL}.first_stage_atrous_rate=0"],
            "first_stage_atrous_rate: is 0; allowed is 1 or more",
        ),
        (
            [f"{_MODEL}.second_stage_balance_fraction=0"],
            "second_stage_balance_fraction: is 0; allowed is above 0 to 1",
        ),
        (
            [f"{_MODEL}.feature_extractor.type=faster_rcnn_resnet51_keras"],
            "unknown extractor 'faster_rcnn_resnet51_keras'",
        ),
        (
            [_GRID],
            "is for 1 feature map(s), but faster_rcnn_resnet50_fpn_keras gives 3",
        ),
        (
            [f"{_ANCHORS}.multiscale_anchor_generator.max_level=6"],
            "is for 4 feature map(s)",
        ),
        (
            [
                f"{_ANCHORS}.multiscale_anchor_generator.min_level=4",
                f"{_ANCHORS}.multiscale_anchor_generator.max_level=6",
            ],
            "min_level: is 4, but the lowest level of the pyramid is 3",
        ),
        (
            [_HALVED, _GRID, f"{_ANCHORS}.grid_anchor_generator.height_stride=8"],
            "height_stride: is 8, but the stride of the feature map is 16",
        ),
        (
            [f"{_MODEL}.maxpool_kernel_size=5"],
            "maxpool_kernel_size: is 5, larger than initial_crop_size 4",
        ),
        (
            [
                f"{_MODEL}.second_stage_classification_loss="
                "{weighted_dice_classification_loss {}}"
            ],
            "weighted_dice_classification_loss: gives no loss per region",
        ),
        (
            [f"{_MODEL}.second_stage_classification_loss={{weighted_sigmoid {{}}}}"],
            "score_converter: is SOFTMAX, but the loss is weighted_sigmoid",
        ),
        (
            [f"{_HEAD}.predict_instance_masks=true"],
            "predict_instance_masks: has no effect: it requires a third stage",
        ),
        (
            [f"{_MODEL}.use_static_balanced_label_sampler=true"],
            "use_static_balanced_label_sampler: has no effect: use_static_shapes is",
        ),
        (
            [f"{_MODEL}.number_of_stages=1"],
            "second_stage_box_predictor: has no effect: number_of_stages is 1",
        ),
        (
            [f"{_MODEL}.inplace_batchnorm_update=true"],
            "inplace_batchnorm_update: has no effect: Keras updates",
        ),
    ],
)
def test_what_does_not_fit_is_told(overrides, expected):
    said = said_of(*overrides)
    assert any(expected in each for each in said), said


def test_a_sample_larger_than_the_proposals_is_told_for_training_only():
    override = f"{_MODEL}.second_stage_batch_size=17"
    expected = f"{_MODEL}.second_stage_batch_size: is 17, but there are at most 16"
    assert said_of(override) == []
    assert said_of(override, for_training=True)[0].startswith(expected)


def test_a_miner_leaves_samplers_without_effect():
    miner = f"{_MODEL}.hard_example_miner={{num_hard_examples: 4}}"
    said = said_of(miner, for_training=True)
    assert any("second_stage_batch_size: has no effect" in each for each in said)


@pytest.mark.parametrize(
    ("overrides", "refused"),
    [
        ([], False),
        ([f"{_MODEL}.number_of_stages=1"], True),
        ([f"{_MODEL}.second_stage_box_predictor={{rfcn_box_predictor {{}}}}"], True),
        (["model={ssd {}}"], True),
    ],
)
def test_roi_align_needs_regions(overrides, refused):
    config = small_config("rcnn", *overrides, "options.roi_align=true")
    said = [str(f) for f in find(config, False) if f.path == "options.roi_align"]
    assert len(said) == refused
    assert all("crops no regions" in each for each in said)
