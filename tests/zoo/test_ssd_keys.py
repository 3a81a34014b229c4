"""Checkpoint keys of SSD: one per variable."""

import json
import types

import pytest

from odapi.build.detector import build_detector
from odapi.config.load import load_config
from odapi.zoo.names.ssd_keys import ssd_keys
from small_models import small_config

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_EXTRACTOR = "model.ssd.feature_extractor"


@pytest.mark.parametrize(
    "name",
    [
        "ssd_mobilenet_v1_fpn_640x640_coco17_tpu-8",
        "ssd_mobilenet_v2_320x320_coco17_tpu-8",
        "ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8",
        "ssd_mobilenet_v2_fpnlite_640x640_coco17_tpu-8",
        "ssd_resnet50_v1_fpn_640x640_coco17_tpu-8",
        "ssd_resnet50_v1_fpn_1024x1024_coco17_tpu-8",
        "ssd_resnet101_v1_fpn_640x640_coco17_tpu-8",
        "ssd_resnet101_v1_fpn_1024x1024_coco17_tpu-8",
        pytest.param(
            "ssd_resnet152_v1_fpn_640x640_coco17_tpu-8", marks=pytest.mark.slow
        ),
        pytest.param(
            "ssd_resnet152_v1_fpn_1024x1024_coco17_tpu-8", marks=pytest.mark.slow
        ),
    ],
)
def test_keys_of_the_zoo_and_our_variables_are_one_to_one(shared, name):
    manifest = json.loads((shared / f"golden/manifest/{name}.json").read_text())
    theirs = {
        key.removesuffix(_SUFFIX): tuple(shape)
        for key, shape, _ in manifest["variables"]
        if key.startswith("model/")
    }
    config = load_config(shared / f"configs/tf2/{name}.config")
    detector = build_detector(config)
    keys, variables = ssd_keys(detector), detector.named_variables()
    assert set(keys) == set(variables)
    assert len(set(keys.values())) == len(keys)
    ours = {keys[n]: tuple(v.shape) for n, v in variables.items()}
    assert ours == theirs


@pytest.mark.parametrize("family", ["ssd", "fpn"])
def test_options_leave_no_variable_without_a_key(family):
    overrides = [f"{_EXTRACTOR}.use_explicit_padding=true"]
    head = "model.ssd.box_predictor."
    if family == "ssd":
        head += "convolutional_box_predictor"
        overrides += [f"{head}.min_depth=4", f"{head}.max_depth=8"]
    else:
        head += "weight_shared_convolutional_box_predictor"
        overrides += [f"{head}.share_prediction_tower=false"]
    overrides += [
        f"{head}.use_dropout=true",
        f"{head}.use_depthwise=true",
        f"{head}.num_layers_before_predictor=2",
    ]
    detector = build_detector(small_config(family, *overrides))
    keys = ssd_keys(detector)
    assert set(keys) == set(detector.named_variables())
    assert len(set(keys.values())) == len(keys)
    for ours, theirs in _EXPECTED[family].items():
        assert keys[ours] == theirs


_NECK = "feature_extractor/neck"
_ROOT = "model/_feature_extractor"
_PREDICTOR = "model/_box_predictor"
_SCORES = f"{_PREDICTOR}/_prediction_heads/class_predictions_with_background"
# Explicit padding and dropout are layers of their own in the original's lists.
_EXPECTED = {
    "ssd": {
        f"{_NECK}/map_2/depthwise/kernel": (
            f"{_ROOT}/feature_map_generator/convolutions/2/4/depthwise_kernel"
        ),
        f"{_NECK}/map_2/shrink/kernel": (
            f"{_ROOT}/feature_map_generator/convolutions/2/7/kernel"
        ),
        "box_predictor/class_1/depthwise/kernel": (
            f"{_SCORES}/1/_class_predictor_layers/1/depthwise_kernel"
        ),
        "box_predictor/class_1/predict/bias": (
            f"{_SCORES}/1/_class_predictor_layers/4/bias"
        ),
        "box_predictor/shared_0/conv_1/kernel": f"{_PREDICTOR}/_shared_nets/0/3/kernel",
    },
    "fpn": {
        f"{_NECK}/extra_1/conv/pointwise_kernel": (
            f"{_ROOT}/_coarse_feature_layers/0/1/pointwise_kernel"
        ),
        f"{_NECK}/smoothing_1/conv_norm/gamma": (
            f"{_ROOT}/_fpn_features_generator/conv_layers/0/2/gamma"
        ),
        "box_predictor/class_tower/conv_1/depthwise_kernel": (
            f"{_PREDICTOR}/_head_scope_conv_layers/ClassPredictionTower/1"
            "/depthwise_kernel"
        ),
        "box_predictor/class_tower/norm_1_level_2/beta": (
            f"{_PREDICTOR}/_base_tower_layers_for_heads"
            "/class_predictions_with_background/2/4/beta"
        ),
        "box_predictor/class/bias": f"{_SCORES}/_class_predictor_layers/1/bias",
    },
}


def test_mobilenet_v1_calls_its_further_maps_by_another_name():
    override = f"{_EXTRACTOR}.type=ssd_mobilenet_v1_keras"
    detector = build_detector(small_config("ssd", override))
    keys = ssd_keys(detector)
    assert set(keys) == set(detector.named_variables())
    assert keys[f"{_NECK}/map_2/reduce/kernel"] == (
        f"{_ROOT}/_feature_map_generator/convolutions/2/0/kernel"
    )


def test_part_unknown_to_the_original_raises():
    detector = build_detector(small_config("ssd"))
    extractor = types.SimpleNamespace(
        name="feature_extractor",
        backbone=detector.feature_extractor.backbone,
        neck=detector.box_predictor,
    )
    other = types.SimpleNamespace(
        feature_extractor=extractor, box_predictor=detector.box_predictor
    )
    with pytest.raises(TypeError, match="PerLevelConvHead"):
        ssd_keys(other)
