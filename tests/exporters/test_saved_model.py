"""SavedModels have the original's signatures and the detector's outputs."""

import numpy as np
import pytest

import tiny_data
from odapi.config.label_map import save_label_map
from odapi.data.image.resize import FixedShape, Identity, KeepAspectRatio
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.draw.file import encode_image
from odapi.errors import CheckpointError, ConfigError, DataError, ExportError
from odapi.exporters.exporter import ExportOptions
from odapi.exporters.input_types import INPUT_TYPES
from odapi.exporters.saved_model import graph_inputs
from odapi.exporters.saved_model.saved_model_exporter import SavedModelExporter
from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor
from odapi.exporters.saved_model.saved_model_writer import write_saved_model
from odapi.exporters.verify import verify
from odapi.labels import label_map_of
from odapi.tools import records
from odapi.tools.infer_detections import infer_detections
from requirement import require

tf = require("tensorflow")

EXPORTER = SavedModelExporter()
RESIZER = KeepAspectRatio(min_dimension=32, max_dimension=40, pad_to_max=True)

# Of ../shared/golden/saved_model_signature.txt, for 10 detections of 25 anchors and
# 3 classes: b is the batch size.
OUTPUTS = {
    "detection_anchor_indices": ["b", 10],
    "detection_boxes": ["b", 10, 4],
    "detection_classes": ["b", 10],
    "detection_multiclass_scores": ["b", 10, 4],
    "detection_scores": ["b", 10],
    "num_detections": ["b"],
    "raw_detection_boxes": ["b", 25, 4],
    "raw_detection_scores": ["b", 25, 4],
}


@pytest.fixture(scope="module")
def exported(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    write_saved_model(tiny, RESIZER, folder / "saved_model")
    save_label_map(label_map_of(["cat", "dog", "owl"]), folder / "label_map.pbtxt")
    return folder


@pytest.fixture(scope="module")
def predictor(exported):
    return SavedModelPredictor(exported)


def random_image(height=50, width=60, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def shapes(signature, batch):
    found = {
        name: [batch if size == "b" else size for size in shape]
        for name, shape in OUTPUTS.items()
    }
    assert {
        k: v.shape.as_list() for k, v in signature.structured_outputs.items()
    } == found


def test_signature_is_the_original_s(predictor):
    assert set(predictor.signatures) == {"serving_default", *INPUT_TYPES}
    for signature in predictor.signatures.values():
        shapes(signature, None)
        assert {v.dtype.name for v in signature.structured_outputs.values()} == {
            "float32"
        }
    spec = predictor.spec("serving_default")
    assert (spec.dtype.name, spec.shape.as_list()) == ("uint8", [None, None, None, 3])


def test_fixed_batch_size_gives_the_original_s_static_shapes(tiny, tmp_path):
    write_saved_model(tiny, RESIZER, tmp_path, batch_size=1)
    predictor = SavedModelPredictor(tmp_path)
    shapes(predictor.signatures["serving_default"], 1)
    assert predictor.spec("serving_default").shape.as_list() == [1, None, None, 3]
    # More images than the batch size are split into batches.
    images = np.stack([random_image(seed=s) for s in range(3)])
    assert predictor.outputs(images)["detection_boxes"].shape == (3, 10, 4)


def test_model_is_callable_as_in_the_original_s_tutorials(exported, predictor):
    detect = tf.saved_model.load(str(exported / "saved_model"))
    found = detect(tf.constant(random_image()[None]))
    expected = predictor.outputs(random_image())
    for name in OUTPUTS:
        np.testing.assert_array_equal(found[name], expected[name])


def test_outputs_are_the_detector_s_with_classes_from_one(tiny, predictor):
    resized, true = RESIZER.resize(random_image().astype(np.float32))
    expected = tiny.detect(
        {"images": resized[None], "true_size": np.array([true], np.int32)}, raw=True
    )
    found = predictor.outputs(random_image())
    np.testing.assert_allclose(
        found["raw_detection_boxes"], expected.raw_boxes, atol=1e-4
    )
    np.testing.assert_array_equal(found["detection_classes"], expected.classes + 1)
    np.testing.assert_array_equal(found["num_detections"], expected.num)


def test_predictor_returns_detections_in_the_form_of_every_predictor(predictor):
    found = predictor([random_image(), random_image(20, 90, 1)])
    assert predictor.label_map.label(0) == "cat"
    for objects in found:
        assert (
            len(objects["boxes"]) == len(objects["classes"]) == len(objects["scores"])
        )
        assert set(objects["classes"]) <= {0, 1, 2}
        assert (objects["scores"] > 0.5).all()


def test_label_map_is_read_from_beside_the_model(exported):
    beside = SavedModelPredictor(exported / "saved_model")
    assert len(beside.label_map) == 3
    assert beside.name == str(exported / "saved_model")


@pytest.mark.parametrize("input_type", INPUT_TYPES)
def test_verified_export_differs_in_the_last_digits_only(tiny, tmp_path, input_type):
    write_saved_model(tiny, RESIZER, tmp_path, input_type)
    options = ExportOptions(input_type)
    done = verify(EXPORTER, tmp_path, tiny, RESIZER, options, [random_image()])
    assert done.difference < 1e-3
    assert min(done.load_seconds, done.first_seconds, done.second_seconds) > 0


def test_verification_finds_another_model(tiny, exported):
    before = tiny.head.bias.numpy()
    tiny.head.bias.assign(before + 0.1)
    try:
        with pytest.raises(ExportError, match=r"raw_detection_boxes differs .* by 0"):
            verify(EXPORTER, exported / "saved_model", tiny, RESIZER, ExportOptions())
    finally:
        tiny.head.bias.assign(before)


def test_verification_finds_another_resizer(tiny, exported):
    other = FixedShape(height=40, width=40)
    with pytest.raises(ExportError, match="nothing was exported"):
        verify(EXPORTER, exported / "saved_model", tiny, other, ExportOptions())


def test_verification_compares_pixels_with_those_of_the_host(
    tiny, exported, monkeypatch
):
    resize = graph_inputs.resize
    brighter = lambda *args: (resize(*args)[0] + 2, resize(*args)[1])  # noqa: E731
    monkeypatch.setattr(graph_inputs, "resize", brighter)
    with pytest.raises(ExportError, match=r"pixels differ by 2 of 255"):
        verify(EXPORTER, exported / "saved_model", tiny, RESIZER, ExportOptions())


def test_resizer_without_a_fixed_size_is_refused(tiny, tmp_path):
    with pytest.raises(ConfigError, match="varying sizes"):
        write_saved_model(tiny, Identity(), tmp_path)


def test_folder_without_a_model_says_how_to_make_one(tmp_path):
    with pytest.raises(CheckpointError, match=r"no saved_model.pb[\s\S]*odapi export"):
        SavedModelPredictor(tmp_path)
    with pytest.raises(CheckpointError, match="does not exist"):
        SavedModelPredictor(tmp_path / "none")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (random_image(), "must be a list of images, got one array of shape (50, 60, 3)"
         "\n  hint: call it with [image]"),
        ("a.jpg", "must be a list of arrays, got str\n  hint: ObjectDetector.load(PATH)"
         ".predict(...) takes files, bytes and PIL images"),
        (b"\xff\xd8", "must be a list of arrays, got bytes\n  hint: ObjectDetector."
         "load(PATH).predict(...) takes files, bytes and PIL images"),
        (5, "must be a list of arrays, got int\n  hint: ObjectDetector."
         "load(PATH).predict(...) takes files, bytes and PIL images"),
    ],
)  # fmt: skip
def test_one_image_is_no_list(predictor, images, message):
    with pytest.raises(DataError) as caught:
        predictor(images)
    assert str(caught.value) == f"images: {message}"


def test_stored_detections_are_the_outputs_of_the_saved_model(
    exported, predictor, tmp_path, monkeypatch
):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))
    images = [random_image(seed=0), random_image(40, 30, seed=1)]
    rows = [
        tiny_data.example(
            {"image/encoded": [encode_image(image)], "image/source_id": [str(i)]}
        )
        for i, image in enumerate(images)
    ]
    tiny_data.write_records(tmp_path / "in.record", rows)
    numbers = infer_detections(
        [str(tmp_path / "in.record")], tmp_path / "out", str(exported)
    )
    source = open_tfrecord(tmp_path / "out")
    total = 0
    for i, image in enumerate(images):
        example = records.parse(source.record(i))
        outputs = predictor.outputs(image)
        count = int(outputs["num_detections"][0])
        sides = [
            records.values(example, f"image/detection/bbox/{side}")
            for side in ("ymin", "xmin", "ymax", "xmax")
        ]
        for name, found in (
            ("detection_boxes", np.transpose(sides)),
            ("detection_scores", records.values(example, "image/detection/score")),
            ("detection_classes", records.values(example, "image/detection/label")),
        ):
            found = np.asarray(found, "float32")
            np.testing.assert_array_equal(found, outputs[name][0][:count])
        total += count
    assert numbers["detections"] == total > 0
