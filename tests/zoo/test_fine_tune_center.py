"""CenterNet from extractors that were saved without a detector."""

import numpy as np
import pytest

import tf2_checkpoints as tf2
from odapi.build.detector import build_detector
from odapi.checkpoints.weights import values
from odapi.errors import CheckpointError
from odapi.zoo.fine_tune import restore_tf2
from odapi.zoo.names.detector_keys import detector_keys
from small_models import small_config

EXTRACTOR, BACKBONE = "feature_extractor/", "feature_extractor/backbone/"
TYPE = "model.center_net.feature_extractor.type"


def _config(kind):
    overrides = [f"{TYPE}={kind}"]
    if not kind.startswith("mobilenet"):
        overrides.append("model.center_net.feature_extractor.depth_multiplier=1")
    return small_config("center", *overrides)


def _saved(detector, root, alone):
    """Tensors by key: what lies below `root`, below `alone` instead."""
    keys, arrays = detector_keys(detector), values(detector.named_variables())
    return {
        alone + key.removeprefix(root): arrays[name]
        for name, key in keys.items()
        if key.startswith(root)
    }


@pytest.mark.parametrize(
    ("kind", "root", "restored", "prefix"),
    [
        # The first ExtremeNet of the zoo was saved like this: all of the extractor.
        ("hourglass_10", "model/_feature_extractor/_network", "detection", EXTRACTOR),
        (
            "mobilenet_v2_fpn",
            "model/_feature_extractor/_base_model",
            "classification",
            BACKBONE,
        ),
        # Its backbone is the first layer of the model that has all.
        (
            "mobilenet_v2",
            "model/_feature_extractor/_network/layer_with_weights-0",
            "classification",
            BACKBONE,
        ),
    ],
)
def test_what_was_saved_alone_fills_its_part(tmp_path, kind, root, restored, prefix):
    there = build_detector(_config(kind), seed=1)
    for variable in there.named_variables().values():
        variable.assign(variable + 0.25)
    tf2.write(tmp_path / "ckpt-1", _saved(there, root, "feature_extractor"))
    fresh = build_detector(_config(kind), seed=2)
    report = restore_tf2(fresh, str(tmp_path / "ckpt-1"), restored)
    arrays, ours = values(there.named_variables()), values(fresh.named_variables())
    same = {n for n in ours if np.array_equal(ours[n], arrays[n])}
    assert same == {n for n in arrays if n.startswith(prefix)}
    assert report.skipped == {}


def test_a_classifier_alone_is_no_extractor(tmp_path):
    detector = build_detector(_config("mobilenet_v2_fpn"), seed=1)
    root = "model/_feature_extractor/_base_model"
    tf2.write(tmp_path / "ckpt-1", _saved(detector, root, "feature_extractor"))
    with pytest.raises(CheckpointError, match='type: "classification"'):
        restore_tf2(detector, str(tmp_path / "ckpt-1"), "detection")
