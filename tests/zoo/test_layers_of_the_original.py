"""Layers of a backbone, one by one, as the original has them."""

import json

import keras
import pytest

from odapi.build.detector import build_detector
from odapi.config.load import load_config
from odapi.zoo.names.ssd_keys import ssd_keys

_BACKBONE = "feature_extractor/backbone/"


@pytest.mark.parametrize(
    "name",
    [
        "ssd_mobilenet_v1_fpn_640x640",
        "ssd_mobilenet_v2_320x320",
        "ssd_mobilenet_v2_fpnlite_320x320",
        "ssd_resnet50_v1_fpn_640x640",
    ],
)
def test_options_of_the_layers(shared, name):
    stored = json.loads((shared / f"golden/layers/{name}.json").read_text())["layers"]
    path = shared / f"configs/tf2/{name}_coco17_tpu-8.config"
    detector = build_detector(load_config(path))
    keys = {
        ours.removeprefix(_BACKBONE).rpartition("/")[0]: key.rpartition("/")[0]
        for ours, key in ssd_keys(detector).items()
        if ours.startswith(_BACKBONE)
    }
    backbone = detector.feature_extractor.backbone
    for layer in backbone.layers:
        if layer.weights:
            theirs = stored[keys[layer.name]]
            assert theirs["layer_name"] == layer.name
            assert _options(layer) == _theirs(theirs), layer.name
    assert len(keys) == sum("/classification_backbone/" in key for key in stored)


def _options(layer):
    if isinstance(layer, keras.layers.BatchNormalization):
        return {
            "momentum": pytest.approx(layer.momentum),
            "epsilon": pytest.approx(layer.epsilon),
            "center": layer.center,
            "scale": layer.scale,
        }
    return {
        "kernel_size": list(layer.kernel_size),
        "strides": list(layer.strides),
        "padding": "valid" if layer.explicit_padding else layer.padding,
        "use_bias": layer.use_bias,
    }


def _theirs(stored):
    names = ("kernel_size", "strides", "padding", "use_bias")
    if "BatchNorm" in stored["class"]:
        names = ("momentum", "epsilon", "center", "scale")
    return {name: stored[name] for name in names}
