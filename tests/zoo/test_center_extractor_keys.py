"""Checkpoint keys of CenterNet's extractors: one per variable."""

import json

import pytest
from center_leftovers import unused_key
from keras import ops

from odapi.build.center_extractor import build_center_extractor
from odapi.build.hyperparams import BuildContext
from odapi.config.load import load_config
from odapi.config.protos.center_net_pb2 import CenterNetFeatureExtractor
from odapi.layers.initializers import Constant, Initializer
from odapi.layers.names import named_variables
from odapi.zoo.names.center_extractor_keys import (
    ROOT,
    center_extractor_keys,
)

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


@pytest.fixture
def _blank(monkeypatch):
    """Names and shapes matter here, not values."""
    for kind in (Initializer, Constant):
        monkeypatch.setattr(
            kind, "__call__", lambda self, shape, dtype=None: ops.zeros(shape, dtype)
        )


@pytest.fixture(scope="module")
def zoo():
    """Shapes by key, and the key of what is not ours, by type: models are large."""
    known = {}

    def look_up(config):
        if config.type not in known:
            extractor = _build(config)
            keys, variables = (
                center_extractor_keys(extractor),
                named_variables(extractor),
            )
            assert set(keys) == set(variables)
            shapes = {keys[n]: tuple(v.shape) for n, v in variables.items()}
            assert len(shapes) == len(keys)
            known[config.type] = shapes, unused_key(extractor)
        return known[config.type]

    return look_up


def _build(config):
    extractor = build_center_extractor(config, "extractor", BuildContext())
    extractor.build((None, 128, 128, 3))
    return extractor


@pytest.mark.usefixtures("_blank")
@pytest.mark.parametrize(
    "name, unused",
    [
        ("center_net_deepmac_1024x1024_coco_tpu-128", 0),
        ("center_net_deepmac_1024x1024_non_voc_only_tpu-128", 0),
        ("center_net_deepmac_1024x1024_voc_only_tpu-128", 0),
        ("center_net_deepmac_512x512_voc_only_tpu-32", 0),
        ("centernet_hourglass104_1024x1024_coco17_tpu-32", 0),
        ("centernet_hourglass104_1024x1024_kpts_coco17_tpu-32", 0),
        ("centernet_hourglass104_512x512_coco17_tpu-8", 0),
        ("centernet_hourglass104_512x512_kpts_coco17_tpu-32", 0),
        # ResNet v2: the norm after the last sum of the backbone.
        ("centernet_resnet101_v1_fpn_512x512_coco17_tpu-8", 4),
        ("centernet_resnet50_v1_fpn_512x512_kpts_coco17_tpu-8", 0),
        ("centernet_resnet50_v2_512x512_kpts_coco17_tpu-8", 4),
    ],
)
def test_keys_of_the_zoo_and_our_variables_are_one_to_one(shared, zoo, name, unused):
    manifest = json.loads((shared / f"golden/manifest/{name}.json").read_text())
    theirs = {
        key.removesuffix(_SUFFIX): tuple(shape)
        for key, shape, _ in manifest["variables"]
        if key.startswith(f"{ROOT}/")
    }
    config = load_config(shared / f"configs/tf2/{name}.config")
    ours, root = zoo(config.model.center_net.feature_extractor)
    left = set(theirs) - set(ours)
    assert ours == {key: shape for key, shape in theirs.items() if key not in left}
    assert len(left) == unused
    assert all(key.startswith(root) for key in left) if unused else root is None


@pytest.mark.usefixtures("_blank")
@pytest.mark.parametrize(
    "kind, expected",
    [
        (
            "mobilenet_v2",
            {
                "backbone/Conv1/kernel": "_network/layer_with_weights-0"
                "/layer_with_weights-0/kernel",
                "backbone/expanded_conv_depthwise/kernel": "_network"
                "/layer_with_weights-0/layer_with_weights-2/depthwise_kernel",
                "neck/step_0/conv/kernel": "_network/layer_with_weights-1/kernel",
                "neck/step_2/up_norm/beta": "_network/layer_with_weights-12/beta",
            },
        ),
        (
            "mobilenet_v2_fpn_sep_conv",
            {
                "backbone/Conv1/kernel": "_base_model/layer_with_weights-0/kernel",
                "neck/top/bias": "_feature_extractor_model/layer_with_weights-1/bias",
                "neck/smoothing_2/conv/pointwise_kernel": "_feature_extractor_model"
                "/layer_with_weights-9/pointwise_kernel",
            },
        ),
        (
            "resnet_v1_18_fpn",
            {
                "backbone/conv1_conv/bias": "_base_model/layer_with_weights-0/bias",
                "backbone/conv2_block1_preact_bn/gamma": "_base_model"
                "/layer_with_weights-1/gamma",
                # Around the block, and so as deep as the end of it.
                "backbone/conv2_block1_0_conv/bias": "_base_model"
                "/layer_with_weights-6/bias",
                "backbone/conv5_block2_2_bn/beta": "_base_model"
                "/layer_with_weights-44/beta",
            },
        ),
        (
            "hourglass_10",
            {
                "backbone/stem/conv/kernel": "_network/downsample_input/conv_block"
                "/conv/kernel",
                "backbone/stack_0/down_0/around/conv/kernel": "_network"
                "/hourglass_network/0/encoder_block2/0/skip/conv/kernel",
                "backbone/stack_0/inner_0/second/conv_norm/gamma": "_network"
                "/hourglass_network/0/inner_block/0/norm/gamma",
                "backbone/end_0/conv/kernel": "_network/output_conv/0/conv/kernel",
            },
        ),
    ],
)
def test_keys_that_follow_from_how_the_original_keeps_its_objects(kind, expected):
    extractor = _build(CenterNetFeatureExtractor(type=kind))
    keys = center_extractor_keys(extractor)
    assert set(keys) == set(named_variables(extractor))
    found = {name: keys[name].removeprefix(f"{ROOT}/") for name in expected}
    assert found == expected
    assert (unused_key(extractor) is None) == (kind != "resnet_v1_18_fpn")
