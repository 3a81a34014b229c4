"""Importing two-stage detectors of the original, exported or in training."""

import numpy as np
import pytest

import odapi
import tf2_checkpoints as tf2
from narrow_rcnn import narrow, small_rcnn
from odapi.build.detector import build_detector
from odapi.checkpoints.weights import values
from odapi.config import parse
from odapi.config.load import load_config, save_config
from odapi.errors import CheckpointError
from odapi.zoo.import_checkpoint import import_checkpoint
from odapi.zoo.names.detector_keys import detector_keys

_TRAINING = """
train_config { optimizer {
  momentum_optimizer {
    learning_rate { constant_learning_rate { learning_rate: 0.001 } }
  }
  use_moving_average: false
} }
"""
_BUILT = {}


@pytest.fixture(autouse=True)
def narrowed(monkeypatch):
    """Importing and loading give every weight a value: one detector does for all."""
    narrow(monkeypatch)
    for module in ("odapi.build.detector", "odapi.checkpoints.load_detector"):
        monkeypatch.setattr(f"{module}.build_detector", _build)


def _build(config, seed=None, label_map=None):
    key = config.model.SerializeToString()
    if key not in _BUILT:
        _BUILT[key] = build_detector(config, seed)
    return _BUILT[key]


def _tensors(config):
    """Returns weights by our names, and by the original's keys."""
    detector = _build(config)
    keys = detector_keys(detector)
    # Other values than the detector has, which is the one that is filled.
    weights = {n: v + 0.25 for n, v in values(detector.named_variables()).items()}
    return weights, {keys[name]: value for name, value in weights.items()}


def _check(run, weights):
    loaded = odapi.load_detector(run)
    for name, value in values(loaded.detector.named_variables()).items():
        np.testing.assert_array_equal(value, weights[name])


def test_an_archive_fills_every_weight_and_is_found_again(tmp_path):
    config = small_rcnn("pyramid")
    weights, tensors = _tensors(config)
    tf2.write(tmp_path / "zoo/checkpoint/ckpt-0", tensors, packed=True)
    save_config(config, tmp_path / "zoo/pipeline.config")
    done = import_checkpoint(tmp_path / "zoo", tmp_path / "run")
    assert done.step is None
    assert done.lines[1] == f"  loaded      {len(weights)} of {len(weights)} variables"
    _check(tmp_path / "run", weights)


def test_a_training_keeps_its_momentum(tmp_path):
    config = load_config(parse.to_text(small_rcnn("c4")) + _TRAINING)
    weights, tensors = _tensors(config)
    tensors |= {
        f"{key}{tf2.SLOT}optimizer/momentum": np.full_like(value, 0.5)
        for key, value in tensors.items()
    }
    tensors |= {"step": np.array(7, np.int64), "save_counter": np.array(1, np.int64)}
    tf2.write(tmp_path / "training/ckpt-2", tensors)
    save_config(config, tmp_path / "training/pipeline.config")
    done = import_checkpoint(
        tmp_path / "training", tmp_path / "run", keep_optimizer=True
    )
    assert done.step == 7
    assert any("momentum" in line for line in done.lines)
    _check(tmp_path / "run", weights)


def test_other_classes_are_refused(tmp_path):
    config = small_rcnn("c4")
    tf2.write(tmp_path / "zoo/checkpoint/ckpt-0", _tensors(config)[1], packed=True)
    config.model.faster_rcnn.num_classes = 3
    save_config(config, tmp_path / "zoo/pipeline.config")
    with pytest.raises(
        CheckpointError, match=r"config has 3 classes, .* was trained with 2"
    ):
        import_checkpoint(tmp_path / "zoo", tmp_path / "run")
    assert not (tmp_path / "run").exists()
