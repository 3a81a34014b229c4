"""From messages to suppression, scores and their calibration."""

import pytest
from google.protobuf import text_format

from odapi.build.postprocess import build_postprocess
from odapi.config.protos import post_processing_pb2
from odapi.errors import ConfigError
from odapi.geometry.nms.batched import NonMaxSuppression
from odapi.models.calibration import ClassFunctions, PiecewiseLinear, TemperatureScaling
from odapi.models.scores import ScoreConverter


def parse(text, message):
    return text_format.Parse(text, message)


def process_of(text, **options):
    message = parse(text, post_processing_pb2.PostProcessing())
    return build_postprocess(message, True, **options)


def test_postprocess():
    process = process_of(
        "batch_non_max_suppression { score_threshold: 1e-8 iou_threshold: 0.5 "
        "max_detections_per_class: 10 max_total_detections: 20 "
        "change_coordinate_frame: false } score_converter: SOFTMAX logit_scale: 2",
        candidates=500,
    )
    assert process.nms == NonMaxSuppression(0.5, 1e-8, 10, 20, candidates=500)
    assert process.scores == ScoreConverter("softmax", 2.0)
    assert not process.change_coordinate_frame
    assert process.has_background


SAME = ("use_combined_nms", "use_partitioned_nms", "use_hard_nms", "use_static_shapes")


@pytest.mark.parametrize("field", SAME)
def test_ways_to_compute_the_same(field):
    got = process_of(f"batch_non_max_suppression {{ {field}: true }}")
    assert got.nms == NonMaxSuppression()


def test_soft_and_agnostic_suppression():
    nms = process_of("batch_non_max_suppression { soft_nms_sigma: 0.5 }").nms
    assert nms.soft_sigma == 0.5
    nms = process_of(
        "batch_non_max_suppression { use_class_agnostic_nms: true "
        "max_classes_per_detection: 3 }"
    ).nms
    assert (nms.class_agnostic, nms.classes_per_detection) == (True, 3)


LINE = "x_y_pair { x: 0 y: 0.1 } x_y_pair { x: 1 y: 0.9 }"
CURVE = PiecewiseLinear((0.0, 1.0), (0.1, 0.9))
CALIBRATIONS = {
    f"function_approximation {{ x_y_pairs {{ {LINE} }} }}": CURVE,
    "temperature_scaling_calibration { scaler: 2 }": TemperatureScaling(2.0),
    "class_id_function_approximations { class_id_xy_pairs_map "
    f"{{ key: 3 value {{ {LINE} }} }} }}": ClassFunctions(((3, CURVE),)),
}


@pytest.mark.parametrize("text", CALIBRATIONS)
def test_calibration(text):
    got = process_of(f"calibration_config {{ {text} }}")
    assert got.scores.calibration == CALIBRATIONS[text]


def test_calibration_counts_class_ids_also_without_background():
    text = f"class_id_xy_pairs_map {{ key: 3 value {{ {LINE} }} }}"
    message = parse(
        f"calibration_config {{ class_id_function_approximations {{ {text} }} }}",
        post_processing_pb2.PostProcessing(),
    )
    got = build_postprocess(message, False).scores.calibration
    assert got == ClassFunctions(((2, CURVE),))


# What is wrong -> part of the message.
WRONG = {
    "soft and combined": (
        lambda: process_of(
            "batch_non_max_suppression { use_combined_nms: true soft_nms_sigma: 1 }"
        ),
        "use_combined_nms: cannot be used with soft_nms_sigma",
    ),
    "agnostic and combined": (
        lambda: process_of(
            "batch_non_max_suppression { use_combined_nms: true "
            "use_class_agnostic_nms: true }"
        ),
        "cannot be used with use_class_agnostic_nms",
    ),
    "no detections": (
        lambda: process_of("batch_non_max_suppression { max_total_detections: 0 }"),
        "batch_non_max_suppression.max_total_detections: is 0; allowed is 1 or more",
    ),
    "sigmoid calibration": (
        lambda: process_of("calibration_config { sigmoid_calibration {} }"),
        "calibration_config.sigmoid_calibration: is not supported yet",
    ),
    "falling x": (
        lambda: process_of(
            "calibration_config { function_approximation { x_y_pairs "
            "{ x_y_pair { x: 1 y: 0 } x_y_pair { x: 0 y: 1 } } } }"
        ),
        "function_approximation.x_y_pairs: the points must be in the order of x",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_built_is_said(name):
    build, message = WRONG[name]
    with pytest.raises(ConfigError) as error:
        build()
    assert message in str(error.value)
