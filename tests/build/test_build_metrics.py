"""EvalConfig to metrics."""

import pytest
from google.protobuf import text_format

from odapi.build.metrics import build_metrics, keypoint_edges
from odapi.config.load import load_config
from odapi.config.protos.eval_pb2 import EvalConfig
from odapi.errors import ConfigError
from odapi.labels import Category, Keypoint, LabelMap, label_map_of

NAMES = label_map_of(["cat", "dog", "car"])


def build(text, label_map=NAMES, options=""):
    text = f"eval_config {{ {text} }} [odapi.options] {{ {options} }}"
    return build_metrics(load_config(text), label_map)


@pytest.mark.parametrize("text", ["", 'metrics_set: "coco_detection_metrics"'])
def test_coco_boxes_are_the_default(text):
    assert len(build(text).compute()) == 12


def test_mask_metrics_come_after_those_of_boxes():
    both = build(
        'metrics_set: "coco_mask_metrics" metrics_set: "coco_detection_metrics"'
    ).compute()
    assert len(both) == 24
    assert next(iter(both)) == "DetectionBoxes_Precision/mAP"
    assert next(iter(build('metrics_set: "coco_mask_metrics"').compute())) == (
        "DetectionMasks_Precision/mAP"
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("include_metrics_per_category: true", 12 + 3),
        ("all_metrics_per_category: true", 12 + 3 + 36),
        ('super_categories { key: "pets" value: "cat, dog" }', 12 + 3 + 1),
    ],
)
def test_metrics_by_category(text, number):
    assert len(build(text).compute()) == number


KEYPOINTS = """
parameterized_metric { coco_keypoint_metrics {
  class_label: "cat"
  keypoint_label_to_sigmas { key: "nose" value: 0.03 }
} }
"""
CATS = LabelMap(
    (
        Category(1, "/m/01", "cat", (Keypoint(0, "nose"), Keypoint(1, "tail"))),
        Category(2, "dog", keypoints=(Keypoint(2, "nose"),)),
    )
)


def test_keypoints_are_measured_by_class():
    other = KEYPOINTS.replace("cat", "dog")
    metrics = build(KEYPOINTS + other, CATS)
    names = list(metrics.compute())
    assert len(names) == 12 + 10 + 10
    assert "Keypoints_Precision/mAP ByCategory/cat" in names
    assert "Keypoints_Recall/AR@100 (large) ByCategory/dog" in names
    assert metrics.members[1].sigmas.tolist() == [0.03, 0.05]


ESTIMATE = "evaluation { estimate_keypoint_sigmas: true }"


def test_estimated_sigmas_have_metrics_of_their_own():
    names = list(build(KEYPOINTS, CATS, ESTIMATE).compute())
    assert len(names) == 12 + 10 + 10
    assert names[12] == "Keypoints_Precision/mAP ByCategory/cat"
    assert names[22] == "KeypointsEstimatedSigmas_Precision/mAP ByCategory/cat"


def test_nothing_is_estimated_if_all_sigmas_are_given():
    text = KEYPOINTS.replace("cat", "dog")
    names = list(build(text, CATS, ESTIMATE).compute())
    assert len(names) == 12 + 10
    assert not [name for name in names if "Estimated" in name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (KEYPOINTS.replace("cat", "cow"), r"metric\[0\].*class_label: .*'cow'"),
        (KEYPOINTS.replace("nose", "nos"), "'nos' is not a keypoint of 'cat'"),
        (
            "parameterized_metric {}",
            r"parameterized_metric\[0\]: is empty\n"
            "  hint: set one of coco_keypoint_metrics",
        ),
        (KEYPOINTS * 2, "the same metric"),
    ],
)
def test_keypoint_metrics_that_cannot_be(text, message):
    with pytest.raises(ConfigError, match=message):
        build(text, CATS)


def test_lines_between_keypoints():
    text = "keypoint_edge { start: 0 end: 2 } keypoint_edge { start: 1 end: 2 }"
    assert keypoint_edges(text_format.Parse(text, EvalConfig())) == ((0, 2), (1, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'metrics_set: "coco_detection_metric"',
            r"eval_config.metrics_set\[0\]: unknown metric 'coco_detection_metric'",
        ),
        (
            'metrics_set: "coco_detection_metric"',
            "did you mean 'coco_detection_metrics",
        ),
        (
            'metrics_set: "pascal_voc_detection_metrics"',
            "is not supported yet\n"
            "  hint: supported are coco_detection_metrics, coco_mask",
        ),
        (
            'super_categories { key: "pets" value: "cat,cow" }',
            "eval_config: super_categories contains the class 'cow'",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        build(text)
