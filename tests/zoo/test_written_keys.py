"""Checkpoints written for the original: keys and shapes of each family are its own."""

import json

import numpy as np
import pytest
from google.protobuf import text_format

import odapi
from narrow_rcnn import narrow, small_rcnn
from odapi.build.detector import build_detector
from odapi.checkpoints import folder as folders
from odapi.checkpoints.load_detector import LoadedDetector
from odapi.checkpoints.metadata import metadata_writer
from odapi.checkpoints.weights import save_arrays, values
from odapi.config.label_map import load_label_map, save_label_map
from odapi.config.load import load_config, options
from odapi.config.parse import to_text
from odapi.labels import label_map_of
from odapi.zoo.checkpoint.reader import SUFFIX, Checkpoint
from odapi.zoo.export_checkpoint import original_variables
from odapi.zoo.import_checkpoint import import_checkpoint
from original_message import message_of_the_original
from small_models import small_config
from valueless import build_without_values
from weightless import PERSON

# One a structure; EfficientDet D1 and ResNet v2 have variables without any use.
NAMES = [
    "center_net_deepmac_512x512_voc_only_tpu-32",
    "centernet_hourglass104_512x512_kpts_coco17_tpu-32",
    "centernet_resnet50_v1_fpn_512x512_kpts_coco17_tpu-8",
    "centernet_resnet50_v2_512x512_kpts_coco17_tpu-8",
    "context_rcnn_resnet101_derived",
    "faster_rcnn_resnet50_v1_640x640_coco17_tpu-8",
    "faster_rcnn_resnet50_v1_fpn_640x640_coco17_tpu-8",
    "mask_rcnn_inception_resnet_v2_1024x1024_coco17_gpu-8",
    "ssd_efficientdet_d1_640x640_coco17_tpu-8",
    "ssd_mobilenet_v1_fpn_640x640_coco17_tpu-8",
    "ssd_mobilenet_v2_320x320_coco17_tpu-8",
    "ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8",
    "ssd_resnet50_v1_fpn_640x640_coco17_tpu-8",
]
_KEYPOINTS = "model.center_net.keypoint_label_map_path"


@pytest.fixture
def built_without_values(monkeypatch):
    """Variables have shapes and no memory: models are large, values do not matter."""
    monkeypatch.setattr(
        "odapi.checkpoints.weights.values",
        lambda variables: {
            name: np.broadcast_to(np.float32(0), tuple(variable.shape))
            for name, variable in variables.items()
        },
    )
    return lambda config: build_without_values(config, monkeypatch)


@pytest.mark.parametrize("name", NAMES)
def test_keys_and_shapes_are_those_of_the_original(
    shared, built_without_values, tmp_path, name
):
    listed = json.loads((shared / f"golden/manifest/{name}.json").read_text())
    theirs = {key: tuple(shape) for key, shape, _ in listed["variables"]}
    places = [shared / "configs/tf2", shared / "golden/aux/configs"]
    [file] = [p / f"{name}.config" for p in places if (p / f"{name}.config").is_file()]
    config = load_config(file)
    if config.model.HasField("center_net"):
        names = shared / "golden/aux/keypoint_label_map.pbtxt"
        config = load_config(config, [f"{_KEYPOINTS}={names}"])
    detector = built_without_values(config)
    loaded = LoadedDetector(detector, config, label_map_of(["a"]), 3, tmp_path)
    variables = original_variables(loaded)
    written = {key + SUFFIX: value.shape for key, value in variables.items()}
    others = {"_CHECKPOINTABLE_OBJECT_GRAPH", f"save_counter{SUFFIX}"}
    assert written == {k: s for k, s in theirs.items() if k not in others}
    assert {str(value.dtype) for value in variables.values()} == {"float32"}


_TASK = """{
  task_name: "pose" keypoint_class_name: "person"
  loss {
    localization_loss { l1_localization_loss { } }
    classification_loss { penalty_reduced_logistic_focal_loss { alpha: 2 beta: 4 } }
  }
}"""
_OPTIONS = '[odapi.options] { seed: 3 eval_data: "coco:a.json" }\n'


def _pose(folder, monkeypatch):
    names = folder / "names.pbtxt"
    save_label_map(PERSON, names)
    config = small_config(
        "center",
        "model.center_net.num_classes=1",
        f"{_KEYPOINTS}={names}",
        f"model.center_net.keypoint_estimation_task={_TASK}",
    )
    return config, PERSON


def _masks(folder, monkeypatch):
    narrow(monkeypatch)
    head = "model.faster_rcnn.second_stage_box_predictor.mask_rcnn_box_predictor"
    config = small_rcnn(
        "c4",
        "model.faster_rcnn.number_of_stages=3",
        f"{head}.predict_instance_masks=true",
        f"{head}.mask_prediction_conv_depth=8",
        f"{head}.conv_hyperparams={{op: CONV}}",
    )
    return config, label_map_of(["a b", "ü"])


@pytest.mark.parametrize("make", [_pose, _masks])
def test_it_comes_back_bit_for_bit(tmp_path, monkeypatch, make):
    config, label_map = make(tmp_path, monkeypatch)
    config = load_config(to_text(config) + _OPTIONS)
    detector = build_detector(config, seed=1)
    if make is _masks:  # Building is slow, and all weights are filled below.
        for module in ("odapi.build.detector", "odapi.checkpoints.load_detector"):
            monkeypatch.setattr(f"{module}.build_detector", lambda *a, **k: detector)
    expected = {n: v + 0.25 for n, v in values(detector.named_variables()).items()}
    run = tmp_path / "run"
    run.mkdir()
    save_arrays(run / folders.WEIGHTS, expected)
    metadata_writer(config, label_map)(run)
    done = odapi.export_checkpoint(run, tmp_path / "original")
    assert done.step is None
    assert f"step{SUFFIX}" not in list(Checkpoint(done.prefix))

    written = done.folder / folders.CONFIG
    theirs = message_of_the_original()
    text_format.Parse(written.read_text(), theirs)
    assert theirs.train_config.fine_tune_checkpoint == str(done.prefix.resolve())
    assert options(load_config(written)).seed == 0

    # The run, and so the names that its config refers to, may be on another machine.
    (tmp_path / "names.pbtxt").unlink(missing_ok=True)
    (run / folders.LABEL_MAP).unlink()
    for variable in detector.named_variables().values():
        variable.assign(variable * 0)
    import_checkpoint(done.folder, tmp_path / "back")
    back = odapi.load_detector(tmp_path / "back")
    found = values(back.detector.named_variables())
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert list(load_label_map(done.folder / folders.LABEL_MAP)) == list(label_map)
    assert list(back.label_map) == list(label_map)
