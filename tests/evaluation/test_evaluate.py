"""`odapi.evaluate`: its arguments and the files it writes."""

import json
import pathlib

import pytest

import odapi
from evaluation_fakes import LABEL_MAP, FakeDataset, FakeSource, PixelDetector, sample
from odapi.api.model_path import ModelPath
from odapi.api.shared_models import SHARED_MODELS
from odapi.checkpoints import load_detector
from odapi.checkpoints.load_detector import LoadedDetector
from odapi.config.load import load_config, options
from odapi.data.problems import Problems
from odapi.errors import ConfigError, DataError, OutputError
from odapi.evaluation import config_trackers, evaluate
from presence_evaluator import PresenceAccuracy

BOX = (1, 1, 6, 6)
SAMPLES = [sample(f"{n}", [(*BOX, n % 2)], [(*BOX, n % 2, 9)]) for n in range(5)]


CONFIG = """
model { ssd { image_resizer { fixed_shape_resizer { height: 32 width: 32 } } } }
eval_config { num_visualizations: 2 }
"""


@pytest.fixture
def asked(monkeypatch):
    """Puts a fake detector and data in place; remembers what was asked for."""
    asked = {"samples": SAMPLES, "bad": []}
    SHARED_MODELS.clear()

    def load(path, overrides):
        asked.update(path=path, overrides=list(overrides))
        folder = pathlib.Path("runs/first/checkpoints/step-00000800")
        config = load_config(CONFIG, overrides)
        return LoadedDetector(PixelDetector(), config, LABEL_MAP, 800, folder)

    def build_eval_dataset(config, label_map=None):
        asked.update(
            label_map=label_map,
            batch_size=config.eval_config.batch_size,
            eval_data=options(config).eval_data,
        )
        source = FakeSource(asked["samples"], asked["bad"])
        dataset = FakeDataset(source, config.eval_config.batch_size)
        dataset.problems = Problems()
        for name in asked["bad"]:
            dataset.problems.found("corrupt image", name)
        return dataset

    path = pathlib.Path("runs/first")
    place = ModelPath(path, None, "", path)
    monkeypatch.setattr("odapi.api.object_detector.locate", lambda _: place)
    monkeypatch.setattr("odapi.api.model_path.locate", lambda _: place)
    monkeypatch.setattr(load_detector, "load_detector", load)
    monkeypatch.setattr(evaluate, "build_eval_dataset", build_eval_dataset)
    yield asked
    SHARED_MODELS.clear()


def test_options_change_the_config(asked):
    result = odapi.evaluate(
        "runs/first", "coco:val.json", ["eval_config.num_visualizations=3"],
        batch_size=4,
    )  # fmt: skip
    assert asked["overrides"] == ["eval_config.num_visualizations=3"]
    assert (asked["eval_data"], asked["batch_size"]) == ("coco:val.json", 4)
    assert asked["label_map"] is LABEL_MAP  # Classes by name, those of the model.
    assert result.metrics["DetectionBoxes_Precision/mAP"] == pytest.approx(1.0)
    assert (result.step, result.num_images, result.examples) == (800, 5, ())


def test_an_object_is_evaluated_without_loading_again(asked):
    detector = odapi.ObjectDetector.load("runs/first")
    asked.pop("path")
    first = detector.evaluate("coco:a.json", batch_size=2)
    second = odapi.evaluate(detector, "coco:b.json", batch_size=2)
    assert "path" not in asked and asked["eval_data"] == "coco:b.json"
    assert detector.keras_model.traces == 1
    assert first.metrics == second.metrics
    with pytest.raises(ConfigError, match="the model is loaded already"):
        odapi.evaluate(detector, overrides=["a=1"])


def test_output_is_a_folder_of_files(asked, tmp_path):
    asked["bad"] = ["3"]
    result = odapi.evaluate("runs/first", output=tmp_path / "out", with_losses=True)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        ".odapi",
        "categories.csv",
        "detections.json",
        "label_map.json",
        "metrics.json",
        "mosaic.png",
        "pipeline.config",
        "precision_recall.png",
        "side_by_side",
    ]
    assert len(json.loads((tmp_path / "out" / "detections.json").read_text())) == 4
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["metrics"]["Loss/total_loss"] > 0
    assert content["step"] == 800 and content["parameters"] == 3
    assert content["model"] == str(pathlib.Path("runs/first/checkpoints/step-00000800"))
    assert load_config(tmp_path / "out").eval_config.num_visualizations == 2
    assert list(content["skipped"]) == ["3"]
    assert content["problems"][0]["kind"] == "corrupt image"
    assert len(result.examples) == 2


def test_evaluators_of_the_user_run_besides_those_of_the_config(asked):
    evaluator = PresenceAccuracy(["square", "circle"])
    result = odapi.evaluate("runs/first", evaluators=[evaluator])
    assert len(result.metrics) == 13
    assert result.metrics["Presence/accuracy"] == 1.0
    assert result.metrics["DetectionBoxes_Precision/mAP"] == pytest.approx(1.0)
    assert result.categories[0].ap50 == pytest.approx(1.0)  # Those of COCO come first.


def test_a_failed_evaluation_leaves_no_results(asked, tmp_path):
    asked["bad"] = [s["image_id"] for s in SAMPLES]
    with pytest.raises(DataError, match="no image could be evaluated"):
        odapi.evaluate("runs/first", output=tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == [".odapi"]


def test_an_evaluation_replaces_an_evaluation_and_nothing_else(asked, tmp_path):
    out = tmp_path / "out"
    odapi.evaluate("runs/first", output=out)
    (out / "notes.txt").write_text("mine")
    odapi.evaluate("runs/first", output=out, max_images=1)
    assert [p.name for p in (out / "side_by_side").iterdir()] == ["000.jpg"]
    (out / "metrics.json").write_text("{}")
    with pytest.raises(OutputError) as caught:
        odapi.evaluate("gone", output=out)
    assert caught.value.problem == (
        "has files that were changed since odapi wrote them: metrics.json"
    )
    assert (out / "notes.txt").read_text() == "mine"
    with pytest.raises(OutputError, match="is a file; the output of an evaluation is"):
        odapi.evaluate("gone", output=out / "notes.txt")


def test_files_of_trackers_lie_in_the_output_and_outlive_the_next(
    asked, tmp_path, monkeypatch
):
    class Offline:
        def __init__(self, experiment, **settings):
            self.experiment = experiment

        def __getattr__(self, name):  # Of a record.
            return lambda *arguments: None

        def close(self):
            self.experiment.files.mkdir(exist_ok=True)
            number = len(list(self.experiment.files.iterdir()))
            (self.experiment.files / f"{self.experiment.name}-{number}").touch()
            self.experiment.remember("mlflow", {"run_id": str(number)})

    service = config_trackers._Service("MLflow", lambda: None, Offline)
    monkeypatch.setitem(config_trackers._SERVICES, "mlflow", service)
    out = tmp_path / "out"
    for _ in range(2):
        odapi.evaluate("runs/first", output=out, trackers=["mlflow"])
    found = sorted(p.name for p in (out / "trackers").iterdir())
    assert found == ["first-0", "first-1"]
    ids = json.loads((out / "trackers.json").read_text())
    assert ids == {"mlflow": {"run_id": "1"}}
