"""Trainings that are killed at random moments end with the weights of whole ones."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest

SCRIPT = pathlib.Path(__file__).with_name("killed_runs.py")
KILLS = 50


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_fifty_kills_change_no_bit(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), str(KILLS), "7"],
        env=os.environ | {"KERAS_BACKEND": keras.backend.backend()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert sum(found["kills"].values()) == KILLS
    assert found["different"] == []
    # The delays are of a size that they meet all of a training.
    assert found["kills"]["writing"] >= 3
    assert found["kills"]["between checkpoints"] >= 3
