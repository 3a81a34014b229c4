"""`odapi train`: flags to arguments, mistakes to one message."""

import pathlib

import pytest
from typer.testing import CliRunner

from odapi.cli import main


@pytest.fixture
def called(monkeypatch):
    calls = []
    monkeypatch.setattr("odapi.train", lambda *a, **k: calls.append((a, k)))
    return calls


def test_flags_are_passed_on(called):
    text = (
        "train a.config --model-dir runs/a --train-data coco:t --eval-data coco:v "
        "--num-steps 5 --batch-size 2 --seed 7 --set a.b=1 --set c=2"
    )
    result = CliRunner().invoke(main.app, text.split())
    assert result.exit_code == 0, result.output
    [(arguments, named)] = called
    assert arguments == ("a.config", pathlib.Path("runs/a"), ["a.b=1", "c=2"])
    assert named == {
        "train_data": "coco:t",
        "eval_data": "coco:v",
        "num_steps": 5,
        "epochs": None,
        "batch_size": 2,
        "seed": 7,
        "trackers": (),
        "max_hours": None,
        "dry_run": False,
        "devices": None,
        "cluster": None,
    }


@pytest.mark.parametrize(
    "text", ["train a.config", "train a.config --model-dir b --num-steps 0"]
)
def test_wrong_flags_are_refused(called, text):
    assert CliRunner().invoke(main.app, text.split()).exit_code == 2
    assert called == []
