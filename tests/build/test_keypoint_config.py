"""What a config has to say of keypoints, from the data."""

import pytest

import tiny_data
from odapi.build.keypoint_config import keypoint_config
from odapi.config.parse import to_text
from odapi.data.keypoint_flips import flip_permutation
from odapi.data.sources.open import open_source
from odapi.errors import DataError
from odapi.labels import Category, Keypoint, LabelMap


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("nose", "left_eye", "right_eye"), [0, 2, 1]),
        (("LeftEye", "RightEye", "Nose"), [1, 0, 2]),
        (("eye_l", "eye_r", "eye"), [1, 0, 2]),
        (("eyeL", "eyeR"), [1, 0]),
        (("LEFT_EAR", "RIGHT_EAR"), [1, 0]),
        (("left hand", "right hand"), [1, 0]),
        (("left_ear", "tail"), [0, 1]),  # Nothing to change places with.
        (("collar", "lip"), [0, 1]),  # Letters within words are no sides.
    ],
)
def test_what_changes_places_in_a_mirror(names, expected):
    points = tuple(Keypoint(i, n) for i, n in enumerate(names))
    assert flip_permutation(LabelMap((Category(1, "x", "", points),))) == expected


def test_classes_do_not_change_places_with_each_other():
    left = Category(1, "a", keypoints=(Keypoint(1, "left"),))
    right = Category(2, "b", keypoints=(Keypoint(0, "right"),))
    assert flip_permutation(LabelMap((left, right))) == [0, 1]


def with_keypoints(content):
    content["categories"][0]["keypoints"] = ["left_ear", "right_ear"]
    content["categories"][0]["skeleton"] = [[2, 1]]
    content["annotations"][0]["keypoints"] = [6, 20, 2, 12, 20, 1]
    content["annotations"][0]["area"] = 400


def test_a_config_of_a_coco_file(tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path, with_keypoints))
    config = keypoint_config(source)
    (task,) = config.model.center_net.keypoint_estimation_task
    assert (task.task_name, task.keypoint_class_name) == ("cat_keypoints", "cat")
    # 6 pixels apart, the square root of the area is 20: 0.28 * 0.3.
    stds = {k: round(v, 4) for k, v in task.keypoint_label_to_std.items()}
    assert stds == {"left_ear": 0.84, "right_ear": 0.84}
    metric = config.eval_config.parameterized_metric[0].coco_keypoint_metrics
    assert metric.class_label == "cat"
    assert round(metric.keypoint_label_to_sigmas["left_ear"], 4) == 0.084
    flip = config.train_config.data_augmentation_options[0].random_horizontal_flip
    assert list(flip.keypoint_flip_permutation) == [1, 0]
    assert config.train_input_reader.num_keypoints == 2
    (edge,) = config.eval_config.keypoint_edge
    assert (edge.start, edge.end) == (1, 0)
    assert "keypoint_estimation_task" in to_text(config)


def test_data_without_keypoints_are_refused(tmp_path):
    with pytest.raises(DataError, match="no class has named keypoints"):
        keypoint_config(open_source(tiny_data.write_coco(tmp_path)))
