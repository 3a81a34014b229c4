"""`odapi.evaluate`: its arguments and the files it writes."""

import json
import pathlib
import types

import pytest
from evaluation_fakes import LABEL_MAP, FakeDataset, FakeDetector, FakeSource, sample

import odapi
from odapi.config.load import load_config
from odapi.data.problems import Problems
from odapi.errors import DataError
from odapi.evaluation import evaluate as run
from presence_evaluator import PresenceAccuracy

BOX = (1, 1, 6, 6)
SAMPLES = [sample(f"{n}", [(*BOX, n % 2)], [(*BOX, n % 2, 9)]) for n in range(5)]


@pytest.fixture
def asked(monkeypatch):
    """Puts a fake detector and data in place; remembers what was asked for."""
    asked = {"samples": SAMPLES, "bad": []}

    def load_detector(path, overrides):
        asked.update(path=path, overrides=overrides)
        loaded = types.SimpleNamespace(
            detector=FakeDetector(),
            config=load_config("eval_config { num_visualizations: 2 }", overrides),
            label_map=LABEL_MAP,
            step=800,
            folder=pathlib.Path("runs/first/checkpoints/step-00000800"),
        )
        return loaded

    def build_eval_dataset(config, label_map=None):
        asked.update(label_map=label_map, batch_size=config.eval_config.batch_size)
        source = FakeSource(asked["samples"], asked["bad"])
        dataset = FakeDataset(source, config.eval_config.batch_size)
        dataset.problems = Problems()
        for name in asked["bad"]:
            dataset.problems.found("corrupt image", name)
        return dataset

    monkeypatch.setattr(run, "load_detector", load_detector)
    monkeypatch.setattr(run, "build_eval_dataset", build_eval_dataset)
    return asked


def test_it_is_what_odapi_evaluate_is(asked):
    assert odapi.evaluate is run.evaluate


def test_options_are_overrides_of_the_config(asked):
    result = odapi.evaluate(
        "runs/first", "coco:val.json", ["eval_config.num_visualizations=3"],
        batch_size=4,
    )  # fmt: skip
    assert asked["overrides"] == [
        "eval_config.num_visualizations=3",
        "options.eval_data=coco:val.json",
        "eval_config.batch_size=4",
    ]
    assert asked["batch_size"] == 4
    assert asked["label_map"] is LABEL_MAP  # Classes by name, those of the model.
    assert result.metrics["DetectionBoxes_Precision/mAP"] == pytest.approx(1.0)
    assert (result.step, result.num_images, result.examples) == (800, 5, ())


def test_output_is_a_folder_of_files(asked, tmp_path):
    asked["bad"] = ["3"]
    result = odapi.evaluate("runs/first", output=tmp_path / "out", with_losses=True)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "categories.csv",
        "detections.json",
        "label_map.json",
        "metrics.json",
        "mosaic.png",
        "precision_recall.png",
        "side_by_side",
    ]
    assert len(json.loads((tmp_path / "out" / "detections.json").read_text())) == 4
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["metrics"]["Loss/total_loss"] > 0
    assert content["step"] == 800
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
    assert list((tmp_path / "out").iterdir()) == []
