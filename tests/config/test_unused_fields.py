"""Fields of CenterNet that do nothing beside others are told."""

import pytest

from odapi.config.load import load_config
from odapi.config.rules.unused_fields import _DEEPMAC, _KEYPOINTS, find

PLACES = {
    "keypoint_estimation_task[0]": "keypoint_estimation_task",
    "deepmac_mask_estimation": "deepmac_mask_estimation",
}


def told(place, text):
    config = load_config(f"model {{ center_net {{ {PLACES[place]} {{ {text} }} }} }}")
    start = f"model.center_net.{place}."
    return {f.path.removeprefix(start): f.problem for f in find(config)}


@pytest.mark.parametrize(
    ("place", "text", "name", "why"),
    [
        (
            "keypoint_estimation_task[0]",
            "box_scale: 2 argmax_postprocessing: true",
            "box_scale",
            "reads all cells",
        ),
        (
            "keypoint_estimation_task[0]",
            "std_dev_multiplier: 2",
            "std_dev_multiplier",
            "candidate_ranking_mode is not 'gaussian_weighted'",
        ),
        (
            "keypoint_estimation_task[0]",
            "per_keypoint_depth: true",
            "per_keypoint_depth",
            "predict_depth is not set",
        ),
        (
            "deepmac_mask_estimation",
            "feature_consistency_warmup_start: 5",
            "feature_consistency_warmup_start",
            "feature_consistency_loss_weight is 0",
        ),
        (
            "deepmac_mask_estimation",
            "mask_size: 16 predict_full_resolution_masks: true",
            "mask_size",
            "nothing is cropped",
        ),
    ],
)
def test_what_does_nothing_is_told_once(place, text, name, why):
    found = told(place, text)
    assert found.keys() == {name}
    assert why in found[name]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("keypoint_estimation_task[0]", "box_scale: 2 num_candidates_per_keypoint: 5"),
        ("keypoint_estimation_task[0]", "box_scale: 1.2 argmax_postprocessing: true"),
        (
            "keypoint_estimation_task[0]",
            "std_dev_multiplier: 2 candidate_ranking_mode: 'gaussian_weighted'",
        ),
        (
            "deepmac_mask_estimation",
            "mask_size: 16 jitter_mode: SHRINK max_roi_jitter_ratio: 0.1",
        ),
    ],
)
def test_what_does_something_or_is_the_default_is_not(place, text):
    assert told(place, text) == {}


@pytest.mark.parametrize(
    ("rules", "field"),
    [(_KEYPOINTS, "keypoint_estimation_task"), (_DEEPMAC, "deepmac_mask_estimation")],
)
def test_rules_name_fields_of_the_schema(rules, field):
    from odapi.config.protos import center_net_pb2

    message = center_net_pb2.CenterNet.DESCRIPTOR.fields_by_name[field].message_type
    names = {name for rule in rules for name in rule.fields}
    assert names <= set(message.fields_by_name.keys())
