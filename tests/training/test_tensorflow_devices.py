"""Several devices on TensorFlow give the losses of one; errors where there is one.

One process has two CPU devices and runs all cases; see tensorflow_replicas.
"""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest

from odapi.errors import ConfigError
from odapi.runtime.distribution import unsupported
from odapi.runtime.distribution.choose import choose_strategy
from odapi.runtime.distribution.cluster import Cluster

HERE = pathlib.Path(__file__).parent
BACKEND = keras.backend.backend()
pytestmark = pytest.mark.timeout(900)  # Of the first, which runs all cases.
FAMILIES = ("ssd", "rcnn")


def run(script: str, *arguments: str) -> subprocess.CompletedProcess:
    """Runs a script of this folder on TensorFlow, without a GPU."""
    environment = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        env={**os.environ, **environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.fixture(scope="module")
def results():
    done = run("tensorflow_replicas.py")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


tensorflow_only = pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow")


@tensorflow_only
@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_one_device(results, family):
    found = results[family]
    assert found["loss_gap"] < 1e-5
    assert found["differing"] == []


@tensorflow_only
@pytest.mark.slow
def test_weights_and_averages_are_those_of_one_device(results):
    found = results["ssd"]
    assert len(found["loss"]) == 3 and found["loss"][2] != found["loss"][0]
    assert found["weight_gap"] < 1e-4
    assert found["average_gap"] < 1e-4


@tensorflow_only
@pytest.mark.slow
def test_batch_norm_by_device(results):
    # Means of halves of a batch have the mean of the batch; variances do not.
    found = results["unsynchronized"]
    assert found["loss_gap"] > 1e-3
    assert found["mean_gap"] < 1e-5
    assert found["differing"] == []


@tensorflow_only
@pytest.mark.slow
def test_a_step_with_infinite_gradients_on_one_device_is_left_out(results):
    assert results["overflow"] == {"kept": True, "trains_on": True, "finite": True}


@tensorflow_only
@pytest.mark.slow
def test_images_of_many_sizes(results):
    found = results["sizes"]
    assert found["loss"][3] != found["loss"][0]
    assert found["loss_gap"] < 1e-5


def test_several_processes_need_jax():
    if BACKEND == "jax":
        pytest.skip("JAX can")
    with pytest.raises(ConfigError, match=r"--num-processes.*JAX only") as error:
        choose_strategy(2, Cluster("127.0.0.1:1234", 2, 0))
    assert '--backend jax (pip install "odapi[jax]")' in str(error.value)


@pytest.mark.parametrize(
    ("is_there", "reason"),
    [
        (False, f"Keras {keras.version()} has no data parallelism on PyTorch"),
        (True, f"odapi does not use that of Keras {keras.version()} yet"),
    ],
)
def test_several_devices_on_pytorch(monkeypatch, is_there, reason):
    monkeypatch.setattr(unsupported, "has_torch_distribution", lambda: is_there)
    message = str(unsupported.one_device_of_torch())
    assert reason in message
    for way in ("--backend jax", "--backend tensorflow", "CUDA_VISIBLE_DEVICES"):
        assert way in message


@pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch")
def test_pytorch_refuses_two_devices():
    with pytest.raises(ConfigError, match="--devices: PyTorch trains on one device"):
        choose_strategy(2)


@tensorflow_only
def test_a_run_within_a_scope_of_the_program_is_refused():
    import tensorflow as tf

    with (
        tf.distribute.MirroredStrategy(["/CPU:0"]).scope(),
        pytest.raises(ConfigError, match="within the scope of a MirroredStrategy"),
    ):
        choose_strategy()


@tensorflow_only
def test_more_devices_than_there_are():
    import tensorflow as tf

    tf.zeros(())  # TensorFlow has started: no further devices can be made.
    with pytest.raises(ConfigError, match="is 64, but TensorFlow finds 1 CPU device"):
        choose_strategy(64)


@tensorflow_only
@pytest.mark.slow
def test_a_run_is_resumed_on_another_number_of_devices(tmp_path):
    # Unsynchronized statistics are re-estimated and evaluated on the way.
    steps = ["options.recalibrate_batch_norm=1"]

    def train(num_steps, devices):
        settings = {
            "model_dir": str(tmp_path / "run"),
            "out": str(tmp_path / "out.json"),
            "num_steps": num_steps,
            "devices": devices,
            "overrides": steps,
        }
        done = run("process_training.py", json.dumps(settings))
        assert done.returncode == 0, done.stderr
        return json.loads((tmp_path / "out.json").read_text()), done.stderr

    first, shown = train(3, 2)
    assert "Devices: 2 CPUs, data parallel" in shown and len(first["losses"]) == 3
    assert first["metrics"]["DetectionBoxes_Precision/mAP"] >= 0
    second, shown = train(6, 1)
    assert "Resuming from checkpoint" in shown and "step-00000003" in shown
    assert second["step"] == 6 and len(second["losses"]) == 3
