"""The memory of a long training does not grow."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest

SCRIPT = pathlib.Path(__file__).with_name("memory_growth.py")


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_memory_does_not_grow_over_ten_thousand_steps(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), "10000"],
        env=os.environ | {"KERAS_BACKEND": keras.backend.backend()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["evaluations"] == 10
    assert found["slope"] < 1.0, found["measured"]
