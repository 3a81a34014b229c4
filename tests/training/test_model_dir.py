"""Folders of runs: the original's, those of the user, and what is kept in them."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

import odapi
import tf2_checkpoints
from odapi.checkpoints.run_folder import mark_run, write_run_metadata
from odapi.errors import OutputError
from odapi.outputs.folder import check_folder
from odapi.outputs.kinds import RUN

STEP = "step"


def lay_out(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"mine: {name}")


def checkpoint(prefix, step=None, tf1=False):
    prefix.parent.mkdir(parents=True, exist_ok=True)
    tensors = {} if step is None else {STEP: np.int64(step)}
    key = "weights" if tf1 else "model/weights"
    tf2_checkpoints.write(prefix, {key: np.zeros(2, "f4"), **tensors}, tf1=tf1)


def refused(folder, config="my.config"):
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(OutputError) as caught:
        odapi.train(config, folder)
    after = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert after == before
    return str(caught.value)


@pytest.mark.parametrize("has_config", [True, False])
def test_a_model_dir_of_the_original(tmp_path, monkeypatch, has_config):
    monkeypatch.chdir(tmp_path)
    folder = pathlib.Path("my runs/training")
    checkpoint(folder / "ckpt-5", 5000)
    checkpoint(folder / "ckpt-6", 6000)
    lay_out(folder, "train/events.out.tfevents.1", *["pipeline.config"] * has_config)
    state = 'model_checkpoint_path: "ckpt-6"'
    (folder / "checkpoint").write_text(state)
    option = "" if has_config else " --config pipeline.config"
    assert refused(folder) == (
        "my runs/training: has a TF2 checkpoint of the TF Object Detection API "
        "(ckpt-6, step 6000)\n"
        "  hint: to resume from it in a new folder:\n"
        f"    odapi zoo import 'my runs/training'{option} --keep-optimizer "
        "--output 'my runs/training-2'\n"
        "    odapi train 'my runs/training-2' --model-dir 'my runs/training-2'"
    )


def test_an_export_of_the_original(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint(pathlib.Path("model/checkpoint/ckpt-0"))
    lay_out(pathlib.Path("model"), "pipeline.config")
    assert refused(pathlib.Path("model")) == (
        "model: has an exported checkpoint of the TF Object Detection API "
        "(checkpoint/ckpt-0)\n"
        "  hint: to train from its weights in a new folder:\n"
        "    odapi zoo import model --output model-2\n"
        "    odapi train my.config --model-dir model-2-run "
        "--set train_config.fine_tune_checkpoint=model-2 "
        "--set train_config.fine_tune_checkpoint_type=full"
    )


def test_a_model_dir_of_tf1(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint(pathlib.Path("old/model.ckpt-20000"), tf1=True)
    lay_out(pathlib.Path("old"), "graph.pbtxt", "model.ckpt-20000.meta")
    assert refused(pathlib.Path("old")) == (
        "old: has a TF1 checkpoint of the TF Object Detection API "
        "(model.ckpt-20000, step 20000)\n"
        "  hint: TF1 checkpoints cannot be imported; start from the model's "
        "successor:\n"
        "    odapi zoo list\n"
        "    odapi train my.config --model-dir old-2 "
        "--set train_config.fine_tune_checkpoint=zoo/NAME "
        "--set train_config.fine_tune_checkpoint_type=detection"
    )


@pytest.mark.parametrize(
    "names, problem",
    [
        (["train.record"], "has files that odapi did not write: train.record"),
        (
            ["metrics.jsonl", "pipeline.config"],
            "has files that odapi did not write: metrics.jsonl",
        ),
        (
            ["checkpoint/weights.h5"],
            "is an export that odapi wrote; a training run needs its own folder",
        ),
    ],
)
def test_other_folders(tmp_path, names, problem):
    folder = tmp_path / "data"
    lay_out(folder, *names)
    assert refused(folder) == (
        f"{folder}: {problem}\n  hint: choose a new folder, such as {folder}-2"
    )


def test_files_and_impossible_paths(tmp_path):
    lay_out(tmp_path, "file")
    for path, problem in {
        "file": "is a file; a training run is a folder",
        "file/run": f"cannot be written: {tmp_path}/file is a file",
        "n" * 300: "cannot be written: File name too long",
        "a\0b": "cannot be written: the path is invalid: embedded null byte",
    }.items():
        with pytest.raises(OutputError) as caught:
            odapi.train("no such config", tmp_path / path)
        assert caught.value.problem == problem


def test_the_check_comes_before_keras_is_imported(tmp_path):
    lay_out(tmp_path, "notes.txt")
    code = (
        "import sys, odapi\n"
        "for call in (odapi.train, odapi.export):\n"
        f"    try: call('x', {str(tmp_path)!r})\n"
        "    except odapi.OutputError: pass\n"
        "print([m for m in ('keras', 'tensorflow', 'jax') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def write(text):
    def fill(folder):
        (folder / "pipeline.config").write_text(text)
        (folder / "label_map.pbtxt").write_text("classes")

    return fill


def test_files_of_the_user_are_kept_in_a_run(tmp_path):
    lay_out(tmp_path, "pipeline.config")
    assert write_run_metadata(tmp_path, write("a")) == [tmp_path / "pipeline.config"]
    assert (tmp_path / "pipeline.config").read_text() == "mine: pipeline.config"
    assert (tmp_path / "label_map.pbtxt").read_text() == "classes"
    check_folder(tmp_path, RUN)


def test_the_files_of_a_run_are_replaced_until_the_user_changes_them(tmp_path):
    assert write_run_metadata(tmp_path, write("a")) == []
    assert write_run_metadata(tmp_path, write("b")) == []
    assert (tmp_path / "pipeline.config").read_text() == "b"
    (tmp_path / "pipeline.config").write_text("c")
    assert write_run_metadata(tmp_path, write("b")) == [tmp_path / "pipeline.config"]
    assert write_run_metadata(tmp_path, write("c")) == []  # Equal: nothing to say.
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        ".odapi", "label_map.pbtxt", "pipeline.config"
    ]  # fmt: skip


@pytest.mark.parametrize("changed", [False, True])
def test_the_config_of_a_run_of_an_older_version(tmp_path, changed):
    step = tmp_path / "checkpoints" / "step-00000007"
    lay_out(step, "weights.h5")
    for folder in (tmp_path, step):
        (folder / "pipeline.config").write_text("a")
    if changed:
        (tmp_path / "pipeline.config").write_text("mine")
    mark_run(tmp_path)
    kept = write_run_metadata(tmp_path, write("b"))
    assert kept == [tmp_path / "pipeline.config"] * changed
    content = "mine" if changed else "b"
    assert (tmp_path / "pipeline.config").read_text() == content
