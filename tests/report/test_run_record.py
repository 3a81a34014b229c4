"""Runs and evaluations read from their files."""

import json
import shutil

import pytest

from odapi.checkpoints.run_lock import locked
from odapi.errors import DataError, DivergedError
from odapi.report.run_record import is_run, read_run
from odapi.training.summarize import write_divergence
from run_files import CATEGORY, MAP, write_evaluation, write_run


def test_a_finished_run(tmp_path):
    folder = write_run(
        tmp_path / "a", [(20, 0.5), (30, 0.7), (40, 0.6)], [(10, 3.0), (40, 1.0)], 40
    )
    run = read_run(folder)
    assert (run.state, run.step, run.num_steps) == ("finished", 40, 40)
    assert run.best(MAP) == (30, 0.7) and run.last(MAP) == (40, 0.6)
    assert run.best("train/Loss/total_loss") == (40, 1.0)
    assert (run.seconds, run.images_per_second) == (10.0, 12.5)
    assert run.model == "ssd_mobilenet_v2_keras 64x64"
    assert run.data == "coco:train.json"
    assert run.problems == ()


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("done", "finished"),
        ("early stopping", "early stopped"),
        ("interrupted", "interrupted"),
        ("callback", "stopped"),
        ("diverged", "diverged"),
        ("time limit", "time limit"),
        ("power cut", "power cut"),  # A reason of a later version.
        (None, "interrupted"),  # Killed.
    ],
)
def test_states(tmp_path, reason, state):
    run = read_run(write_run(tmp_path / "a", step=10, reason=reason))
    assert (run.state, run.step) == (state, 10)


def test_a_run_that_was_killed_after_it_was_resumed_is_interrupted(tmp_path):
    folder = write_run(tmp_path / "a", step=20)
    summary = {"step": 10, "reason": "done"}
    (folder / "training.json").write_text(json.dumps(summary))
    run = read_run(folder)
    assert (run.state, run.step) == ("interrupted", 20)
    # 20 steps of 4 images in 8 seconds.
    assert (run.seconds, run.images_per_second) == (8.0, 10.0)


def test_a_run_that_holds_its_lock_is_running(tmp_path):
    folder = write_run(tmp_path / "a", [(20, 0.5)], [(30, 1.0)], 20, reason="done")
    with locked(folder):
        run = read_run(folder)
        assert (run.state, run.step) == ("running", 30)
    assert read_run(folder).state == "finished"


def test_a_run_that_has_just_begun(tmp_path):
    with locked(tmp_path / "a"):
        run = read_run(tmp_path / "a")
    assert (run.state, run.step, run.num_steps, run.best(MAP)) == (
        "running", 0, None, None,
    )  # fmt: skip


def test_a_divergence_is_written_into_the_summary(tmp_path):
    folder = write_run(tmp_path / "a", [(10, 0.1)], step=10)
    write_divergence(folder, DivergedError("step 17", "Loss/a is nan", "a hint"))
    run = read_run(folder)
    assert (run.state, run.step, run.seconds) == ("diverged", 17, 10.0)
    summary = json.loads((folder / "training.json").read_text())
    assert summary["problem"] == "step 17: Loss/a is nan"


def test_damaged_lines_are_counted(tmp_path):
    folder = write_run(tmp_path / "a", [(10, 0.1), (20, 0.2)], [(10, 3.0)], 20)
    text = (folder / "metrics.jsonl").read_text()
    (folder / "metrics.jsonl").write_text(text[:-20])
    run = read_run(folder)
    assert run.last(MAP) == (10, 0.1)
    assert run.problems == (f"{folder}/metrics.jsonl: skipped 1 damaged line of 2",)


def test_a_damaged_config_is_a_problem_not_an_error(tmp_path):
    folder = write_run(tmp_path / "a", step=10)
    (folder / "checkpoints/step-00000010/pipeline.config").write_text("model {")
    run = read_run(folder)
    assert (run.config, run.model, run.state) == (None, "", "finished")
    assert len(run.problems) == 1 and "pipeline.config" in run.problems[0]


def test_values_with_nothing_to_measure_do_not_count(tmp_path):
    folder = write_run(tmp_path / "a", [(10, -1.0), (20, 0.2), (30, -1.0)], step=30)
    run = read_run(folder)
    assert run.best(MAP) == run.last(MAP) == (20, 0.2)
    assert run.curves[MAP] == [(10, -1.0), (20, 0.2), (30, -1.0)]


def test_a_copy_without_hidden_files_is_a_run(tmp_path):
    folder = write_run(tmp_path / "a", [(10, 0.1)])
    (folder / ".odapi").unlink()
    assert is_run(folder)
    (folder / "metrics.jsonl").write_text("{}\n")  # Of another program.
    assert not is_run(folder)


def test_the_output_of_an_evaluation(tmp_path):
    content = {
        "metrics": {MAP: 0.4, "note": "x"},
        "categories": [{"name": "cat", "ap": 0.3}, {"name": "dog"}],
        "num_images": 3,
        "step": 25,
    }
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    for path in (tmp_path, tmp_path / "metrics.json"):
        run = read_run(path)
        assert (run.state, run.step) == ("evaluation", 25)
        assert run.curves == {MAP: [(25, 0.4)], CATEGORY: [(25, 0.3)]}


def test_the_output_of_an_evaluation_has_the_model_the_data_and_the_speed(tmp_path):
    folder = write_evaluation(tmp_path / "d0", 0.4)
    for path in (folder, folder / "metrics.json"):
        run = read_run(path)
        assert (run.model, run.data) == (
            "ssd_mobilenet_v2_keras 64x64",
            "coco:val.json",
        )
        assert (run.seconds, run.images_per_second) == (8.0, 0.5)
        assert run.num_parameters == 20
    (folder / "metrics.json").rename(folder / "printed.json")  # As of --json.
    assert read_run(folder / "printed.json").config is None


@pytest.mark.parametrize(
    ("place", "problem", "hint"),
    [
        ("gone", "does not exist", ""),
        ("empty", "is neither a training run nor the output of an evaluation",
         "name the --model-dir of `odapi train`"),
        ("runs", "is neither", "odapi runs list"),
        ("runs/a/checkpoints/step-00000010", "is neither", "it is part of a run: name"),
        ("notes.json", "is neither", "name the --model-dir"),
    ],
)  # fmt: skip
def test_what_is_no_run_is_refused(tmp_path, place, problem, hint):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.json").write_text('{"metrics": {"a": 1}}')
    write_run(tmp_path / "runs/a", step=10)
    with pytest.raises(DataError) as caught:
        read_run(tmp_path / place)
    assert caught.value.problem.startswith(problem)
    assert hint in caught.value.hint


def test_a_folder_of_another_kind_is_no_run(tmp_path):
    folder = write_run(tmp_path / "a", [(10, 0.1)], step=10)
    shutil.copytree(folder / "checkpoints", tmp_path / "b/model/checkpoints")
    (tmp_path / "b/.odapi").write_text('{"kind": "quickstart", "files": null}')
    assert not is_run(tmp_path / "b") and is_run(tmp_path / "b/model")
