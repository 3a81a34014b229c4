"""Importing a CenterNet of the original, and starting a training from one."""

import shutil

import numpy as np
import pytest

import odapi
import tf2_checkpoints as tf2
from odapi.build.detector import build_detector
from odapi.checkpoints.weights import values
from odapi.config.load import load_config, save_config
from odapi.errors import CheckpointError
from odapi.labels import Category, LabelMap, label_map_of
from odapi.training.initialize import initialize
from odapi.zoo.import_checkpoint import import_checkpoint
from odapi.zoo.keypoints import COCO_KEYPOINTS, named_keypoints
from odapi.zoo.names.detector_keys import detector_keys
from small_models import small_config

POSE = """
  keypoint_label_map_path: "PATH_TO_BE_CONFIGURED"
  keypoint_estimation_task {
    task_name: "pose" keypoint_class_name: "/m/01g317"
    loss {
      localization_loss { l1_localization_loss { } }
      classification_loss {
        penalty_reduced_logistic_focal_loss { alpha: 2.0 beta: 4.0 }
      }
    }
    heatmap_head_params { num_filters: 4 kernel_sizes: 3 }
    offset_head_params { num_filters: 4 kernel_sizes: 3 }
    regress_head_params { num_filters: 4 kernel_sizes: 3 }
    keypoint_label_to_std { key: "nose" value: 0.3 }
  }
"""
_EXTRACTOR = "feature_extractor/"
_BACKBONE = f"{_EXTRACTOR}backbone/"


def archive_of(config, folder, classes=None):
    """Writes an archive of the original; returns its weights by our names."""
    classes = classes or label_map_of(["a", "b"])
    detector = build_detector(config, seed=3, label_map=classes)
    keys = detector_keys(detector)
    weights = {n: v + 0.25 for n, v in values(detector.named_variables()).items()}
    tensors = {keys[name]: value for name, value in weights.items()}
    tf2.write(folder / "checkpoint" / "ckpt-0", tensors, packed=True)
    save_config(config, folder / "pipeline.config")
    return weights


def test_an_archive_fills_every_weight_and_is_found_again(tmp_path):
    weights = archive_of(small_config("center"), tmp_path / "archive")
    done = import_checkpoint(tmp_path / "archive", tmp_path / "run")
    assert done.lines[1] == f"  loaded      {len(weights)} of {len(weights)} variables"
    loaded = odapi.load_detector(tmp_path / "run")
    for name, value in values(loaded.detector.named_variables()).items():
        np.testing.assert_array_equal(value, weights[name])


def test_another_number_of_classes_is_told(tmp_path):
    archive_of(small_config("center"), tmp_path / "archive")
    with pytest.raises(CheckpointError, match="3 classes"):
        import_checkpoint(
            tmp_path / "archive",
            tmp_path / "run",
            overrides=["model.center_net.num_classes=3"],
        )


def test_keypoints_of_the_zoo_are_those_of_coco(tmp_path):
    config = small_config("center", "model.center_net.num_classes=90")
    text = str(config).replace("object_detection_task", f"{POSE} object_detection_task")
    config = load_config(text)
    config.model.center_net.keypoint_estimation_task[0].keypoint_class_name = "person"
    coco = named_keypoints(config, odapi_coco(), tmp_path)
    archive_of(config, tmp_path / "archive", coco)
    import_checkpoint(tmp_path / "archive", tmp_path / "run")
    # It can be moved: what names the keypoints is in it.
    shutil.move(tmp_path / "run", tmp_path / "moved")
    loaded = odapi.load_detector(tmp_path / "moved")
    person = loaded.label_map.by_id[1]
    assert [k.name for k in person.keypoints] == list(COCO_KEYPOINTS)
    assert person.label == "person"
    names = loaded.detector.named_variables()
    assert names["heads/pose-keypoint-heatmap_0/predict/bias"].shape == (17,)


def odapi_coco():
    from odapi.zoo.classes import coco

    return coco()


def pose_config(**changes):
    config = load_config(f"model {{ center_net {{ {POSE} }} }}")
    for name, value in changes.items():
        setattr(config.model.center_net, name, value)
    return config


def test_a_class_gets_the_name_by_which_the_config_calls_it(tmp_path):
    found = named_keypoints(pose_config(), odapi_coco(), tmp_path)
    person = found.by_id[1]
    assert (person.name, person.label) == ("/m/01g317", "person")
    assert found.num_keypoints == 17
    assert found.by_id[2] == odapi_coco().by_id[2]


def test_unknown_keypoints_are_an_error(tmp_path):
    config = pose_config()
    stds = config.model.center_net.keypoint_estimation_task[0].keypoint_label_to_std
    stds["left_paw"] = 0.3
    for classes in (odapi_coco(), LabelMap((Category(1, "dog"),))):
        with pytest.raises(
            CheckpointError, match="keypoint label map of the config does not exist"
        ):
            named_keypoints(config, classes, tmp_path)


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [("full", ""), ("detection", _EXTRACTOR), ("classification", _BACKBONE)],
)
def test_a_type_restores_its_part(tmp_path, kind, prefix):
    weights = archive_of(small_config("center"), tmp_path / "archive")
    config = small_config(
        "center",
        f"train_config.fine_tune_checkpoint={tmp_path / 'archive'}",
        f"train_config.fine_tune_checkpoint_type={kind}",
    )
    detector = build_detector(config, seed=4)
    before = values(detector.named_variables())
    initialize(config, detector)
    for name, value in values(detector.named_variables()).items():
        expected = weights if name.startswith(prefix) else before
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
