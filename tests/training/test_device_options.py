"""`--devices 2` with options that one device decides: as on one, or refused."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest

from odapi.errors import ConfigError
from odapi.runtime.distribution.strategy import Strategy
from odapi.training.device_checks import check_options
from tiny_samples import train_config

BACKEND = keras.backend.backend()
SCRIPT = pathlib.Path(__file__).with_name("device_options.py")
ON_TENSORFLOW = (
    "options.gradient_accumulation: is 2, which TensorFlow cannot do on several "
    "devices\n  hint: use one device, or --backend jax"
)

several = pytest.mark.skipif(
    BACKEND not in ("jax", "tensorflow"), reason="trains on one device"
)


def run(folder, *cases):
    """Returns results of cases, in one process with two devices of a CPU."""
    environment = os.environ | {
        "KERAS_BACKEND": BACKEND,
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "-1",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), *cases],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs"), "batch-2", "parts-2", "dry-2", "dry-1")


@several
@pytest.mark.backend
def test_a_dry_run_is_on_the_devices_and_has_the_plan_and_losses_of_one(results):
    two, one = results["dry-2"], results["dry-1"]
    assert (two["replicas"], one["replicas"]) == ([2], [1])
    assert two["plan"] == one["plan"] == [3, 4, 1]
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)
    assert not two["wrote"]


@several
@pytest.mark.slow
def test_auto_precision_times_steps_on_the_devices(tmp_path):
    results = run(tmp_path, "auto-2", "auto-1")
    two, one = results["auto-2"], results["auto-1"]
    # Two trials and the training.
    assert (two["replicas"], one["replicas"]) == ([2, 2, 2], [1, 1, 1])
    assert two["precision"] == one["precision"] == "BFLOAT16"
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)


@several
@pytest.mark.backend
def test_gradient_accumulation_is_that_of_one_device_or_refused(results):
    two, one = results["parts-2"], results["dry-1"]
    if BACKEND == "tensorflow":
        assert two == {"error": ON_TENSORFLOW, "wrote": False, "built": 0}
        return
    assert two["replicas"] == [2]
    # Its losses are means of images, and it has no batch norm and no dropout.
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)


@several
@pytest.mark.backend
def test_auto_batch_size_is_refused(results):
    assert results["batch-2"] == {
        "error": "--batch-size: is auto, which measures one device, and 2 devices "
        "share each batch\n  hint: --batch-size auto --dry-run without --devices "
        "prints the size of one; set --batch-size to 2 times that",
        "wrote": False,
        "built": 0,
    }


class Devices(Strategy):
    def __init__(self, num_devices=1, num_processes=1, accumulates=True):
        self.num_devices, self.num_processes = num_devices, num_processes
        self.accumulates = accumulates


PARTS, AUTO = "options.gradient_accumulation=2", "options.precision=AUTO"


@pytest.mark.parametrize(
    ("strategy", "overrides", "expected"),
    [
        (Devices(2), (PARTS, AUTO), ""),
        (Devices(2, accumulates=False), (), ""),
        (Devices(2, accumulates=False), (PARTS,), ON_TENSORFLOW),
        # Each part must divide by the devices: 2 images of 4.
        (Devices(4), (PARTS,), "train_config.batch_size: 2 images do not divide by 4"),
        (
            Devices(2, 2),
            (PARTS,),
            "options.gradient_accumulation: works in one",
        ),
        (Devices(2, 2), (AUTO,), "options.precision: AUTO: works in one"),
    ],
)
def test_options_are_checked_before_anything_is_built(strategy, overrides, expected):
    config = train_config("ssd", "train_config.batch_size=4", *overrides)
    if not expected:
        check_options(config, strategy)
        return
    with pytest.raises(ConfigError) as caught:
        check_options(config, strategy)
    assert str(caught.value).startswith(expected)
