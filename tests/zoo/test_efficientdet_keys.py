"""Checkpoint keys of all EfficientDets: one per variable, except unused ones."""

import json

import pytest
from keras import ops

from odapi.build.detector import build_detector
from odapi.config.load import load_config
from odapi.layers.initializers import Initializer
from odapi.zoo.names.efficientdet_keys import UNUSED
from odapi.zoo.names.ssd_keys import ssd_keys

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


# With the number of blocks of the last stage that no feature map comes from: they
# and the classes of ImageNet are in the checkpoints and not in our models.
@pytest.mark.parametrize(
    "name, unused_blocks",
    [
        ("d0_512x512_coco17_tpu-8", 0),
        ("d1_640x640_coco17_tpu-8", 1),
        ("d2_768x768_coco17_tpu-8", 1),
        ("d3_896x896_coco17_tpu-32", 1),
        ("d4_1024x1024_coco17_tpu-32", 1),
        ("d5_1280x1280_coco17_tpu-32", 2),
        ("d6_1408x1408_coco17_tpu-32", 2),
        ("d7_1536x1536_coco17_tpu-32", 2),
    ],
)
def test_keys_and_variables_are_one_to_one(shared, monkeypatch, name, unused_blocks):
    # Names and shapes matter here, not values.
    monkeypatch.setattr(
        Initializer, "__call__", lambda self, shape, dtype=None: ops.zeros(shape, dtype)
    )
    name = f"ssd_efficientdet_{name}"
    manifest = json.loads((shared / f"golden/manifest/{name}.json").read_text())
    stored = {
        key.removesuffix(_SUFFIX): tuple(shape)
        for key, shape, _ in manifest["variables"]
    }
    detector = build_detector(load_config(shared / f"configs/tf2/{name}.config"))
    keys, variables = ssd_keys(detector), detector.named_variables()
    assert set(keys) == set(variables)
    assert len(set(keys.values())) == len(keys)
    ours = {keys[n]: tuple(v.shape) for n, v in variables.items()}
    theirs = {key: shape for key, shape in stored.items() if key in ours}
    assert ours == theirs

    left = set(stored) - set(ours)
    assert {key for key in left if not key.startswith(UNUSED)} == {
        "_CHECKPOINTABLE_OBJECT_GRAPH",
        "save_counter",
    }
    # The layers after ours: 8 a block, and a convolution, a norm and the classes.
    layers = {key.split("/")[3] for key in left if key.startswith(UNUSED)}
    backbone = detector.feature_extractor.backbone
    first = len([layer for layer in backbone.layers if layer.weights])
    numbers = range(first, first + 8 * unused_blocks + 3)
    assert layers == {f"layer_with_weights-{n}" for n in numbers}
