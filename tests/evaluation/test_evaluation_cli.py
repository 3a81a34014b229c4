"""`odapi eval` and `odapi predict`: what they print and pass on."""

import json

import numpy as np
import pytest
from evaluation_fakes import LABEL_MAP, FakeDataset, FakeDetector, FakeSource, sample
from typer.testing import CliRunner

from odapi.cli.main import app
from odapi.draw.file import save_image
from odapi.errors import ConfigError
from odapi.evaluation.evaluation_loop import evaluate_loop
from odapi.inference import predict as predict_module
from odapi.metrics.coco.box_metrics import CocoBoxMetrics

BOX = (1, 1, 6, 6)


def run(*arguments, **options):
    return CliRunner().invoke(app, [str(a) for a in arguments], **options)


@pytest.fixture
def evaluated(monkeypatch):
    """Puts a small evaluation in place of the real one; remembers its arguments."""
    calls = {}

    def evaluate(checkpoint, eval_data, overrides, **options):
        calls.update(
            checkpoint=str(checkpoint),
            eval_data=eval_data,
            overrides=list(overrides),
            **options,
        )
        dataset = FakeDataset(FakeSource([sample("1", [(*BOX, 0)], [(*BOX, 0, 9)])]))
        return evaluate_loop(FakeDetector(), dataset, CocoBoxMetrics(LABEL_MAP))

    monkeypatch.setattr("odapi.evaluate", evaluate)
    return calls


def test_eval_prints_tables_on_stdout_and_the_next_step_on_stderr(evaluated):
    result = run("eval", "runs/first")
    assert result.exit_code == 0, result.output
    assert "DetectionBoxes_Precision/mAP@.50IOU" in result.stdout
    assert "Metrics per class" in result.stdout
    assert "odapi predict runs/first IMAGES" in result.stderr
    assert "--output" in result.stderr


def test_eval_json_is_json_and_nothing_else(evaluated):
    result = run("eval", "runs/first", "--json")
    content = json.loads(result.stdout)
    assert content["metrics"]["DetectionBoxes_Precision/mAP"] == pytest.approx(1.0)


def test_eval_passes_its_options_on(evaluated, tmp_path):
    run("eval", "runs/first", "--eval-data", "coco:val.json", "--set", "a=1",
        "--set", "b=2", "--batch-size", 4, "--output", tmp_path, "--losses",
        "--max-images", 7)  # fmt: skip
    assert evaluated == {
        "checkpoint": "runs/first",
        "eval_data": "coco:val.json",
        "overrides": ["a=1", "b=2"],
        "batch_size": 4,
        "output": tmp_path,
        "with_losses": True,
        "max_images": 7,
    }


class Bright:
    label_map = LABEL_MAP

    def __call__(self, images):
        return [
            {
                "boxes": np.array([[0, 0, 1, 1]], "float32"),
                "classes": np.array([0]),
                "scores": np.array([float(i.mean()) / 255]),
            }
            for i in images
        ]


@pytest.fixture
def bright(monkeypatch):
    monkeypatch.setattr(predict_module, "_predictor", lambda *_: Bright())


@pytest.fixture
def images(tmp_path):
    for n in range(25):
        value = 250 if n % 2 else 10
        image = np.full((30, 40, 3), value, np.uint8)
        save_image(tmp_path / "in" / f"image[{n}].png", image)
    (tmp_path / "in" / "broken.jpg").write_bytes(b"\xff\xd8no")
    return tmp_path / "in"


def test_predict_prints_what_was_found_and_what_was_not_read(bright, images, tmp_path):
    result = run("predict", "runs/first", images, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "12 objects in 25 images" in result.stdout
    assert "1 square 0.98" in result.stdout
    assert "... 5 more images" in result.stdout
    assert "1 image could NOT be read" in result.stdout
    assert "broken.jpg" in result.stdout
    assert "25 images" in result.stdout.split("written:")[1]
    assert len(json.loads((tmp_path / "out" / "detections.json").read_text())) == 12


def test_predict_reads_names_from_stdin(bright, images, tmp_path):
    names = "\n".join(str(p) for p in sorted(images.glob("*.png"))[:3])
    result = run(
        "predict", "runs/first", "-", "--json", tmp_path / "x.json",
        "--min-score", 0.0, "--no-draw", input=names,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert len(json.loads((tmp_path / "x.json").read_text())) == 3


def test_predict_tells_the_best_score_where_nothing_reaches_it(bright, images):
    result = run("predict", "runs/first", images, "--min-score", 1.0)
    assert "0 objects in 25 images" in result.stdout
    assert "the best score is 0.98; --min-score 0.9 shows more" in result.stdout


def test_predict_refuses_overrides_of_an_exported_model(tmp_path):
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "saved_model.pb").write_bytes(b"")
    result = run("predict", tmp_path, "a.jpg", "--set", "x=1")
    assert isinstance(result.exception, ConfigError)
    assert "an exported model cannot be changed" in str(result.exception)


@pytest.mark.parametrize("arguments", [("--min-score", 2), ("--batch-size", 0)])
def test_options_out_of_range_are_refused(arguments):
    result = run("predict", "runs/first", "a.jpg", *arguments)
    assert result.exit_code == 2
