"""40 steps are the same as 20, kill -9, and 20 more: bit for bit."""

import os
import pathlib
import signal
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_arrays

SCRIPT = pathlib.Path(__file__).with_name("exact_resume.py")


def run(*arguments):
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend()}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
    )


def arrays(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda n, v: found.update({n: v[()]} if hasattr(v, "shape") else {})
        )
    return found


@pytest.mark.backend
@pytest.mark.slow
def test_a_killed_run_resumes_bit_for_bit(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done = run(whole, 40)
    assert done.returncode == 0, done.stderr
    # The other backends are not imported for it.
    assert done.stdout.splitlines()[-1] == str([keras.backend.backend()])
    # Dies between the checkpoints of steps 20 and 30: what came after 20 is redone.
    killed = run(parts, 40, 29)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert folders.step_of(folders.latest(parts)) == 20
    resumed = run(parts, 40)
    assert resumed.returncode == 0, resumed.stderr

    for name in (folders.WEIGHTS, folders.AVERAGES, "training_state.h5"):
        one = arrays(folders.latest(whole) / name)
        other = arrays(folders.latest(parts) / name)
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)
    assert (
        load_arrays(whole / "final.h5").keys() == load_arrays(parts / "final.h5").keys()
    )
