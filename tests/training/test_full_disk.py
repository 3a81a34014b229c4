"""A disk that is full for a while, or to the end, during a training."""

import builtins
import errno
import io
import json
import os

import pytest

from odapi.checkpoints import folder as folders
from odapi.errors import CheckpointError

FULL = "No space left on device"


class FullDisk:
    """Lets `open` for writing fail for files with all of `parts` in their path."""

    def __init__(self, monkeypatch):
        self.parts: tuple[str, ...] = ()
        real = builtins.open

        def open_(file, mode="r", *args, **kwargs):
            writes = "r" not in mode and self.parts
            if writes and all(part in os.fspath(file) for part in self.parts):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
            return real(file, mode, *args, **kwargs)

        monkeypatch.setattr(builtins, "open", open_)
        monkeypatch.setattr(io, "open", open_)


@pytest.fixture
def disk(monkeypatch):
    return FullDisk(monkeypatch)


def steps_of(run, name):
    lines = (run.model_dir / name).read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


@pytest.mark.parametrize(
    "name", ["weights.h5", "training_state.h5", "training_state.json", "last"]
)
def test_a_checkpoint_that_cannot_be_written_is_reported(run, disk, capsys, name):
    def score(step):
        disk.parts = ("checkpoints", name) if step == 2 else ()
        return step / 10

    assert run(8, scores=score, evaluate_every=2).step == 8
    assert steps_of(run, "metrics.jsonl") == [2, 4, 6, 8]
    root = run.model_dir / "checkpoints"
    message = (
        f"CheckpointError: {root / 'last'}: cannot be written: {FULL}\n"
        if name == "last"
        else f"CheckpointError: {root / 'step-00000004'}: could not be written: "
        f"{FULL}\n  hint: earlier checkpoints are complete; free disk space, then run "
        "the same command again\n"
    )
    assert f"{message}Training continues.\n" in capsys.readouterr().err
    assert sorted(p.name for p in root.iterdir()) == ["best", "last", "step-00000008"]


def test_the_last_checkpoint_that_cannot_be_written_is_an_error(run, disk):
    def score(step):
        disk.parts = ("checkpoints", "weights.h5")
        return 0.5

    with pytest.raises(CheckpointError) as caught:
        run(4, scores=score, evaluate_every=2)
    folder = run.model_dir / "checkpoints" / "step-00000004"
    assert str(caught.value) == (
        f"{folder}: could not be written: {FULL}\n  hint: earlier checkpoints are "
        "complete; free disk space, then run the same command again"
    )
    assert sorted(folders.steps(run.model_dir)) == [2]


@pytest.mark.parametrize("name", ["metrics.jsonl", "losses.jsonl"])
def test_history_that_cannot_be_written_is_written_later(run, disk, capsys, name):
    def score(step):
        disk.parts = (name,) if step == 2 else ()
        return step / 10

    disk.parts = (name,)
    assert run(6, scores=score, evaluate_every=2, log_every=1).step == 6
    assert steps_of(run, "metrics.jsonl") == [2, 4, 6]
    assert steps_of(run, "losses.jsonl") == [1, 2, 3, 4, 5, 6]
    path = run.model_dir / "metrics.jsonl"
    message = f"CheckpointError: {path}: cannot be written: {FULL}\nTraining continues."
    assert (message in capsys.readouterr().err) == (name == "metrics.jsonl")


@pytest.mark.parametrize("name", ["metrics.jsonl", "losses.jsonl"])
def test_history_that_cannot_be_written_at_the_end_is_an_error(run, disk, name):
    disk.parts = (name,)
    with pytest.raises(CheckpointError) as caught:
        run(2, scores=lambda step: 0.5, log_every=1)
    path = run.model_dir / name
    assert str(caught.value) == f"{path}: cannot be written: {FULL}"
    assert sorted(folders.steps(run.model_dir)) == [2]


def test_a_best_checkpoint_that_cannot_be_marked_is_kept_and_marked_later(
    run, disk, capsys
):
    scores = {2: 0.9, 4: 0.1, 6: 0.2}

    def score(step):
        disk.parts = ("checkpoints", "best") if step == 2 else ()
        return scores[step]

    run(6, scores=score, evaluate_every=2)
    root = run.model_dir / "checkpoints"
    said = capsys.readouterr().err
    assert (
        said.count(f"{root / 'best'}: cannot be written: {FULL}\nTraining conti") == 1
    )
    assert folders.read_pointer(run.model_dir, "best") == {
        "folder": "step-00000002",
        "step": 2,
        "metric": "mAP",
        "value": 0.9,
    }
    assert sorted(folders.steps(run.model_dir)) == [2, 6]


def test_a_log_file_on_a_full_disk_does_not_end_the_training(run, monkeypatch):
    class FullStream(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sys.stderr", FullStream())
    assert run(3, scores=lambda step: 0.5, evaluate_every=1).step == 3
