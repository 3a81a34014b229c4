"""Checkpoint keys of two-stage models: one per variable."""

import json
import pathlib

import keras
import pytest

from narrow_rcnn import narrow, small_rcnn
from odapi.build.detector import build_detector
from odapi.config.check import check
from odapi.config.load import load_config
from odapi.runtime.compat import child_layers
from odapi.zoo.checkpoint.reader import Checkpoint
from odapi.zoo.names.rcnn_keys import rcnn_keys

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def _slow(name):
    return pytest.param(name, marks=pytest.mark.slow)


def _config(shared, name):
    files = [shared / "configs/tf2", shared / "golden/aux/configs"]
    [file] = [f / f"{name}.config" for f in files if (f / f"{name}.config").is_file()]
    return load_config(file)


def _manifest(shared, name):
    file = shared / f"golden/manifest/{name}.json"
    return {
        key.removesuffix(_SUFFIX): tuple(shape)
        for key, shape, _ in json.loads(file.read_text())["variables"]
        if key.startswith("model/")
    }


@pytest.mark.parametrize(
    "name",
    [
        "faster_rcnn_resnet50_v1_640x640_coco17_tpu-8",
        "faster_rcnn_resnet50_v1_800x1333_coco17_gpu-8",
        "faster_rcnn_resnet50_v1_fpn_640x640_coco17_tpu-8",
        "mask_rcnn_inception_resnet_v2_1024x1024_coco17_gpu-8",
        "context_rcnn_resnet101_derived",
        _slow("faster_rcnn_inception_resnet_v2_derived"),
        _slow("faster_rcnn_resnet50_v1_1024x1024_coco17_tpu-8"),
        _slow("faster_rcnn_resnet101_v1_640x640_coco17_tpu-8"),
        _slow("faster_rcnn_resnet101_v1_800x1333_coco17_gpu-8"),
        _slow("faster_rcnn_resnet101_v1_1024x1024_coco17_tpu-8"),
        _slow("faster_rcnn_resnet152_v1_640x640_coco17_tpu-8"),
        _slow("faster_rcnn_resnet152_v1_800x1333_coco17_gpu-8"),
        _slow("faster_rcnn_resnet152_v1_1024x1024_coco17_tpu-8"),
    ],
)
def test_keys_and_our_variables_are_one_to_one(shared, name):
    detector = build_detector(_config(shared, name))
    keys, variables = rcnn_keys(detector), detector.named_variables()
    assert set(keys) == set(variables)
    assert len(set(keys.values())) == len(keys)
    ours = {keys[n]: tuple(v.shape) for n, v in variables.items()}
    assert ours == _manifest(shared, name)
    stored = shared / f"golden/layers/{name.rpartition('_coco17')[0] or name}.json"
    if stored.is_file():
        _check_layers(detector, keys, json.loads(stored.read_text())["layers"])


def _check_layers(detector, keys, stored):
    """Compares options of layers, which tell apart many of the same shape."""
    checked = set()
    for path, layer in _leaves(detector, ""):
        root = keys[f"{path}/{layer.weights[0].name}"].rpartition("/")[0]
        assert _options(layer) == _theirs(stored[root], layer), path
        checked.add(root)
    assert checked == set(stored)


def _leaves(layer, prefix):
    for inner in child_layers(layer):
        path = f"{prefix}{inner.name}"
        if child_layers(inner):
            yield from _leaves(inner, f"{path}/")
        elif inner.weights:
            yield path, inner


def _options(layer):
    if isinstance(layer, keras.layers.BatchNormalization):
        return (
            pytest.approx(layer.momentum),
            pytest.approx(layer.epsilon),
            layer.center,
            layer.scale,
        )
    if isinstance(layer, keras.layers.Dense):
        return layer.units, layer.use_bias
    return (
        list(layer.kernel_size),
        list(layer.strides),
        list(layer.dilation_rate),
        "valid" if layer.explicit_padding else layer.padding,
        layer.use_bias,
    )


def _theirs(stored, layer):
    if isinstance(layer, keras.layers.BatchNormalization):
        names = ["momentum", "epsilon", "center", "scale"]
        return tuple(stored[n] for n in names)
    if isinstance(layer, keras.layers.Dense):
        return stored["units"], stored["use_bias"]
    names = ["kernel_size", "strides", "dilation_rate", "padding", "use_bias"]
    return tuple(stored[n] for n in names)


@pytest.mark.parametrize(
    "name",
    [
        "faster_rcnn_resnet50_v1_640x640_coco17_tpu-8",
        "mask_rcnn_inception_resnet_v2_1024x1024_coco17_gpu-8",
    ],
)
def test_real_files_of_the_zoo_have_these_keys(shared, name):
    folder = pathlib.Path(shared) / "golden/zoo_index" / name
    checkpoint = Checkpoint(folder)
    manifest = _manifest(shared, name)
    assert {k: checkpoint.find(k) for k in manifest if not checkpoint.find(k)} == {}
    there = {k.removesuffix(_SUFFIX) for k in checkpoint if k.startswith("model/")}
    assert there == set(manifest)
    if (folder / "pipeline.config").is_file():
        config = load_config(folder / "pipeline.config")
        assert check(config, for_training=False, for_data=False) is not None
        assert set(rcnn_keys(build_detector(config)).values()) == there


_HEAD = "model.faster_rcnn.second_stage_box_predictor.mask_rcnn_box_predictor"
_NORM = "batch_norm { scale: true }"
_SECOND = "model/_mask_rcnn_box_predictor"
_BOX = f"{_SECOND}/_box_prediction_head/_box_encoder_layers"
_MASK = f"{_SECOND}/_third_stage_heads/mask_predictions/_mask_predictor_layers"
_RFCN = "model/_rfcn_box_predictor"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        # Dropout is a layer of its own in the original's lists, and so is a norm.
        (
            [
                f"{_HEAD}.use_dropout=true",
                f"{_HEAD}.fc_hyperparams={{op: FC {_NORM}}}",
                "model.faster_rcnn.first_stage_box_predictor_conv_hyperparams={"
                f"op: CONV {_NORM}}}",
            ],
            {
                "roi_boxes/box/kernel": f"{_BOX}/2/kernel",
                "roi_boxes/box_norm/gamma": f"{_BOX}/3/gamma",
                "rpn/shared/norm/moving_mean": (
                    "model/_first_stage_box_predictor_first_conv/layer_with_weights-1/"
                    "moving_mean"
                ),
            },
        ),
        # An activation follows each norm.
        (
            [
                "model.faster_rcnn.number_of_stages=3",
                f"{_HEAD}.predict_instance_masks=true",
                f"{_HEAD}.mask_prediction_num_conv_layers=3",
                f"{_HEAD}.conv_hyperparams={{op: CONV {_NORM}}}",
            ],
            {
                "roi_masks/conv_0_norm/beta": f"{_MASK}/1/beta",
                "roi_masks/conv_1/kernel": f"{_MASK}/3/kernel",
                "roi_masks/predict/bias": f"{_MASK}/6/bias",
            },
        ),
        # And so is what makes the map larger.
        (
            [
                "model.faster_rcnn.number_of_stages=3",
                f"{_HEAD}.predict_instance_masks=true",
                f"{_HEAD}.convolve_then_upsample_masks=true",
                f"{_HEAD}.mask_height=8",
                f"{_HEAD}.mask_width=8",
                f"{_HEAD}.conv_hyperparams={{op: CONV {_NORM}}}",
            ],
            {
                "roi_masks/conv_0/kernel": f"{_MASK}/0/kernel",
                "roi_masks/upsample/kernel": f"{_MASK}/4/kernel",
                "roi_masks/upsample_norm/gamma": f"{_MASK}/5/gamma",
                "roi_masks/predict/bias": f"{_MASK}/7/bias",
            },
        ),
        (
            [
                "model.faster_rcnn.second_stage_box_predictor={rfcn_box_predictor {"
                "depth: 8 crop_height: 6 crop_width: 6 "
                f"conv_hyperparams {{ {_NORM} }} }} }}"
            ],
            {
                "rfcn/reduce/conv/kernel": f"{_RFCN}/_shared_conv_layers/0/kernel",
                "rfcn/reduce/conv_norm/beta": (f"{_RFCN}/_shared_conv_layers/1/beta"),
                "rfcn/box/kernel": f"{_RFCN}/_box_encoder_layers/0/kernel",
                "rfcn/class_norm/gamma": (f"{_RFCN}/_class_predictor_layers/1/gamma"),
            },
        ),
    ],
)
def test_options_leave_no_variable_without_a_key(monkeypatch, overrides, expected):
    narrow(monkeypatch)
    detector = build_detector(small_rcnn("c4", *overrides))
    keys = rcnn_keys(detector)
    assert set(keys) == set(detector.named_variables())
    assert len(set(keys.values())) == len(keys)
    assert {name: keys.get(name) for name in expected} == expected
