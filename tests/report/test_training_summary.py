"""`training.json`, and the lines at the end of a run."""

import json
import math

import pytest

from odapi.report import training_summary
from odapi.report.history import History
from odapi.report.training_summary import (
    read_summary,
    summary_lines,
    write_summary,
)
from odapi.training.plan import Outcome, Plan
from odapi.training.summarize import write_report


def test_the_summary_is_valid_json(tmp_path):
    write_summary(tmp_path, {"a": math.inf, "b": {"c": 1.5}})
    assert json.loads((tmp_path / "training.json").read_text()) == read_summary(
        tmp_path
    )
    assert read_summary(tmp_path) == {"a": None, "b": {"c": 1.5}}
    assert read_summary(tmp_path / "gone") == {}


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (
            Outcome(8, "done", seconds=125.0, images_per_second=20.0, waiting=0.5),
            [
                "Finished after step 8, 2 min 5 s, 20.0 images/s, 50% of",
                "instead of threads",
            ],
        ),
        (
            Outcome(8, "early stopping"),
            [
                "Early stopping at step 8: mAP did not improve in 3 evaluations "
                "(best 0.25 at step 4)"
            ],
        ),
        (
            Outcome(8, "interrupted"),
            ["Interrupted after step 8; run the same command to resume"],
        ),
        (Outcome(8, "callback"), ["Stopped by a callback after step 8"]),
    ],
)
def test_the_summary_names_the_reason_and_the_next_commands(tmp_path, outcome, said):
    History(tmp_path, 0).add(4, {"DetectionBoxes_Precision/mAP": 0.25})
    write_report(tmp_path, outcome, Plan(10, patience=3))
    text = "\n".join(summary_lines(tmp_path))
    said = [*said, "Best DetectionBoxes_Precision/mAP: 0.2500 at step 4"]
    for words in [*said, f"odapi predict {tmp_path} IMAGES --output found"]:
        assert words in text
    assert read_summary(tmp_path)["best"]["value"] == 0.25


def part(first, last, seconds, backend):
    return {
        "first_step": first,
        "last_step": last,
        "steps": last - first + 1,
        "seconds": seconds,
        "backend": backend,
    }


def test_every_part_of_a_run_is_kept(tmp_path):
    parts = [part(1, 30, 10.0, "jax"), part(31, 40, 5.0, "torch")]
    write_report(tmp_path, Outcome(40, seconds=5.0, steps=10, parts=parts), Plan(40))
    summary = read_summary(tmp_path)
    assert (summary["seconds"], summary["last_run_seconds"]) == (15.0, 5.0)
    assert summary["parts"] == parts


def test_a_call_that_only_evaluates_keeps_the_figures_of_the_training(tmp_path):
    parts = [part(1, 4, 10.0, "jax")]
    trained = Outcome(
        4, seconds=10.0, images_per_second=8.0, losses={"l": 2.0}, steps=4, parts=parts
    )
    write_report(tmp_path, trained, Plan(4))
    write_report(tmp_path, Outcome(4, metrics={"mAP": 0.5}, parts=parts), Plan(4))
    summary = read_summary(tmp_path)
    assert (summary["losses"], summary["images_per_second"]) == ({"l": 2.0}, 8.0)
    assert (summary["seconds"], summary["last_run_seconds"]) == (10.0, 10.0)
    assert summary["metrics"] == {"mAP": 0.5}


@pytest.mark.parametrize(
    ("installed", "events", "metrics", "lines"),
    [
        (
            ("tensorflow", "tensorboard"),
            True,
            {"mAP": 0.5},
            [
                "Next: odapi predict '{0}' IMAGES --output found",
                "      odapi export '{0}' exported",
                "      tensorboard --logdir '{0}'",
            ],
        ),
        (
            ("tensorflow", "tensorboard"),
            False,
            {},
            [
                "Next: odapi eval '{0}' --eval-data SPEC",
                "      odapi predict '{0}' IMAGES --output found",
                "      odapi export '{0}' exported",
            ],
        ),
        ((), True, {"mAP": 1.0}, ["Next: odapi predict '{0}' IMAGES --output found"]),
    ],
)
def test_next_commands_can_be_run_here(
    tmp_path, monkeypatch, installed, events, metrics, lines
):
    run = tmp_path / "my run"
    (run / "train").mkdir(parents=True)
    if events:
        (run / "train" / "events.out.tfevents.1.host").write_text("")
    found = {"tensorflow", "tensorboard"} - set(installed)
    real = training_summary.importlib.util.find_spec
    monkeypatch.setattr(
        training_summary.importlib.util,
        "find_spec",
        lambda name: None if name in found else real(name),
    )
    got = training_summary.next_lines(run, {"metrics": metrics})
    assert got == [line.format(run) for line in lines]
