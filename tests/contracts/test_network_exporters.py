"""The contract of exporters of networks: every family, equal to the detector."""

import keras
import numpy as np
import pytest

import odapi
from benchmarks.spread_weights import spread_weights
from narrow_rcnn import narrow, small_rcnn
from odapi.build.resizer import model_resizer
from odapi.errors import ConfigError
from odapi.exporters.exporter import ExportOptions
from odapi.exporters.formats import EXPORTERS
from odapi.exporters.model_info import model_info
from odapi.exporters.onnx.onnx_writer import onnx_model
from odapi.exporters.source import ExportSource
from odapi.exporters.verify import verify
from odapi.labels import label_map_of
from requirement import require
from small_models import small_config

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
)

FORMATS = {"onnx": "onnxruntime", "openvino": "openvino", "tflite": "ai_edge_litert"}
GRAY = (
    "model.ssd.image_resizer={fixed_shape_resizer{"
    "height: 64 width: 64 convert_to_grayscale: true}}"
)
VARYING = (
    "model.faster_rcnn.image_resizer={keep_aspect_ratio_resizer{"
    "min_dimension: 64 max_dimension: 96}}"
)
NMS = "model.ssd.post_processing.batch_non_max_suppression"
CASES = {
    "fpn": ("fpn", ()),
    "retina": ("retina", ()),
    "bifpn": ("bifpn", ()),
    "center": ("center", ()),
    "rcnn": ("pyramid", ()),
    "gray images": ("ssd", (GRAY,)),
    "NMS of all classes": (
        "ssd",
        (f"{NMS}.use_class_agnostic_nms=true", f"{NMS}.max_classes_per_detection=2"),
    ),
}


def test_soft_nms_is_refused():
    config = small_config("ssd", f"{NMS}.soft_nms_sigma=0.5")
    detector = odapi.build_detector(config, seed=0)
    source = ExportSource(detector, model_resizer(config))
    with pytest.raises(ConfigError, match=r"soft_nms_sigma: is 0\.5"):
        onnx_model(source, "uint8", None)


def test_images_of_varying_sizes_are_refused():
    config = small_config("rcnn", VARYING)
    detector = odapi.build_detector(config, seed=0)
    source = ExportSource(detector, model_resizer(config))
    with pytest.raises(ConfigError, match=r"an ONNX file can be exported for one size"):
        onnx_model(source, "uint8", None)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_family_is_written_in_every_format_and_equal(tmp_path, monkeypatch, name):
    family, overrides = CASES[name]
    if family == "pyramid":  # A ResNet-50 of full width takes gigabytes to convert.
        narrow(monkeypatch)
        config = small_rcnn(family, *overrides)
    else:
        config = small_config(family, *overrides)
    detector = odapi.build_detector(config, seed=0)
    spread_weights(detector)
    resizer = model_resizer(config)
    source = ExportSource(detector, resizer)
    classes = label_map_of([f"class {i}" for i in range(detector.num_classes)])
    options = ExportOptions()
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    for format, package in FORMATS.items():
        require(package)
        exporter = EXPORTERS[format]
        path = tmp_path / exporter.filename
        exporter.export(source, path, options)
        exporter.attach(path, model_info(config, classes, "float32", 1))
        # It raises where a score, a class or a box differs.
        done = verify(exporter, path, detector, resizer, options, [image])
        assert done.difference < 1e-4
        found = exporter.load(path)([image, image[:40]])
        assert [len(one["scores"]) > 0 for one in found] == [True, True]
