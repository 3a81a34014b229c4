"""Trainings on virtual devices and in two processes, on JAX: as on one device."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_arrays

SCRIPT = pathlib.Path(__file__).with_name("process_training.py")
MAP = "DetectionBoxes_Precision/mAP"

pytestmark = [
    pytest.mark.timeout(900),  # Several processes, each of which starts JAX.
    pytest.mark.backend,
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "jax", reason="trains on several devices on JAX only"
    ),
]


def start(settings, virtual=1):
    """Starts trainings in a process of their own."""
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={virtual}",
    }
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), json.dumps(settings)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def settings_of(folder, name, run="run", **settings):
    return {"model_dir": str(folder / run), "out": str(folder / name)} | settings


def start_two(folder, others=None, **settings):
    """Starts two processes that train together; `others` is for process 1 only."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    own = [settings, settings | (others or {})]
    return [
        start(settings_of(folder, f"process-{i}", cluster=[address, 2, i], **own[i]))
        for i in range(2)
    ]


def finish(*processes):
    """Returns exit code and standard error of each process."""
    return [(p.communicate(timeout=200)[1], p.returncode)[::-1] for p in processes]


def facts(path):
    return json.loads(path.read_text())


def weights(folder):
    return load_arrays(folders.latest(folder / "run") / folders.WEIGHTS)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A training on one device, and one on two: losses of every step, and metrics."""
    folder = tmp_path_factory.mktemp("one")
    on_two = settings_of(folder, "two", "run-of-two", devices=2)
    ((code, text),) = finish(start([settings_of(folder, "one"), on_two], virtual=2))
    assert code == 0, text
    (folder / "shown").write_text(text)
    return folder


def assert_same(found, expected):
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-5)
    assert found["metrics"].keys() == expected["metrics"].keys()
    assert expected["metrics"][MAP] > 0.3
    for name, value in expected["metrics"].items():
        # Weights differ by rounding, and so do losses of the evaluation.
        limit = 1e-5 if name.startswith("Loss/") else 1e-9
        assert found["metrics"][name] == pytest.approx(value, abs=limit), name


def test_two_virtual_devices_train_as_one(one):
    text = " ".join((one / "shown").read_text().split())
    assert text.count("Devices: 2 CPU devices, data parallel") == 1
    assert text.count("not of each of the 2 devices, as sync_batch_norm does") == 1
    assert_same(facts(one / "two"), facts(one / "one"))


def test_two_processes_train_as_one_and_process_0_alone_writes(one, tmp_path):
    (code, text), (code_1, text_1) = finish(*start_two(tmp_path))
    assert (code, code_1) == (0, 0), text + text_1
    first, second = (facts(tmp_path / f"process-{i}") for i in range(2))
    assert first == second
    assert_same(first, facts(one / "one"))
    assert "Devices: 2 CPU devices of 2 processes, data parallel" in text
    assert text.count("Saved checkpoint to") == 2
    assert "Saved" not in text_1 and "step" not in text_1
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [3, 6]


def test_a_killed_process_ends_the_other_and_the_run_resumes_exactly(one, tmp_path):
    (code, text), (killed, _) = finish(*start_two(tmp_path, {"die_at": 5}))
    assert killed == -signal.SIGKILL
    assert code == 1
    assert "ClusterError: another process: has ended or cannot be reached" in text
    assert folders.step_of(folders.latest(tmp_path / "run")) == 3
    codes = [code for code, _ in finish(*start_two(tmp_path))]
    assert codes == [0, 0]
    resumed = facts(tmp_path / "process-0")
    assert resumed["step"] == 6
    np.testing.assert_allclose(
        resumed["losses"], facts(one / "one")["losses"][3:], rtol=1e-5
    )
    expected, found = weights(one), weights(tmp_path)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-6, err_msg=name)


def test_ctrl_c_of_one_process_saves_once_and_ends_all(tmp_path):
    (code, text), (code_1, text_1) = finish(*start_two(tmp_path, {"stop_at": 3}))
    assert (code, code_1) == (0, 0), text + text_1
    for i in range(2):
        found = facts(tmp_path / f"process-{i}")
        # Process 1 notices it after step 4, and both end after the next one.
        assert (found["reason"], found["step"]) == ("interrupted", 5)
    assert folders.step_of(folders.latest(tmp_path / "run")) == 5


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (
            {"overrides": ["train_config.batch_size=2"]},
            "process 1: has train_config.batch_size: 2, and process 0 4",
        ),
        ({"samples": 9}, "process 1: has other training data: 9 images, and process 0"),
        ({"fail_at": 2}, "process 1: has ended, and this one with it: RuntimeError: a"),
    ],
    ids=["config", "data", "error"],
)
def test_processes_that_differ_or_fail_end_together(tmp_path, others, expected):
    (code, text), (code_1, text_1) = finish(*start_two(tmp_path, others))
    assert (code, code_1) == (1, 1), text + text_1
    assert expected in text
    if others.keys() != {"fail_at"}:
        assert (
            f"ClusterError: process 0: has ended, and this one with it: {expected}"
            in text_1
        )
