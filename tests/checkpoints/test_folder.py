"""A checkpoint is whole or not there, whatever happens while it is written."""

import contextlib
import errno
import json
import os

import numpy as np
import pytest

import tf2_checkpoints
from odapi import files
from odapi.checkpoints import folder as folders
from odapi.errors import CheckpointError


def fill(text="weights"):
    def put(path):
        (path / folders.WEIGHTS).write_text(text)

    return put


def save(model_dir, step, text="weights"):
    folder = folders.write(model_dir, step, fill(text))
    folders.set_pointer(model_dir, "last", folder)
    return folder


def names(model_dir):
    return sorted(p.name for p in (model_dir / "checkpoints").iterdir())


def test_a_written_checkpoint_is_the_latest(tmp_path):
    folder = save(tmp_path, 800)
    assert folder == tmp_path / "checkpoints" / "step-00000800"
    assert folders.latest(tmp_path) == folder
    assert json.loads((tmp_path / "checkpoints" / "last").read_text()) == {
        "folder": "step-00000800",
        "step": 800,
    }


def test_a_full_disk_while_writing_leaves_the_one_before(tmp_path):
    save(tmp_path, 1, "first")

    def full(path):
        (path / folders.WEIGHTS).write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(
        CheckpointError, match=r"No space left on device(.*\n)+.*free disk space"
    ):
        folders.write(tmp_path, 2, full)
    assert names(tmp_path) == ["last", "step-00000001"]
    assert folders.latest(tmp_path).joinpath(folders.WEIGHTS).read_text() == "first"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_while_pointing_leaves_the_old_pointer(tmp_path, monkeypatch, call):
    first = save(tmp_path, 1)
    second = folders.write(tmp_path, 2, fill())

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, call, full)
    with pytest.raises(CheckpointError, match="No space"):
        folders.set_pointer(tmp_path, "last", second)
    monkeypatch.undo()
    assert folders.latest(tmp_path) == first
    assert names(tmp_path) == ["last", "step-00000001", "step-00000002"]


class KilledError(BaseException):
    """Stands for kill -9: no handler runs."""


@pytest.mark.parametrize(
    "where",
    ["mkdir", "fill", "sync", "first rename", "second rename", "remove", "pointer"],
)
@pytest.mark.parametrize("step", [2, 1])  # 1: the same step is written again.
def test_a_kill_at_any_moment_leaves_a_whole_checkpoint(
    tmp_path, monkeypatch, where, step
):
    save(tmp_path, 1, "first")
    renames = []

    def dies(*args, **kwargs):
        raise KilledError

    def put(path):
        (path / folders.WEIGHTS).write_text("se")
        if where == "fill":
            raise KilledError
        (path / folders.WEIGHTS).write_text("second")

    rename = folders.pathlib.Path.rename

    def counted(self, target):
        renames.append(target)
        if where == ("first rename", "second rename")[len(renames) - 1]:
            raise KilledError
        return rename(self, target)

    monkeypatch.setattr(folders.pathlib.Path, "rename", counted)
    deadly = {
        "mkdir": (folders.pathlib.Path, "mkdir", dies),
        "sync": (files, "sync_tree", dies),
        "remove": (files, "sync", lambda p: None if len(p) > 1 else dies()),
        "pointer": (files.os, "replace", dies),
    }
    if where in deadly:
        monkeypatch.setattr(*deadly[where])
    with contextlib.suppress(KilledError):
        folder = folders.write(tmp_path, step, put)
        folders.set_pointer(tmp_path, "last", folder)
    monkeypatch.undo()

    whole = folders.latest(tmp_path)
    assert whole.joinpath(folders.WEIGHTS).read_text() in ("first", "second")
    folders.remove_partial(tmp_path)
    whole = folders.latest(tmp_path)
    assert whole.joinpath(folders.WEIGHTS).read_text() in ("first", "second")
    assert not [n for n in names(tmp_path) if ".writing" in n and "last" not in n]
    # The next checkpoint is written as if nothing had happened.
    assert folders.latest(tmp_path) == whole
    save(tmp_path, 3, "third")
    assert folders.latest(tmp_path).joinpath(folders.WEIGHTS).read_text() == "third"


FILES = ("averages.h5", "training_state.h5", "weights.h5")


@pytest.mark.parametrize("deleted", [0, 1, 2, 3])
def test_a_kill_while_an_old_checkpoint_is_deleted_leaves_no_half(
    tmp_path, monkeypatch, deleted
):
    for step in (1, 2):
        folder = save(tmp_path, step)
        for name in FILES:
            (folder / name).write_text("x")

    def killed(path, ignore_errors):
        for name in FILES[:deleted]:
            (path / name).unlink()
        raise KilledError

    monkeypatch.setattr(files.shutil, "rmtree", killed)
    with pytest.raises(KilledError):
        folders.prune(tmp_path, 0)
    monkeypatch.undo()
    assert sorted(folders.steps(tmp_path)) == [2]
    assert [n for n in names(tmp_path) if n.startswith("step")] == ["step-00000002"]
    folders.remove_partial(tmp_path)
    assert names(tmp_path) == ["last", "step-00000002"]


def test_leftovers_of_killed_trainings_are_removed(tmp_path):
    save(tmp_path, 8)
    root = tmp_path / "checkpoints"
    for step in ("step-00000002", ".writing-step-00000004-17-0"):
        (root / step).mkdir()
        (root / step / "training_state.h5").write_text("x")
    (root / "step-00000003").mkdir()
    (root / "step-00000006").mkdir()
    (root / "step-00000006" / "notes.txt").write_text("of the user")
    left = (".writing-last-23460", ".writing-best-23460-1")
    for name in left:
        (root / name).write_text("{}")
    mine = (".writing-metrics.jsonl-17-3", ".writing-training.json-17-9")
    for name in (*mine, ".writing-exported-18-0"):
        (tmp_path / name).write_text("")
    folders.remove_partial(tmp_path)
    assert names(tmp_path) == ["last", "step-00000006", "step-00000008"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        ".writing-exported-18-0",
        "checkpoints",
    ]


def test_a_damaged_pointer_falls_back_to_the_newest_folder(tmp_path):
    save(tmp_path, 1)
    newest = save(tmp_path, 20)
    for content in ("", "{", "[]", '{"folder": "../../etc"}', '{"folder": "step-99"}'):
        (tmp_path / "checkpoints" / "last").write_text(content)
        assert folders.latest(tmp_path) == newest


@pytest.mark.parametrize(
    ("keep", "left"),
    [(0, [2, 5]), (1, [2, 4, 5]), (2, [2, 3, 4, 5]), (9, [1, 2, 3, 4, 5])],
)
def test_prune_keeps_last_best_and_the_newest_others(tmp_path, keep, left):
    for step in range(1, 6):
        folder = save(tmp_path, step)
        if step == 2:
            folders.set_pointer(tmp_path, "best", folder, metric="mAP", value=0.5)
    folders.prune(tmp_path, keep)
    assert sorted(folders.steps(tmp_path)) == left
    assert folders.read_pointer(tmp_path, "best")["value"] == 0.5


def test_find_prefers_the_best_of_a_run(tmp_path):
    best, last = save(tmp_path, 1), save(tmp_path, 2)
    assert folders.find(tmp_path) == last
    folders.set_pointer(tmp_path, "best", best)
    assert folders.find(tmp_path) == best
    assert folders.find(tmp_path / "checkpoints") == best
    assert folders.find(last) == last
    assert folders.find(last / folders.WEIGHTS) == last


def test_find_takes_an_exported_folder(tmp_path):
    (tmp_path / folders.WEIGHTS).write_text("")
    assert folders.find(str(tmp_path)) == tmp_path


def tf2(path):
    (path / "ckpt-0.index").write_bytes(b"..\x1c_CHECKPOINTABLE_OBJECT_GRAPH..")


def tf1(path):
    weights = {"FeatureExtractor/Conv/weights": np.zeros(2, "float32")}
    tf2_checkpoints.write(path / "model.ckpt", weights, tf1=True)


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (lambda p: None, "", "has no checkpoint: neither"),
        (lambda p: None, "gone", "does not exist"),
        (
            lambda p: (p / "pipeline.config").write_text(""),
            "",
            "has no checkpoint yet\n  hint: train first",
        ),
        (tf2, "ckpt-0", "is a TF2 checkpoint"),
        (tf2, "ckpt-0.index", "is a TF2 checkpoint"),
        (tf2, "", "is a TF2 checkpoint"),
        (tf1, "model.ckpt", "is a TF1 checkpoint"),
        (lambda p: (p / "saved_model.pb").write_text(""), "", "is a TensorFlow Saved"),
        (lambda p: (p / "frozen_inference_graph.pb").touch(), "", "a TF1 frozen graph"),
        (lambda p: (p / "m.tflite").touch(), "m.tflite", "is a TFLite model"),
    ],
)
def test_find_says_what_is_there_instead(tmp_path, make, name, message):
    make(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        folders.find(tmp_path / name)
