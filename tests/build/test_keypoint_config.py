"""The keypoint section of a config, made from the data."""

import pytest
from google.protobuf import text_format

import tiny_data
from odapi.build.keypoint_config import keypoint_config, keypoint_config_text
from odapi.config.parse import to_text
from odapi.config.protos import pipeline_pb2
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


COCO = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
}
PERSON = ["nose"] + [f"{s}_{n}" for n in list(COCO)[1:] for s in ("left", "right")]


def with_people(names):
    def change(content):
        content["categories"][0]["keypoints"] = names
        points = [v for n in range(len(names)) for v in (3 * n, 2 * n, 2)]
        content["annotations"][0]["keypoints"] = points
        content["categories"][1]["keypoints"] = ["a", "b"]
        content["annotations"][1]["keypoints"] = [30, 1, 2, 40, 9, 2]

    return change


@pytest.mark.parametrize(
    ("names", "is_coco"),
    [
        (PERSON, True),
        (PERSON[::-1], True),
        ([n.title().replace("_", " ") for n in PERSON], True),
        (PERSON[:-1], False),
        ([*PERSON, "tail"], False),
        ([*PERSON[:-1], "tail"], False),
    ],
)
def test_the_17_names_of_coco_have_the_sigmas_of_coco(names, is_coco, tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path, with_people(names)))
    text = keypoint_config_text(source)
    config = keypoint_config(source)
    task = config.model.center_net.keypoint_estimation_task[0]
    sigmas = config.eval_config.parameterized_metric[0].coco_keypoint_metrics
    found = {k: round(v, 4) for k, v in sigmas.keypoint_label_to_sigmas.items()}
    expected = {n: COCO[n.lower().replace("_", " ").split()[-1]] for n in PERSON}
    if is_coco:
        plain = {n.lower().replace(" ", "_"): v for n, v in found.items()}
        assert plain == expected
        assert round(task.keypoint_label_to_std[names[0]], 4) == round(
            10 * found[names[0]], 4
        )
    else:
        assert found != expected
    comments = [line for line in text.splitlines() if line.startswith("# Sigmas")]
    of_cat = "those of COCO" if is_coco else "estimated from the annotations, so"
    assert len(comments) == 2
    assert of_cat in comments[0]
    assert "deviations of dog: estimated" in comments[1]
    parsed = pipeline_pb2.TrainEvalPipelineConfig()
    text_format.Parse(text, parsed)
    assert parsed == config


@pytest.mark.parametrize(
    ("names", "unpaired"),
    [
        (["left_ear", "right_ear"], False),
        (["keypoint 0", "keypoint 1"], True),
        (["left_ear", "tail"], True),
        (["tail"], False),  # A single point has no other side.
    ],
)
def test_a_comment_names_classes_without_pairs_for_flips(names, unpaired, tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path, with_people(names)))
    text = keypoint_config_text(source)
    assert (
        "flip exchanges no keypoints of cat: none is named left" in text
    ) == unpaired
    assert "flip exchanges no keypoints of dog" in text
