"""Findings about keypoint tasks that cannot be built."""

import pytest

from odapi.config.check import find
from small_models import small_config

_MODEL = "model.center_net"
_TASK = (
    'task_name: "pose" keypoint_class_name: "cat" loss { '
    "localization_loss { LOSS {} } classification_loss { weighted_sigmoid {} } }"
)


def said_of(task=_TASK, *overrides, loss="l1_localization_loss"):
    task = task.replace("LOSS", loss)
    config = small_config(
        "center", f"{_MODEL}.keypoint_estimation_task=[{{{task}}}]", *overrides
    )
    return [str(f) for f in find(config) if "keypoint" in f.path]


def names(tmp_path):
    file = tmp_path / "map.pbtxt"
    file.write_text('item { id: 1 name: "cat" keypoints { id: 0 label: "nose" } }')
    return f"{_MODEL}.keypoint_label_map_path={file}"


def test_a_whole_task_is_fine(tmp_path):
    assert said_of(_TASK, names(tmp_path), "train_input_reader.num_keypoints=1") == []


@pytest.mark.parametrize(
    ("task", "override", "loss", "expected"),
    [
        (_TASK, f"{_MODEL}.keypoint_label_map_path=", None, "path: is missing"),
        (
            _TASK,
            f"{_MODEL}.keypoint_label_map_path=PATH_TO_BE_CONFIGURED",
            None,
            "set it to your file",
        ),
        (_TASK, f"{_MODEL}.keypoint_label_map_path=nowhere", None, "does not exist"),
        (
            _TASK,
            "train_input_reader.num_keypoints=0",
            None,
            "num_keypoints: is missing",
        ),
        (_TASK.replace("pose", ""), None, None, "task_name: is missing"),
        (_TASK, None, "weighted_giou", "offsets are not boxes"),
        (_TASK + " predict_depth: true", None, None, "does not load depths"),
    ],
)
def test_a_mistake_is_named(tmp_path, task, override, loss, expected):
    overrides = [names(tmp_path), "train_input_reader.num_keypoints=1"]
    overrides += [override] if override else []
    said = said_of(task, *overrides, loss=loss or "l1_localization_loss")
    assert any(expected in line for line in said), said


_METRIC = "eval_config.parameterized_metric=[{coco_keypoint_metrics {}}]"


@pytest.mark.parametrize(
    ("overrides", "missing"),
    [
        ((), False),
        (("eval_input_reader=[{}]",), True),
        (("eval_input_reader=[{num_keypoints: 3}]",), False),
        (("eval_input_reader=[{}]", "train_input_reader.num_keypoints=3"), False),
    ],
)
def test_keypoint_metrics_need_keypoints(overrides, missing):
    found = find(small_config("center", _METRIC, *overrides), False, False)
    said = "; ".join(str(f) for f in found)
    assert "parameterized_metric[0]: evaluates keypoints, but the model" in said
    assert ("eval_input_reader[0].num_keypoints: is missing" in said) == missing


@pytest.mark.parametrize(
    ("items", "task", "path", "expected"),
    [
        ('item { id: 1 name: "dog" keypoints { id: 0 label: "nose" } }', "",
         "keypoint_class_name", "unknown value 'cat'"),
        ('item { id: 1 name: "cat" }', "", "keypoint_class_name",
         "has no keypoints"),
        ('item { id: 9 name: "cat" keypoints { id: 0 label: "nose" } }', "",
         "keypoint_class_name", "and num_classes is"),
        ('item { id: 1 name: "cat" keypoints { id: 0 label: "nose" } }',
         'keypoint_label_to_std { key: "nsoe" value: 1 }',
         "keypoint_label_to_std", "did you mean 'nose'?"),
        ("item {", "", "keypoint_label_map_path", ":1"),
    ],
)  # fmt: skip
def test_label_maps_that_the_builder_refuses_are_found(
    tmp_path, items, task, path, expected
):
    override = names(tmp_path)
    (tmp_path / "map.pbtxt").write_text(items)
    overrides = (override, "train_input_reader.num_keypoints=1")
    [said] = said_of(f"{_TASK} {task}", *overrides)
    assert f".{path}: " in said and expected in said
