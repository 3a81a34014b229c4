"""`training.json`, and the lines at the end of a run."""

import json
import math

import pytest

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
    for words in [*said, f"odapi eval {tmp_path}", f"odapi export {tmp_path}"]:
        assert words in text
    assert read_summary(tmp_path)["best"]["value"] == 0.25


def test_seconds_of_a_resumed_run_add_up(tmp_path):
    write_report(tmp_path, Outcome(4, seconds=10.0), Plan(4))
    write_report(tmp_path, Outcome(8, seconds=5.0, resumed=True), Plan(8))
    assert read_summary(tmp_path)["seconds"] == 15.0
