"""NMS of TFLite files in the operator TFLite_Detection_PostProcess."""

import keras
import numpy as np
import pytest

import odapi
from benchmarks.spread_weights import spread_weights
from odapi.build.resizer import model_resizer
from odapi.errors import ConfigError
from odapi.exporters.exporter import ExportOptions
from odapi.exporters.formats import EXPORTERS
from odapi.exporters.source import ExportSource
from odapi.exporters.tflite.detection_op import NAME, detection_op
from requirement import require
from small_models import small_config

require("tensorflow")
require("ai_edge_litert")
require("litert_quantizer")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
)

PADDED = (
    "model.ssd.image_resizer={keep_aspect_ratio_resizer{"
    "min_dimension: 48 max_dimension: 64 pad_to_max_dimension: true}}"
)


def source_of(family, *overrides):
    config = small_config(family, *overrides)
    detector = odapi.build_detector(config, seed=0)
    spread_weights(detector)
    return ExportSource(detector, model_resizer(config))


def export(folder, nms, family="retina"):
    detector = source_of(family).detector
    held = odapi.ObjectDetector.from_keras(detector)
    done = held.export(folder, format="tflite", tflite_nms=nms, untrained=True)
    return held, done.files[0]


@pytest.fixture(scope="module")
def regular(tmp_path_factory):
    return export(tmp_path_factory.mktemp("op") / "out", "regular")


@pytest.mark.slow
def test_regular_nms_finds_what_the_detector_finds(regular):
    """Also with its limit per class, which the converter does not pass on."""
    held, file = regular
    assert file.difference < 1e-5 and file.equal_detections == 1.0
    images = [
        np.random.default_rng(i).integers(0, 256, (50, 70, 3), np.uint8)
        for i in range(2)
    ]
    found = odapi.ObjectDetector.load(file.path).predict(images, min_score=0.05)
    for one, other in zip(found, held.predict(images, min_score=0.05), strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
        assert one.labels == other.labels
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-4)


@pytest.mark.slow
def test_the_file_has_the_original_s_operator_order_and_classes_from_0(regular):
    from ai_edge_litert.interpreter import Interpreter

    _, file = regular
    model = Interpreter(model_content=file.path.read_bytes())
    # The order that programs for the original's files rely on.
    names = list(model.get_signature_runner().get_output_details())
    assert names == [
        "detection_boxes", "detection_classes", "detection_scores", "num_detections",
    ]  # fmt: skip
    shapes = [tuple(row["shape"].tolist()) for row in model.get_output_details()]
    assert shapes == [(1, 8, 4), (1, 8), (1, 8), (1,)]
    model.allocate_tensors()
    model.set_tensor(
        model.get_input_details()[0]["index"],
        np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8),
    )
    model.invoke()
    classes = model.get_tensor(model.get_output_details()[1]["index"])
    assert set(np.unique(classes)) == {0.0, 1.0}


@pytest.mark.slow
def test_options_are_those_of_the_config(regular):
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import flexbuffers

    _, file = regular
    model = schema.ModelT.InitFromPackedBuf(file.path.read_bytes())
    codes = [code.customCode for code in model.operatorCodes]
    (operator,) = (
        node
        for node in model.subgraphs[0].operators
        if codes[node.opcodeIndex] == NAME.encode()
    )
    found = flexbuffers.Loads(bytes(bytearray(operator.customOptions)))
    assert found == pytest.approx(
        {
            "max_detections": 8, "max_classes_per_detection": 1, "num_classes": 2,
            "detections_per_class": 5, "use_regular_nms": 1,
            "nms_score_threshold": 0.01, "nms_iou_threshold": 0.6,
            "y_scale": 10, "x_scale": 10, "h_scale": 5, "w_scale": 5,
        }
    )  # fmt: skip


@pytest.mark.slow
def test_fast_nms_returns_each_box_once(tmp_path):
    _, file = export(tmp_path / "out", "fast", "ssd")
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    (found,) = odapi.ObjectDetector.load(file.path).predict([image], min_score=0.05)
    assert len(found) and len(np.unique(found.boxes, axis=0)) == len(found)


@pytest.mark.parametrize(
    ("family", "overrides", "message"),
    [
        ("center", (), "fast needs an SSD, a RetinaNet or an EfficientDet"),
        ("ssd", (PADDED,), "the resizer pads"),
        (
            "ssd",
            ("model.ssd.box_coder={mean_stddev_box_coder{}}",),
            "cannot decode the boxes",
        ),
    ],
)
def test_models_that_it_cannot_decode_are_refused(family, overrides, message):
    with pytest.raises(ConfigError, match=message):
        detection_op(source_of(family, *overrides), "fast", (64, 64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExportOptions(tflite_nms="slow"), "tflite_nms: unknown value 'slow'"),
        (ExportOptions(batch_size=2, tflite_nms="fast"), "takes one image"),
    ],
)
def test_options_that_it_does_not_have(options, message):
    with pytest.raises(ConfigError, match=message):
        EXPORTERS["tflite"].check(options)
