"""Two trainings never write to one folder."""

import errno
import json
import os
import re
import socket
import subprocess
import sys
import textwrap

import pytest

import odapi
from odapi.checkpoints import run_lock
from odapi.checkpoints.run_lock import FILE, locked
from odapi.errors import CheckpointError

HOLDER = textwrap.dedent(
    """
    import pathlib, sys
    from odapi.checkpoints.run_lock import locked
    with locked(pathlib.Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
    """
)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of tmp_path/run."""
    source = os.path.dirname(os.path.dirname(odapi.__file__))
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": source},
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_training_says_who_holds_the_lock(tmp_path, holder):
    run = tmp_path / "run"
    with pytest.raises(CheckpointError) as caught, locked(run):
        raise AssertionError("both hold it")
    host = socket.gethostname()
    message = str(caught.value)
    since = re.search(r"since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S+)\n", message)[1]
    assert message == (
        f"{run}: another training writes to this folder: process {holder.pid} on "
        f"{host}, since {since}\n  hint: wait until it has ended, stop it (kill "
        f"{holder.pid} on {host}), or choose another --model-dir"
    )
    assert (run / FILE).exists()


def test_the_lock_of_a_killed_training_does_not_block(tmp_path, holder):
    holder.kill()
    holder.wait()
    run = tmp_path / "run"
    assert (run / FILE).exists()
    with locked(run):
        assert json.loads((run / FILE).read_text())["pid"] == os.getpid()
    assert not run.exists()


def test_one_process_holds_it_once_and_releases_it(tmp_path):
    (tmp_path / "of the user").touch()
    with locked(tmp_path), pytest.raises(CheckpointError), locked(tmp_path):
        raise AssertionError("held twice")
    with locked(tmp_path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["of the user"]


def without_locks(monkeypatch):
    def refused(descriptor, shared=False):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(run_lock, "_lock", refused)


def test_without_locks_a_living_holder_blocks(tmp_path, monkeypatch, holder):
    without_locks(monkeypatch)
    with pytest.raises(CheckpointError, match=f"process {holder.pid} on "):
        with locked(tmp_path / "run"):
            raise AssertionError("both hold it")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        json.dumps({"pid": 2**22 + 1, "host": socket.gethostname(), "started": "1"}),
        # Another process has got the same id.
        json.dumps({"pid": os.getppid(), "host": socket.gethostname(), "started": "-"}),
    ],
)
def test_without_locks_a_stale_file_does_not_block(tmp_path, monkeypatch, content):
    without_locks(monkeypatch)
    (tmp_path / FILE).write_text(content)
    notes = []
    with locked(tmp_path, notes.append):
        assert json.loads((tmp_path / FILE).read_text())["pid"] == os.getpid()
    assert notes == []


def test_without_locks_a_holder_on_another_computer_is_a_warning(tmp_path, monkeypatch):
    without_locks(monkeypatch)
    holder = {"pid": 7, "host": "node9", "since": "2030-01-02 03:04:05+00:00"}
    (tmp_path / FILE).write_text(json.dumps(holder))
    notes = []
    with locked(tmp_path, notes.append):
        pass
    assert notes == [
        f"warning: {tmp_path} is on a file system without locks, and process 7 on "
        "node9 began a training there at 2030-01-02 03:04:05+00:00. If it still runs, "
        "stop one of the two."
    ]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError) as caught, locked(tmp_path / "file" / "run"):
        raise AssertionError("locked")
    path = tmp_path / "file" / "run"
    assert str(caught.value) == f"{path}: cannot be written: Not a directory"
