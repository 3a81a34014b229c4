"""A training saves and evaluates re-estimated batch statistics, and keeps its own."""

import numpy as np
import pytest
from keras.ops import convert_to_numpy

from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_arrays
from odapi.optim.ema import averages_of
from tiny_detector import TinyDetector, TinyPipeline, make_batch

MEAN = "feature_extractor/norm/moving_mean"
PLAN = {"evaluate_every": 2, "save_every": 1, "keep": 9}


def files(run, step):
    folder = folders.steps(run.model_dir)[step]
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.suffix == ".h5"}


def batch_means(detector, number):
    """Returns the mean over first batches of the means before the norm."""
    means = []
    for i in range(number):
        x = make_batch(i).images.astype("float32") / 127.5 - 1.0
        means.append(convert_to_numpy(detector.conv(x)).mean(axis=(0, 1, 2)))
    return np.mean(means, axis=0)


@pytest.mark.backend
@pytest.mark.parametrize("average", [False, True])
def test_evaluations_use_them_and_training_keeps_its_own(run, tmp_path, average):
    evaluated = {}

    def score(step):
        norm = run.detector.norm
        evaluated[step] = convert_to_numpy(norm.moving_mean).copy()
        expected = batch_means(run.detector, 2)
        np.testing.assert_allclose(evaluated[step], expected, atol=1e-5)
        return 0.5

    plan = {**PLAN, "average": average, "decay": 0.9 if average else None}
    run(5, scores=score, recalibrate=2, **plan)
    assert run.evaluated == [2, 4, 5]
    for step in (1, 3):  # Not evaluated.
        assert "batch_norm.h5" not in files(run, step)
    for step in (2, 4, 5):
        saved = load_arrays(folders.steps(run.model_dir)[step] / folders.BATCH_NORM)
        assert sorted(saved) == [MEAN, MEAN.replace("mean", "variance")]
        np.testing.assert_array_equal(saved[MEAN], evaluated[step])
    assert bool(averages_of(run.optimizer)) == average
    run.model_dir = tmp_path / "without"
    with_option = files_of(tmp_path)
    run.detector = run.pipeline = None
    run(5, scores=lambda step: 0.5, **plan)
    assert files_of(run.model_dir) == with_option


def files_of(model_dir):
    """Returns the content of all weights and states, without the new file."""
    return {
        (step, file.name): file.read_bytes()
        for step, folder in folders.steps(model_dir).items()
        for file in folder.glob("*.h5")
        if file.name != folders.BATCH_NORM
    }


def test_the_last_checkpoint_has_them_without_evaluation(run, capsys):
    run(3, recalibrate=2, save_every=2, keep=9)
    assert "batch_norm.h5" not in files(run, 2)
    assert "batch_norm.h5" in files(run, 3)
    lines = capsys.readouterr().err.splitlines()
    assert (
        "Re-estimated the statistics of 1 batch norm from 2 batches of training data"
        in lines
    )


def test_a_resumed_run_measures_the_same(run, tmp_path):
    run(4, scores=lambda step: 0.5, recalibrate=2, **PLAN)
    whole = load_arrays(folders.steps(run.model_dir)[4] / folders.BATCH_NORM)
    run.model_dir = tmp_path / "parts"
    for steps in (3, 4):
        run.detector, run.pipeline = TinyDetector(dropout=0.5), TinyPipeline()
        run(steps, scores=lambda step: 0.5, recalibrate=2, **PLAN)
    parts = load_arrays(folders.steps(run.model_dir)[4] / folders.BATCH_NORM)
    for name, value in whole.items():
        np.testing.assert_array_equal(parts[name], value)


def test_a_model_without_trained_norms_trains_with_a_note(run, capsys):
    run.detector = TinyDetector()
    run.detector.norm.trainable = False
    run(2, recalibrate=2)
    assert "batch_norm.h5" not in files(run, 2)
    assert capsys.readouterr().err.splitlines()[0] == (
        "note: options.recalibrate_batch_norm has no effect: no batch norm is trained"
    )
