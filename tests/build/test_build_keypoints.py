"""Keypoint tasks from configs and label maps."""

import pytest
from google.protobuf import text_format

from odapi.build.center_keypoints import build_keypoint_task
from odapi.build.hyperparams import BuildContext
from odapi.config.load import load_config
from odapi.config.protos import center_net_pb2
from odapi.config.rules import center_net
from odapi.errors import ConfigError
from odapi.geometry.keypoints import (
    GaussianWeighted,
    KeypointRefiner,
    Nearest,
    ScorePerDistance,
    ScorePerScaledDistance,
)
from odapi.models.center.keypoint_task import (
    HighestNearby,
    KeypointWeights,
    SnapToPeaks,
)

LABEL_MAP = """
item {
  id: 1 name: "/m/01" display_name: "car"
  keypoints { id: 3 label: "wheel" }
}
item { id: 2 name: "tree" }
item {
  id: 4 name: "dog"
  keypoints { id: 0 label: "nose" }
  keypoints { id: 1 label: "tail" }
}
"""
TASK = """
  task_name: "dog_pose"
  keypoint_class_name: "dog"
  loss {
    localization_loss { l1_localization_loss { } }
    classification_loss {
      penalty_reduced_logistic_focal_loss { alpha: 2.0 beta: 4.0 }
    }
  }
"""
PLACE = "model.center_net.keypoint_estimation_task[0]"


@pytest.fixture
def build(tmp_path):
    file = tmp_path / "keypoints.pbtxt"
    file.write_text(LABEL_MAP)

    def build(change="", boxes=True, path=str(file), more=""):
        text = f"keypoint_estimation_task {{ {TASK} }} {more}"
        config = text_format.Parse(text, center_net_pb2.CenterNet())
        text_format.Merge(change, config.keypoint_estimation_task[0])
        config.keypoint_label_map_path = path
        if boxes:
            config.object_detection_task.SetInParent()
        task = config.keypoint_estimation_task[0]
        return build_keypoint_task(task, PLACE, config, BuildContext(0, "float32"))

    return build


def mistakes(change="", more="object_detection_task { }"):
    """Returns what the rules of a whole CenterNet report about its tasks."""
    text = f"keypoint_estimation_task {{ {TASK} {change} }} {more}"
    config = load_config(f"model {{ center_net {{ {text} }} }}")
    return [str(finding) for finding in center_net.find(config)]


def test_defaults_are_those_of_the_schema(build):
    task = build()
    assert (task.name, task.class_id, task.indices, task.total) == (
        "dog_pose", 3, (0, 1), 2,
    )  # fmt: skip
    assert task.deviations == (1.0, 1.0)
    snapping = KeypointRefiner(Nearest(), 0.1, 0.1, 1.2, 0.3)
    assert task.decoding == SnapToPeaks(snapping, 3, 100)
    assert task.weights == KeypointWeights()
    assert (task.offset_radius, task.per_keypoint_offset, task.has_depth) == (
        0,
        False,
        False,
    )
    assert (task.clip, task.rescoring_threshold) == (False, None)
    assert [h.filters for h in task.heads] == [(256,)] * 3


def test_the_class_must_be_one_of_the_model(build):
    assert build(more="num_classes: 4").class_id == 3
    with pytest.raises(ConfigError, match=r"'dog' has id 4 in .* num_classes is 3"):
        build(more="num_classes: 3")


def test_every_field_arrives(build):
    task = build(
        """
        task_loss_weight: 2 keypoint_regression_loss_weight: 0.3
        keypoint_heatmap_loss_weight: 0.4 keypoint_offset_loss_weight: 0.5
        keypoint_depth_loss_weight: 0.6 heatmap_bias_init: -3
        keypoint_label_to_std { key: "tail" value: 0.7 }
        keypoint_candidate_score_threshold: 0.2 num_candidates_per_keypoint: 7
        peak_max_pool_kernel_size: 5 unmatched_keypoint_score: 0.05 box_scale: 1.5
        candidate_search_scale: 0.4 offset_peak_radius: 3 per_keypoint_offset: true
        predict_depth: true per_keypoint_depth: true
        clip_out_of_frame_keypoints: true rescore_instances: true
        rescoring_threshold: 0.25
        heatmap_head_params { num_filters: [8, 9] kernel_sizes: [3, 1] }
        regress_head_params { num_filters: 10 kernel_sizes: 5 }
        """
    )
    assert task.weights == KeypointWeights(2.0, 0.4, 0.5, 0.3, 0.6)
    assert task.deviations == (1.0, 0.7)
    assert task.decoding == SnapToPeaks(
        KeypointRefiner(Nearest(), 0.2, 0.05, 1.5, 0.4), window=5, max_peaks=7
    )
    assert (task.offset_radius, task.per_keypoint_offset) == (3, True)
    assert (task.has_depth, task.per_keypoint_depth, task.clip) == (True, True, True)
    assert task.rescoring_threshold == 0.25
    layers = [(h.filters, h.kernels) for h in task.heads]
    assert layers == [
        ((8, 9), (3, 1)), ((256,), (3,)), ((10,), (5,)), ((256,), (3,)),
    ]  # fmt: skip
    assert [h.channels for h in task.heads] == [2, 4, 4, 2]
    assert task.heads[0].bias == -3


@pytest.mark.parametrize(
    ("change", "ranking"),
    [
        ("'min_distance'", Nearest()),
        ("'score_distance_ratio' score_distance_offset: 3", ScorePerDistance(3.0)),
        ("'score_distance_ratio'", ScorePerDistance(1.0)),
        (
            "'score_scaled_distance_ratio' score_distance_multiplier: 0.2",
            ScorePerScaledDistance(0.2),
        ),
        (
            "'gaussian_weighted' std_dev_multiplier: 2 "
            "keypoint_label_to_std { key: 'nose' value: 0.3 }",
            GaussianWeighted((0.6, 2.0)),
        ),
    ],
)
def test_ranking_modes(build, change, ranking):
    task = build(f"candidate_ranking_mode: {change}")
    assert task.decoding.snapping.ranking == ranking


def test_argmax_postprocessing(build):
    task = build(
        "argmax_postprocessing: true gaussian_denom_ratio: 0.3 "
        "candidate_ranking_mode: 'gaussian_weighted_const'"
    )
    assert task.decoding == HighestNearby(0.3)


def test_detections_have_the_keypoints_of_all_tasks(build):
    other = f"keypoint_estimation_task {{ {TASK} }}".replace("dog_pose", "car")
    task = build(more=other.replace('"dog"', '"car"'))
    assert task.total == 4  # Ids go to 3; nothing has the id 2.


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        ("keypoint_class_name: 'dgo'", "keypoint_class_name", "did you mean 'dog'"),
        ("keypoint_class_name: 'tree'", "keypoint_class_name", "has no keypoints"),
        (
            "keypoint_label_to_std { key: 'nos' value: 1 }",
            "keypoint_label_to_std",
            "did you mean 'nose'",
        ),
        ("keypoint_label_to_std { key: 'nose' value: 0 }", "std['nose']", "above 0"),
        ("candidate_ranking_mode: 'nearest'", "ranking_mode", "min_distance"),
        (
            "candidate_ranking_mode: 'gaussian_weighted_const'",
            "ranking_mode",
            "argmax_postprocessing",
        ),
        ("argmax_postprocessing: true", "ranking_mode", "gaussian_weighted_const"),
        ("task_name: ''", "task_name", "is missing"),
    ],
)
def test_mistakes_are_named(build, change, place, says):
    with pytest.raises(ConfigError) as caught:
        build(change)
    assert place in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        "candidate_ranking_mode: 'gaussian_weighted'",
        "candidate_ranking_mode: 'score_scaled_distance_ratio'",
        "candidate_ranking_mode: 'gaussian_weighted_const' argmax_postprocessing: true",
    ],
)
def test_what_needs_boxes_says_so(build, change):
    build(change)
    assert any("needs object_detection_task" in said for said in mistakes(change, ""))


def test_a_missing_label_map_is_named():
    assert any("keypoint_label_map_path: is missing" in said for said in mistakes())


def test_two_tasks_cannot_have_one_name():
    said = mistakes(more=f"keypoint_estimation_task {{ {TASK} }}")
    assert sum("'dog_pose' is the name of another task" in each for each in said) == 2
