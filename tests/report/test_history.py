"""The files with evaluations and losses of a run."""

import json
import math

from odapi.losses.names import TOTAL_LOSS
from odapi.report.curves import save_curves
from odapi.report.history import History


def test_history_finds_the_best_and_counts_since_then(tmp_path):
    history = History(tmp_path, 0)
    assert history.best("mAP") == (0, -math.inf, 0)
    for step, value in enumerate([0.1, 0.3, 0.31, 0.2, math.nan], 1):
        history.add(step, {"mAP": value})
    assert history.best("mAP") == (3, 0.31, 2)
    assert history.best("mAP", min_delta=0.05) == (2, 0.3, 3)
    assert history.best("other") == (0, -math.inf, 5)
    again = History(tmp_path, last_step=4)
    assert [e["step"] for e in again.evaluations] == [1, 2, 3, 4]
    assert again.at(2) == {"mAP": 0.3} and again.at(5) is None
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"step": 2, "metrics": {"mAP": 0.3}}


DAMAGED = [
    b'{"step": 9223372036854775808, "metrics": {}}',
    b'{"step"',
    b"[]",
    b"7",
    b'{"step": 1}',
    b'{"metrics": {"mAP": 1}}',
    b'{"step": 1, "metrics": [1]}',
    b'{"step": "1", "metrics": {}}',
    b'{"step": -1, "metrics": {}}',
    b'{"step": 1e400, "metrics": {"a": 1}}',
    b'{"step": NaN, "metrics": {"a": 1}}',
    b'{"step": 1, "metrics": {"a": 1e400}}',
    b'{"step": 1, "metrics": {"a": "0.5"}}',
    b'{"step": 1, "metrics": {"a": [1]}}',
    b'{"step": 1, "metrics": {"a": ' + b"9" * 400 + b"}}",
    b'{"step": 1, "metrics": {"gr\xfc\xdfe": 1}}',
    b"[" * 100_000,
    b"\0\0\0",
]


def test_history_skips_and_counts_damaged_lines(tmp_path):
    good = b'{"step": 7, "metrics": {"mAP": null, "other": 1}}'
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(b"\n".join([*DAMAGED, b"", good]) + b"\n")
    history = History(tmp_path, 9)
    assert [e["step"] for e in history.evaluations] == [7]
    assert math.isnan(history.at(7)["mAP"]) and history.at(7)["other"] == 1.0
    assert history.problems == [f"{file}: skipped 18 damaged lines of 19"]
    history.flush()
    assert History(tmp_path, 9).problems == []  # They were removed.


def test_history_keeps_losses_up_to_the_step_that_a_run_resumes_from(tmp_path):
    history = History(tmp_path, 0)
    for step in (1, 2, 4):
        history.add_losses(step, {TOTAL_LOSS: 1.0 / step}, rate=0.1 * step)
    again = History(tmp_path, last_step=2)
    again.add_losses(3, {TOTAL_LOSS: math.nan}, rate=0.5)
    lines = (tmp_path / "losses.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "losses": {TOTAL_LOSS: 1.0, "learning_rate": 0.1}},
        {"step": 2, "losses": {TOTAL_LOSS: 0.5, "learning_rate": 0.2}},
        {"step": 3, "losses": {TOTAL_LOSS: None, "learning_rate": 0.5}},
    ]
    assert math.isnan(History(tmp_path, 9).losses[-1]["losses"][TOTAL_LOSS])


def test_losses_that_cannot_be_written_do_not_end_a_training(tmp_path):
    history = History(tmp_path / "gone", 0)
    history.add_losses(1, {TOTAL_LOSS: 1.0}, rate=0.1)
    assert history.losses[0]["step"] == 1


def test_curves_of_enormous_values_and_names_are_drawn(tmp_path):
    names = {"n" * 100_000: 1.0, "huge": 1.7e308, TOTAL_LOSS: -1.7e308}
    line = {"step": 2**62, "losses": {**names, "learning_rate": 0.1}}
    (tmp_path / "losses.jsonl").write_text(json.dumps(line) + "\n")
    history = History(tmp_path, 2**63)
    assert history.problems == []
    assert save_curves(tmp_path, history) == tmp_path / "curves.png"
