"""Evaluation of a SavedModel by running it."""

import json
import shutil

import numpy as np
import pytest

import odapi
from odapi.api.shared_models import SHARED_MODELS
from odapi.errors import ConfigError
from tiny_data import NAMES, write_coco

MAP = "DetectionBoxes_Precision/mAP"


@pytest.fixture(autouse=True)
def nothing_loaded():
    SHARED_MODELS.clear()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Data whose classes are called "dog" and "cat", like those of the model."""

    def rename(content):
        for category in content["categories"]:
            category["name"] = ["dog", "cat"][category["id"] - 1]

    return write_coco(tmp_path_factory.mktemp("data"), rename)


def test_the_program_gives_the_metrics_of_its_weights(exported, data, tmp_path):
    expected = odapi.evaluate(exported, data, output=tmp_path / "weights")
    result = odapi.evaluate(exported / "saved_model", data, output=tmp_path / "program")
    assert (result.num_images, result.num_objects) == (
        expected.num_images, expected.num_objects,
    )  # fmt: skip
    assert result.metrics == pytest.approx(expected.metrics, abs=1e-3)
    rows = [
        json.loads((tmp_path / name / "detections.json").read_text())
        for name in ("weights", "program")
    ]
    assert len(rows[0]) == len(rows[1]) > 0
    scores = [sorted(row["score"] for row in part) for part in rows]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)
    for name in ("metrics.json", "mosaic.png", "label_map.json"):
        assert (tmp_path / "program" / name).is_file()


def test_a_saved_model_alone_needs_data_and_names(exported, data, tmp_path, capsys):
    alone = tmp_path / "alone"
    shutil.copytree(exported / "saved_model", alone / "saved_model")
    named = odapi.evaluate(alone, data, label_map=["dog", "cat"])
    unnamed = odapi.ObjectDetector.load(alone).evaluate(data, max_images=2)
    assert "its ids are taken as those of the dataset" in capsys.readouterr().err
    assert named.num_images > unnamed.num_images == 2
    assert [row.name for row in unnamed.categories] == ["dog", "cat"]
    with pytest.raises(ConfigError, match="name the data: --eval-data coco:PATH"):
        odapi.evaluate(alone)
    with pytest.raises(ConfigError) as caught:
        odapi.evaluate(alone, data, with_losses=True)
    assert str(caught.value) == (
        "losses: cannot be computed for an exported program\n"
        "  hint: evaluate the weights that it was exported from"
    )


def test_images_that_cannot_be_read_are_skipped(exported, tmp_path):
    spec = write_coco(tmp_path)
    names = odapi.evaluate(exported / "saved_model", spec, label_map=NAMES)
    first = sorted((tmp_path / "images").iterdir())[0]
    first.write_bytes(first.read_bytes()[:200])
    result = odapi.evaluate(exported / "saved_model", spec, label_map=NAMES)
    assert result.num_images == names.num_images - 1
    assert len(result.skipped) == 1


def test_without_tensorflow_the_weights_beside_are_used(exported, image, monkeypatch):
    program = odapi.predict(exported, image, 0.0)
    SHARED_MODELS.clear()
    monkeypatch.setattr("odapi.api.load_model.missing_packages", lambda _: ["tf"])
    lines = []
    monkeypatch.setattr("odapi.api.load_model.console", lambda: Lines(lines))
    detector = odapi.ObjectDetector.load(exported)
    assert not detector.is_exported
    np.testing.assert_allclose(
        detector.predict(image, 0.0)[0].scores, program[0].scores, atol=1e-3
    )
    assert lines == [
        f"note: tf is not installed, so the weights in {exported / 'checkpoint'} are "
        "used instead of the SavedModel"
    ]


class Lines:
    def __init__(self, lines):
        self._lines = lines

    def print(self, line, **_):
        self._lines.append(line)


def test_what_load_detector_returns_is_a_model(run, image):
    loaded = odapi.load_detector(run)
    expected = odapi.predict(run, image, 0.0)
    for model in (loaded, loaded.detector):
        assert odapi.predict(model, image, 0.0)[0] == expected[0]


def test_a_loaded_detector_in_a_loop_is_compiled_once(run, image, monkeypatch):
    from odapi.models.single_stage.anchor_detector import AnchorDetector

    counted, call = [], AnchorDetector.call

    def counting(self, inputs, training=False):
        counted.append(inputs["images"].shape)
        return call(self, inputs, training)

    monkeypatch.setattr(AnchorDetector, "call", counting)
    loaded = odapi.load_detector(run)
    odapi.predict(loaded, image)
    traces = len(counted)
    for _ in range(3):
        odapi.predict(loaded, image)
    assert len(counted) == traces


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (5, "model: cannot be of type int"),
        (lambda images: [], "model: cannot be of type function without a label_map"),
    ],
)
def test_other_models_are_refused(model, problem, image):
    with pytest.raises(odapi.DataError) as caught:
        odapi.predict(model, image)
    assert str(caught.value) == (
        f"{problem}\n  hint: accepted are a path, an ObjectDetector, what "
        "odapi.load_detector or odapi.build_detector returned, or a callable "
        "`images -> list of dicts` with a `label_map`"
    )
