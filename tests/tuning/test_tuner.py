"""The search with trials that write files and train nothing."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from odapi.config.load import load_config
from odapi.errors import CheckpointError
from odapi.tuning.study_report import report
from odapi.tuning.tune import trial_folder
from odapi.tuning.tuner import Limits
from requirement import require
from tiny_samples import train_config
from tuning_fakes import (
    KIND,
    METRIC,
    RATE,
    SIZE,
    FakeTraining,
    make_tuner,
    open_study,
    value_of,
)  # fmt: skip

require("optuna")


def search(folder, trials, start=None, **changes):
    """Runs a search; returns why it ended, and its trials."""
    made = make_tuner(folder, Limits(trials), start, **changes)
    reason = made.run()
    return reason, open_study(folder, **changes)[0].trials()


def summary(trials):
    return [(t.number, t.state.name, t.params) for t in trials]


def test_a_search_finds_the_best_values(tmp_path):
    notes = []
    made = make_tuner(tmp_path, Limits(20), notes=notes, pruner="none")
    assert made.run() == "done"
    study, settings = open_study(tmp_path, pruner="none")
    result = report(tmp_path, study, settings, train_config(), "done")
    assert [row.state for row in result.trials] == ["complete"] * 20
    assert result.best.values[KIND] == "detection"
    assert abs(result.best.values[SIZE] - 7) <= 1
    assert result.best.value == value_of(result.best.values, 30)
    assert (result.best.step, result.best.seconds) == (30, 1.5)
    assert sum(result.importances.values()) == pytest.approx(1)
    assert result.importances[RATE] < result.importances[SIZE]
    best = load_config(result.best_config)
    assert best.train_config.batch_size == result.best.values[SIZE]
    assert best.train_config.fine_tune_checkpoint_type == "detection"
    lines = (tmp_path / "trials.csv").read_text().splitlines()
    assert lines[0] == f"trial,state,{METRIC},step,seconds,{RATE},{SIZE},{KIND},failure"
    assert len(lines) == 21 and lines[1].startswith("0,complete,0.")
    assert (tmp_path / "history.png").exists()
    assert notes[0].startswith("Trial 0 started: gradient_clipping_by_norm=")
    assert notes[1].startswith("Trial 0 finished: mAP ")


def test_proposals_depend_on_the_seed_and_the_results_only(tmp_path):
    _, whole = search(tmp_path / "whole", 12)
    search(tmp_path / "parts", 5)
    reason, parts = search(tmp_path / "parts", 12)
    assert reason == "done" and summary(parts) == summary(whole)
    _, other = search(tmp_path / "other", 3, seed=1)
    assert summary(other) != summary(whole[:3])


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_bad_trials_are_pruned(tmp_path, pruner):
    values = [0.9, 0.8, 0.7, 0.6, 0.5, 0.2, 0.1, 0.05, 0.04, 0.03]
    trainings = {}

    def start(trial, slot):
        evaluate = lambda _, step: values[trial.number] * step  # noqa: E731
        folder = trial_folder(tmp_path, trial.number)
        trainings[trial.number] = FakeTraining(folder, trial.values, evaluate)
        return trainings[trial.number]

    _, trials = search(tmp_path, 10, start, pruner=pruner, startup_trials=3)
    states = [t.state.name for t in trials]
    assert states[0] == "COMPLETE" and "PRUNED" in states
    pruned = states.index("PRUNED")
    assert trainings[pruned].step < 30
    last = max(trials[pruned].intermediate_values)
    assert trials[pruned].value == values[pruned] * last


def test_nothing_is_pruned_without_a_pruner(tmp_path):
    _, trials = search(tmp_path, 8, pruner="none", startup_trials=0)
    assert {t.state.name for t in trials} == {"COMPLETE"}


def test_failed_trials_are_recorded_and_the_search_continues(tmp_path):
    def start(trial, slot):
        fails = (1, "DivergedError: step 3") if trial.number in (0, 2) else None
        folder = trial_folder(tmp_path, trial.number)
        evaluate = (lambda *_: -1.0) if trial.number == 1 else value_of
        return FakeTraining(folder, trial.values, evaluate, fails)

    reason, trials = search(tmp_path, 4, start)
    assert reason == "done"
    assert [(t.state.name, t.user_attrs.get("failure")) for t in trials] == [
        ("FAIL", "DivergedError: step 3"),
        ("FAIL", f"no evaluation has a value of {METRIC}"),
        ("FAIL", "DivergedError: step 3"),
        ("COMPLETE", None),
    ]


def test_a_trial_that_is_ended_again_and_again_fails(tmp_path):
    starts = []

    def start(trial, slot):
        starts.append(trial.number)
        folder = trial_folder(tmp_path, trial.number)
        ends = (143, "") if trial.number == 0 else None
        return FakeTraining(folder, trial.values, fails=ends)

    notes = []
    search = make_tuner(tmp_path, Limits(2), start, notes)
    assert search.run() == "done"
    assert starts.count(0) == 3 and starts.count(1) == 1
    assert "Trial 0 failed: its process was ended 3 times" in notes


def test_a_search_whose_first_trials_all_fail_ends(tmp_path):
    def start(trial, slot):
        return FakeTraining(tmp_path / "x", {}, fails=(1, "no data"))

    reason, trials = search(tmp_path, 50, start)
    assert (reason, len(trials)) == ("failing", 5)


def test_jobs_run_at_the_same_time_in_their_own_slots(tmp_path):
    running, most, slots = set(), 0, set()

    class Counted(FakeTraining):
        def poll(self):
            nonlocal most
            most = max(most, len(running))
            code = super().poll()
            if code is not None:
                running.discard(self)
            return code

    def start(trial, slot):
        made = Counted(trial_folder(tmp_path, trial.number), trial.values)
        running.add(made)
        slots.add(slot)
        return made

    made = make_tuner(tmp_path, Limits(7, jobs=3), start)
    assert made.run() == "done"
    assert (most, slots) == (3, {0, 1, 2})


def test_a_loss_is_minimized(tmp_path):
    _, trials = search(tmp_path, 6, direction="minimize", pruner="none")
    for trial in trials:  # The lowest value is that of the first evaluation.
        assert trial.value == value_of(trial.params, 10)
        assert trial.user_attrs["best_step"] == 10


def test_the_time_limit_saves_trials_which_are_resumed(tmp_path):
    def start(trial, slot):
        folder = trial_folder(tmp_path, trial.number)
        return FakeTraining(folder, trial.values, seconds=0.05)

    made = make_tuner(tmp_path, Limits(3, max_hours=0.02 / 3600), start)
    assert made.run() == "time limit"
    [trial] = open_study(tmp_path)[0].trials()
    assert trial.state.name == "RUNNING"
    notes = []
    made = make_tuner(tmp_path, Limits(3), notes=notes)
    assert made.run() == "done"
    assert notes[0].startswith("Trial 0 resumed: gradient_clipping_by_norm=")
    trials = open_study(tmp_path)[0].trials()
    assert [t.state.name for t in trials] == ["COMPLETE"] * 3
    assert trials[0].params == trial.params


def test_a_signal_saves_the_trials(tmp_path):
    started = []

    def start(trial, slot):
        made = FakeTraining(trial_folder(tmp_path, trial.number), trial.values)
        started.append(made)
        if len(started) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return made

    reason, trials = search(tmp_path, 5, start)
    assert reason == "interrupted"
    assert [t.state.name for t in trials] == ["COMPLETE", "RUNNING"]
    assert started[1].is_interrupted and not started[1].is_killed


def test_a_second_signal_kills_the_trials(tmp_path):
    started = []

    class Deaf(FakeTraining):
        def interrupt(self):
            os.kill(os.getpid(), signal.SIGTERM)

    def start(trial, slot):
        started.append(Deaf(trial_folder(tmp_path, trial.number), trial.values))
        os.kill(os.getpid(), signal.SIGINT)
        return started[-1]

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, 5, start)
    assert started[0].is_killed
    search(tmp_path, 1)  # Its lock was released.


SCRIPT = pathlib.Path(__file__).parents[1] / "tuning_fakes.py"


def other_process(folder, trials, seconds):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), str(trials), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_killed_search_is_resumed(tmp_path):
    process = other_process(tmp_path, 5, 0.2)
    metrics = trial_folder(tmp_path, 1) / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not metrics.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    with open(tmp_path / "journal.log", "ab") as file:
        file.write(b'{"op_code": 4, "wor')  # Cut by the kill.
    notes = []
    assert make_tuner(tmp_path, Limits(5), notes=notes).run() == "done"
    assert notes[0].startswith("Trial 1 resumed: ")
    trials = open_study(tmp_path)[0].trials()
    assert [t.state.name for t in trials] == ["COMPLETE"] * 5
    _, whole = search(tmp_path / "whole", 5)
    assert summary(trials) == summary(whole)


def test_two_processes_share_the_trials(tmp_path):
    processes = [other_process(tmp_path, 6, 0.1) for _ in range(2)]
    assert [p.communicate(timeout=120)[0] for p in processes] == ["done\n"] * 2
    trials = open_study(tmp_path)[0].trials()
    assert [t.number for t in trials] == list(range(6))
    assert {t.state.name for t in trials} <= {"COMPLETE", "PRUNED"}
    for trial in trials:
        assert trial.value == value_of(trial.params, max(trial.intermediate_values))


def test_a_trial_of_a_living_process_is_not_taken(tmp_path):
    study, _ = open_study(tmp_path)
    first = study.next_trial(2)
    other, _ = open_study(tmp_path)
    second = other.next_trial(2)
    assert (first.number, second.number) == (0, 1)
    assert other.next_trial(2) is None
    study.leave(first)
    again = other.next_trial(2)
    assert (again.number, again.values, again.is_resumed) == (0, first.values, True)


def test_a_trial_that_ends_at_this_moment_is_not_taken(tmp_path, monkeypatch):
    study, _ = open_study(tmp_path)
    first = study.next_trial(1)
    other, _ = open_study(tmp_path)
    try_lock = other._try_lock

    def end_first(number):
        study.complete(first, 0.5)
        return try_lock(number)

    monkeypatch.setattr(other, "_try_lock", end_first)
    assert other.next_trial(1) is None
    assert [t.value for t in study.trials()] == [0.5]


def test_sqlite_holds_a_study_too(tmp_path):
    _, trials = search(tmp_path, 3, storage="sqlite")
    assert (tmp_path / "study.db").exists() and len(trials) == 3
    _, journal = search(tmp_path / "other", 3)
    assert summary(trials) == summary(journal)


def test_the_lock_of_the_study_is_waited_for(tmp_path, monkeypatch):
    from odapi.checkpoints.run_lock import locked
    from odapi.tuning import study as studies

    study, _ = open_study(tmp_path)
    monkeypatch.setattr(studies, "_WAIT", 0.1)
    with locked(tmp_path / "locks/study"), pytest.raises(CheckpointError):
        study.next_trial(1)
