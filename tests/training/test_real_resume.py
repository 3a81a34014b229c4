"""A real detector and real data: a killed run resumes bit for bit, and is loaded."""

import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import odapi
from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_arrays

CODE = "import sys; from odapi.cli.main import main; sys.argv[0] = 'odapi'; main()"


def command(shared, model_dir):
    spec = f"coco:{shared / 'data' / 'ducky' / 'train.json'}"
    rate = "train_config.optimizer.momentum_optimizer.learning_rate"
    overrides = [
        "model.ssd.num_classes=1",
        "model.ssd.image_resizer.fixed_shape_resizer={height: 64 width: 64}",
        "model.ssd.feature_extractor.depth_multiplier=0.35",
        "model.ssd.feature_extractor.fpn.additional_layer_depth=16",
        "train_config.fine_tune_checkpoint=",
        "train_config.optimizer.use_moving_average=true",
        f"{rate}.cosine_decay_learning_rate.total_steps=40",
        f"{rate}.cosine_decay_learning_rate.warmup_steps=10",
        "eval_config.use_moving_averages=true",
        "options.deterministic=true",
        "options.checkpoints.every_n_steps=20",
        "options.evaluation.every_n_steps=0",
    ]
    flags = [f"--set={override}" for override in overrides]
    config = shared / "configs" / "baseline" / "bccd_fpnlite_320.config"
    flags += ["--model-dir", model_dir, "--train-data", spec, "--eval-data", spec]
    flags += ["--num-steps", "40", "--batch-size", "2"]
    return [sys.executable, "-c", CODE, "train", str(config), *map(str, flags)]


def start(shared, model_dir):
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend()}
    return subprocess.Popen(
        command(shared, model_dir),
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_forty_steps_are_twenty_a_kill_and_twenty(shared, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    process = start(shared, whole)
    said = process.communicate()[1]
    assert process.returncode == 0, said

    process = start(shared, parts)
    while folders.latest(parts) is None and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    said = process.communicate()[1]
    assert process.returncode == -signal.SIGKILL, said
    assert folders.step_of(folders.latest(parts)) == 20

    process = start(shared, parts)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    assert "Resuming from checkpoint" in said
    for name in (folders.WEIGHTS, folders.AVERAGES, "training_state.h5"):
        one = load_arrays(folders.latest(whole) / name)
        other = load_arrays(folders.latest(parts) / name)
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)

    loaded = odapi.load_detector(parts)
    assert loaded.step == 40
    average = load_arrays(loaded.folder / folders.AVERAGES)
    weights = load_arrays(loaded.folder / folders.WEIGHTS)
    for name, variable in loaded.detector.named_variables().items():
        expected = average.get(name, weights[name])
        value = keras.ops.convert_to_numpy(variable)
        np.testing.assert_array_equal(value, expected, err_msg=name)
