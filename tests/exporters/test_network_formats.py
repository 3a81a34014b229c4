"""Formats of networks that take resized images: files, metadata, predictions."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import odapi
from benchmarks.spread_weights import spread_weights
from odapi.api.model_path import locate
from odapi.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    ExportError,
    MissingPackageError,
)
from odapi.evaluation import evaluate
from odapi.exporters.exporter import ExportOptions
from odapi.exporters.formats import EXPORTERS, chosen_files
from odapi.exporters.map_drop import MAP, MapDrop
from odapi.exporters.model_info import ModelInfo, read_info
from odapi.exporters.network_predictor import NetworkPredictor
from odapi.labels import label_map_of
from requirement import require
from small_models import small_config

require("tensorflow")
onnx = require("onnx")
require("onnxruntime")
require("openvino")
require("ai_edge_litert")
require("litert_quantizer")
require("nncf")

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
)

FILES = {"onnx": "model.onnx", "openvino": "openvino", "tflite": "model.tflite"}
PADDED = (
    "model.ssd.image_resizer={keep_aspect_ratio_resizer{"
    "min_dimension: 48 max_dimension: 64 pad_to_max_dimension: true}}"
)


def detector_of(*overrides, family="ssd"):
    config = small_config(family, *overrides)
    detector = odapi.build_detector(config, seed=0)
    spread_weights(detector)
    held = odapi.ObjectDetector.from_keras(detector)
    return odapi.ObjectDetector(held._held)


def pictures(number=3):
    """Returns images of several sizes."""
    rng = np.random.default_rng(0)
    shapes = [(64, 64, 3), (40, 90, 3), (120, 64, 3)]
    return [rng.integers(0, 256, shapes[i % 3], np.uint8) for i in range(number)]


def assert_equal_predictions(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert len(one) == len(other) > 0
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An SSD of padded images, in all formats and two precisions."""
    detector = detector_of(PADDED)
    folder = tmp_path_factory.mktemp("export") / "out"
    done = detector.export(
        folder,
        format="onnx,openvino,tflite",
        precision=["float32", "float16"],
        untrained=True,
    )
    return detector, done


def test_each_format_is_written_in_each_precision_and_compared(exported):
    _, done = exported
    assert [(f.format, f.precision, f.path.name) for f in done.files] == [
        ("onnx", "float32", "model.onnx"),
        ("onnx", "float16", "model_float16.onnx"),
        ("openvino", "float32", "openvino"),
        ("openvino", "float16", "openvino_float16"),
        ("tflite", "float32", "model.tflite"),
        ("tflite", "float16", "model_float16.tflite"),
    ]
    for file in done.files:
        assert file.difference < (1e-5 if file.precision == "float32" else 2e-2)
        assert file.equal_detections > 0.8
    single, half = done.files[0].megabytes, done.files[1].megabytes
    assert half < 0.75 * single
    report = json.loads((done.folder / "export.json").read_text())
    assert [row["path"] for row in report["files"]] == [f.path.name for f in done.files]


@pytest.mark.parametrize("format", FILES)
def test_a_file_alone_finds_what_the_detector_finds(exported, tmp_path, format):
    detector, done = exported
    alone = (done.folder / FILES[format]).rename(tmp_path / FILES[format])
    try:
        model = odapi.ObjectDetector.load(alone)
        found = model.predict(pictures(), min_score=0.05)
    finally:
        alone.rename(done.folder / FILES[format])
    assert_equal_predictions(found, detector.predict(pictures(), min_score=0.05))
    assert model.label_map.by_name.keys() == detector.label_map.by_name.keys()


@pytest.mark.parametrize("format", FILES)
def test_files_carry_config_classes_and_verification(exported, format):
    _, done = exported
    info = EXPORTERS[format].load(done.folder / FILES[format]).info
    assert info.precision == "float32"
    assert info.pipeline.model.ssd.num_classes == 2
    assert info.verification["equal_detections"] > 0.8
    assert json.loads(info.to_json())["config_sha256"] == info.config_hash
    assert len(info.config_hash) == 64


def test_the_file_is_named_or_its_folder(exported):
    _, done = exported
    load = odapi.ObjectDetector.load
    xml = done.folder / "openvino" / "model.xml"
    names = {path: load(path).predictor.name for path in (done.folder, xml.parent, xml)}
    first = done.folder / "model.tflite"  # Of several, the first row of the table.
    assert list(names.values()) == [str(first), str(xml), str(xml)]


def test_int8_without_images_is_refused(tmp_path):
    with pytest.raises(
        ConfigError, match=r"int8 needs images[\s\S]*--calibration-data"
    ):
        detector_of().export(
            tmp_path / "out", format="tflite", precision="int8", untrained=True
        )
    assert not list((tmp_path / "out").glob("model*"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_networks_are_quantized_and_boxes_are_not(tmp_path):
    detector = detector_of()
    done = detector.export(
        tmp_path / "out",
        format="tflite,onnx,openvino",
        precision="float32,int8,dynamic",
        calibration_data=dataset(tmp_path),
        untrained=True,
    )
    sizes = {(f.format, f.precision): f.megabytes for f in done.files}
    for file in done.files:
        if file.precision == "float32":
            continue
        assert file.difference < 0.3
        # The anchors, which remain in float32, are a part of so small a model.
        assert file.megabytes < 0.7 * sizes[file.format, "float32"]
        found = odapi.ObjectDetector.load(file.path).predict(pictures(), min_score=0.05)
        assert all(len(one) for one in found)
    assert set(sizes) == {
        ("tflite", "float32"), ("tflite", "int8"), ("tflite", "dynamic"),
        ("onnx", "float32"), ("onnx", "int8"),
        ("openvino", "float32"), ("openvino", "int8"),
    }  # fmt: skip


@pytest.mark.parametrize("format", FILES)
def test_a_fixed_batch_is_filled_up(tmp_path, format):
    detector = detector_of()
    done = detector.export(
        tmp_path / "out", format=format, batch_size=2, untrained=True
    )
    model = odapi.ObjectDetector.load(done.files[0].path)
    found = model.predict(pictures(3), min_score=0.05)
    assert_equal_predictions(found, detector.predict(pictures(3), min_score=0.05))


def test_float_images_are_not_rounded(tmp_path):
    done = detector_of().export(
        tmp_path / "out", "float_image_tensor", format="onnx", untrained=True
    )
    network = EXPORTERS["onnx"].load_network(done.files[0].path)
    assert network.inputs["input_tensor"].dtype == "float32"
    assert network.inputs["input_tensor"].shape == (None, 64, 64, 3)
    assert set(network.inputs) == {"input_tensor"}


def test_what_is_named_is_what_runs(exported):
    """Of a folder, its weights are evaluated; of a file in it, the file."""
    _, done = exported
    programs = {file.path.name: locate(file.path).is_program for file in done.files}
    assert len(programs) == 6 and all(programs.values())
    assert not locate(done.folder).is_program


def test_other_files_in_a_run_are_not_its_model(tmp_path):
    for name in ("weights.h5", "pipeline.config", "notes.onnx", "notes.tflite"):
        (tmp_path / name).write_text("")
    place = locate(tmp_path)
    assert (place.format, place.weights) == ("", tmp_path)


def test_nms_is_one_operator_and_there_is_no_loop(exported):
    _, done = exported
    graph = onnx.load(done.folder / "model.onnx").graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("NonMaxSuppression") == 1
    assert not {"Loop", "If", "Scan"} & set(kinds)


def test_map_is_measured_on_request(tmp_path):
    done = detector_of().export(
        tmp_path / "out", format="onnx", untrained=True, verify_data=dataset(tmp_path)
    )
    (file,) = done.files
    assert file.images == 3  # Two of the dataset, and the synthetic one.
    assert 0 <= file.map_detector <= 1
    assert file.drop == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("precision", "max_drop", "allowed"),
    [
        ("float32", None, 0.01),
        ("float16", None, 0.01),
        ("int8", None, 0.02),
        ("int8", 0.3, 0.3),
        ("float32", 0.5, None),  # As much as is lost here.
    ],
)
def test_a_loss_of_map_is_refused(
    exported, tmp_path, monkeypatch, precision, max_drop, allowed
):
    detector, done = exported
    drop = MapDrop(detector.with_weights("export"), dataset(tmp_path), max_drop)
    real = evaluate.evaluate

    def half(*args, **kwargs):
        result = real(*args, **kwargs)
        result.metrics[MAP] = 0.5
        return result

    def nothing(self, images):
        empty = {"boxes": np.zeros((0, 4)), "classes": np.zeros(0, int)}
        return [empty | {"scores": np.zeros(0)} for _ in images]

    monkeypatch.setattr(evaluate, "evaluate", half)
    monkeypatch.setattr(NetworkPredictor, "__call__", nothing)
    measure = lambda: drop.measure(EXPORTERS["onnx"], done.folder, precision)  # noqa: E731
    if allowed is None:
        assert measure() == {"map_detector": 0.5, "map_exported": 0.0}
        return
    with pytest.raises(
        ExportError, match=rf"loss of 0\.500, and {allowed:g} is allowed"
    ):
        measure()


def dataset(folder):
    """Writes two images with a box each; returns their spec."""
    images, annotations = [], []
    for i, pixels in enumerate(pictures(2), start=1):
        Image.fromarray(pixels).save(folder / f"{i}.png")
        height, width = pixels.shape[:2]
        images.append(
            {"id": i, "file_name": f"{i}.png", "height": height, "width": width}
        )
        annotations.append(
            {"id": i, "image_id": i, "category_id": 1, "bbox": [5, 5, 30, 20]}
            | {"area": 600, "iscrowd": 0}
        )
    categories = [{"id": 1, "name": "class 1"}, {"id": 2, "name": "class 2"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "data.json").write_text(json.dumps(content))
    return f"coco:{folder / 'data.json'}"


def test_a_program_is_evaluated_with_the_config_that_it_carries(exported, tmp_path):
    detector, done = exported
    data = dataset(tmp_path)
    found = odapi.ObjectDetector.load(done.folder / "model.onnx").evaluate(data)
    expected = detector.evaluate(data)
    assert found.metrics[MAP] == pytest.approx(expected.metrics[MAP], abs=1e-6)


@pytest.mark.parametrize(
    ("format", "file", "damage", "message"),
    [
        ("onnx", "model.onnx", b"no model", "cannot be read by ONNX Runtime"),
        ("openvino", "model.xml", b"<net", "cannot be read by OpenVINO"),
        ("tflite", "model.tflite", b"no model", "it is no TFLite file"),
        ("tflite", "model.tflite", b"0000TFL3" + bytes(40), "cannot be read by LiteRT"),
    ],
)
def test_damaged_files_are_refused(tmp_path, format, file, damage, message):
    (tmp_path / file).write_bytes(damage)
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match=message):
        odapi.ObjectDetector.load(tmp_path / file)


def test_files_of_others_are_refused(tmp_path):
    helper, float_ = onnx.helper, onnx.TensorProto.FLOAT
    value = [helper.make_tensor_value_info(n, float_, [1]) for n in ("x", "y")]
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "g", value[:1], value[1:])
    opset = [helper.make_opsetid("", 18)]
    onnx.save(
        helper.make_model(graph, opset_imports=opset, ir_version=10),
        tmp_path / "other.onnx",
    )
    with pytest.raises(CheckpointError, match=r"other\.onnx: has no metadata of odapi"):
        odapi.ObjectDetector.load(tmp_path / "other.onnx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no metadata of odapi"),
        ("{", "metadata of odapi cannot be read"),
        ('{"version": 1}', "metadata of odapi cannot be read"),
        (
            '{"version": 9, "config": "", "classes": ""}',
            "version 9, this odapi reads 1",
        ),
    ],
)
def test_metadata_that_cannot_be_read(text, message):
    with pytest.raises(CheckpointError, match=message):
        read_info(text, "model.onnx")


def test_metadata_is_read_as_it_was_written():
    info = ModelInfo(
        "model {}", "item { id: 1 name: 'a' }", "int8", 7, "fast", {"images": 3}
    )
    assert read_info(info.to_json(), "model.onnx") == info


@pytest.mark.parametrize(
    ("formats", "precisions", "expected"),
    [
        (["onnx"], ["float32"], [("onnx", "float32")]),
        (["onnx", "onnx"], ["float32"], [("onnx", "float32")]),
        (
            ["saved_model", "onnx"],
            ["float32", "float16"],
            [("saved_model", "float32"), ("onnx", "float32"), ("onnx", "float16")],
        ),
    ],
)
def test_formats_are_written_in_the_precisions_that_they_have(
    formats, precisions, expected
):
    found = chosen_files(formats, precisions)
    assert [(exporter.format, p) for exporter, p in found] == expected


@pytest.mark.parametrize(
    ("formats", "precisions", "message"),
    [
        (["onx"], ["float32"], "format: unknown value 'onx'"),
        (["onnx"], ["half"], "precision: unknown value 'half'"),
        (["saved_model"], ["float16"], "a SavedModel is not written in float16"),
    ],
)
def test_choices_that_cannot_be_written(formats, precisions, message):
    with pytest.raises(ConfigError, match=message):
        chosen_files(formats, precisions)


def test_files_of_images_are_no_input_of_a_network():
    with pytest.raises(ConfigError, match="tf_example is not supported by ONNX files"):
        EXPORTERS["onnx"].check(ExportOptions("tf_example"))


def test_missing_packages_name_the_install_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name, extra in (
        ("onnx", "onnx"),
        ("openvino", "openvino"),
        ("tflite", "tflite"),
    ):
        with pytest.raises(MissingPackageError, match=rf"odapi\[{extra}\]"):
            EXPORTERS[name].check(ExportOptions())


def test_images_are_checked_before_they_are_resized(exported):
    _, done = exported
    predictor = EXPORTERS["onnx"].load(done.folder)
    with pytest.raises(DataError):
        predictor([np.zeros((8, 8, 3), np.float64)])
    assert predictor([]) == []


def test_a_label_map_with_more_classes_is_refused(exported):
    _, done = exported
    with pytest.raises(CheckpointError, match="has ids up to 3, the model has 2"):
        EXPORTERS["onnx"].load(done.folder, label_map_of(["a", "b", "c"]))
    found = EXPORTERS["onnx"].load(done.folder, label_map_of(["a", "b"]))
    assert list(found.label_map.by_name) == ["a", "b"]
