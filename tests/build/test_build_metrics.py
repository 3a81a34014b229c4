"""EvalConfig to metrics."""

import pytest
from google.protobuf import text_format

from odapi.build.metrics import build_metrics
from odapi.config.protos.eval_pb2 import EvalConfig
from odapi.errors import ConfigError
from odapi.labels import label_map_of

NAMES = label_map_of(["cat", "dog", "car"])


def build(text):
    return build_metrics(text_format.Parse(text, EvalConfig()), NAMES)


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'metrics_set: "coco_detection_metric"',
            r"eval_config.metrics_set\[0\]: unknown value 'coco_detection_metric'",
        ),
        (
            'metrics_set: "coco_detection_metric"',
            "did you mean 'coco_detection_metrics",
        ),
        (
            'metrics_set: "pascal_voc_detection_metrics"',
            "not supported yet; supported is coco_detection_metrics, coco_mask",
        ),
        (
            'super_categories { key: "pets" value: "cat,cow" }',
            "eval_config: super_categories names the class 'cow'",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        build(text)
