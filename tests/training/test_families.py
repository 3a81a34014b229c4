"""`odapi.train` on a small detector of each family, with nothing replaced."""

import json

import numpy as np
import pytest
from keras.ops import convert_to_numpy

import odapi
from odapi.checkpoints import folder as folders
from tiny_samples import CLASSES, make_samples, train_config

_SLOW = ("center", "rcnn", "fpn", "bifpn")


@pytest.mark.parametrize(
    "family", ["ssd", *(pytest.param(f, marks=pytest.mark.slow) for f in _SLOW)]
)
def test_two_steps_train_save_and_evaluate(family, tmp_path):
    outcome = odapi.train(
        train_config(family),
        tmp_path,
        train_data=make_samples(),
        eval_data=make_samples(3),
        classes=CLASSES,
    )
    assert (outcome.step, outcome.reason) == (2, "done")
    assert outcome.metrics["Loss/total_loss"] > 0
    assert -1 <= outcome.metrics["DetectionBoxes_Precision/mAP"] <= 1
    assert folders.step_of(folders.latest(tmp_path)) == 2
    summary = json.loads((tmp_path / "training.json").read_text())
    assert summary["step"] == 2 and summary["losses"].keys() == outcome.losses.keys()
    loaded = odapi.load_detector(tmp_path)
    assert [c.name for c in loaded.label_map] == CLASSES
    assert (loaded.step, loaded.detector.num_classes) == (2, 2)


@pytest.mark.slow
def test_a_model_is_trained_further_from_its_weights(tmp_path, capsys):
    config = train_config("ssd")
    detector = odapi.build_detector(config, seed=11)
    detector.trainable_variables[0].assign(
        np.full(detector.trainable_variables[0].shape, 0.5, "float32")
    )
    before = convert_to_numpy(detector.trainable_variables[0])
    rate = "train_config.optimizer.momentum_optimizer.learning_rate"
    odapi.train(
        detector,
        tmp_path,
        [f"{rate}.constant_learning_rate.learning_rate=1e-30"],
        train_data=make_samples(),
        classes=CLASSES,
        num_steps=1,
    )
    trained = odapi.load_detector(tmp_path).detector
    np.testing.assert_array_equal(
        convert_to_numpy(trained.trainable_variables[0]), before
    )
    number = len(detector.named_variables())
    assert f"loaded      {number} of {number} variables" in capsys.readouterr().err
