"""`odapi eval`: output and options."""

import json

import pytest
from typer.testing import CliRunner

from evaluation_fakes import LABEL_MAP, FakeDataset, FakeSource, PixelDetector, sample
from odapi.cli.main import app
from odapi.evaluation.evaluation_loop import evaluate_loop
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
        return evaluate_loop(PixelDetector(), dataset, CocoBoxMetrics(LABEL_MAP))

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
        "--max-images", 7, "--label-map", tmp_path / "a.pbtxt")  # fmt: skip
    assert evaluated == {
        "checkpoint": "runs/first",
        "eval_data": "coco:val.json",
        "overrides": ["a=1", "b=2"],
        "batch_size": 4,
        "output": tmp_path,
        "with_losses": True,
        "max_images": 7,
        "label_map": tmp_path / "a.pbtxt",
        "tile": None,
        "trackers": (),
    }
