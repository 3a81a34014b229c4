"""Checkpoint keys of a whole CenterNet: one per variable."""

import json
import types

import pytest
from center_leftovers import unused_key

from odapi.build.detector import build_detector
from odapi.config.load import load_config
from odapi.zoo.names.center_net_keys import center_net_keys, escaped
from odapi.zoo.names.detector_keys import detector_keys
from small_models import small_config

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_LARGE = (
    "center_net_deepmac_512x512_voc_only_tpu-32",
    "center_net_deepmac_1024x1024_coco_tpu-128",
    "center_net_deepmac_1024x1024_non_voc_only_tpu-128",
    "center_net_deepmac_1024x1024_voc_only_tpu-128",
    "centernet_hourglass104_512x512_coco17_tpu-8",
    "centernet_hourglass104_512x512_kpts_coco17_tpu-32",
    "centernet_hourglass104_1024x1024_coco17_tpu-32",
    "centernet_hourglass104_1024x1024_kpts_coco17_tpu-32",
    "centernet_resnet101_v1_fpn_512x512_coco17_tpu-8",
)


@pytest.mark.parametrize(
    "name",
    [
        "centernet_resnet50_v1_fpn_512x512_kpts_coco17_tpu-8",
        "centernet_resnet50_v2_512x512_kpts_coco17_tpu-8",
        *(pytest.param(name, marks=pytest.mark.slow) for name in _LARGE),
    ],
)
def test_keys_of_the_zoo_and_our_variables_are_one_to_one(shared, name):
    manifest = json.loads((shared / f"golden/manifest/{name}.json").read_text())
    theirs = {
        key.removesuffix(_SUFFIX): tuple(shape)
        for key, shape, _ in manifest["variables"]
        if key.startswith("model/")
    }
    keypoints = shared / "golden/aux/keypoint_label_map.pbtxt"
    config = load_config(
        shared / f"configs/tf2/{name}.config",
        [f"model.center_net.keypoint_label_map_path={keypoints}"],
    )
    detector = build_detector(config)
    keys, variables = detector_keys(detector), detector.named_variables()
    assert set(keys) == set(variables)
    assert len(set(keys.values())) == len(keys)
    left_out = unused_key(detector.feature_extractor)
    ours = {keys[n]: tuple(v.shape) for n, v in variables.items()}
    assert ours == {
        k: s for k, s in theirs.items() if not (left_out and k.startswith(left_out))
    }


def test_heads_are_numbered_by_their_layers_with_weights():
    params = "model.center_net.object_center_params.center_head_params"
    detector = build_detector(
        small_config(
            "center",
            "model.center_net.use_depthwise=true",
            f"{params}={{ num_filters: [8, 4] kernel_sizes: [3, 5] }}",
        )
    )
    keys = center_net_keys(detector)
    assert set(keys) == set(detector.named_variables())
    root = "model/_prediction_head_dict"
    expected = {
        "heads/object_center_0/conv_0/depthwise_kernel": (
            f"{root}/object_center/0/layer_with_weights-0/depthwise_kernel"
        ),
        "heads/object_center_0/conv_1/pointwise_kernel": (
            f"{root}/object_center/0/layer_with_weights-1/pointwise_kernel"
        ),
        "heads/object_center_0/predict/bias": (
            f"{root}/object_center/0/layer_with_weights-2/bias"
        ),
        "heads/box-offset_0/predict/kernel": (
            f"{root}/box.Soffset/0/layer_with_weights-1/kernel"
        ),
    }
    assert {name: keys[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("object_center", "object_center"), ("a/b/c", "a.Sb.Sc"), ("a.b", "a..b")],
)
def test_names_are_escaped_as_tensorflow_does(name, expected):
    assert escaped(name) == expected


def test_part_unknown_to_the_original_raises():
    detector = build_detector(small_config("center"))
    other = types.SimpleNamespace(
        feature_extractor=detector.feature_extractor,
        heads=detector.heads,
        task_layers=[detector.heads],
    )
    with pytest.raises(TypeError, match="CenterHeads"):
        center_net_keys(other)
    with pytest.raises(TypeError, match="SimpleNamespace"):
        detector_keys(other)
