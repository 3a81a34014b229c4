"""Fine-tuning from TF2 checkpoints: each type restores its part of the model."""

import numpy as np
import pytest

import tf2_checkpoints as tf2
from odapi.build.detector import build_detector
from odapi.checkpoints.weights import values
from odapi.errors import CheckpointError, ConfigError
from odapi.training.initialize import initialize
from odapi.zoo.fine_tune import is_tf2, restore_tf2
from odapi.zoo.names.ssd_keys import ssd_keys
from small_models import small_config

BACKBONE, EXTRACTOR = "feature_extractor/backbone/", "feature_extractor/"
TYPE = "train_config.fine_tune_checkpoint_type"
PATH = "train_config.fine_tune_checkpoint"


@pytest.fixture(scope="module", params=["ssd", "fpn"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def there(family, tmp_path_factory):
    """A detector of the original, as its training saves it, and a backbone alone."""
    detector = build_detector(small_config(family), seed=1)
    for variable in detector.named_variables().values():
        variable.assign(variable + 0.25)
    keys = ssd_keys(detector)
    folder = tmp_path_factory.mktemp("there")
    tensors = tf2.of_detector(detector, keys)
    tensors |= {"step": np.array(7, np.int64), "save_counter": np.array(1, np.int64)}
    tf2.write(folder / "detector" / "checkpoint" / "ckpt-0", tensors, packed=True)
    backbone = tf2.of_detector(detector, keys, "feature_extractor")
    tf2.write(folder / "backbone" / "ckpt-1", backbone)
    return folder, values(detector.named_variables())


@pytest.fixture(scope="module")
def built(family):
    """Builds a detector once for each number of classes; it is as new every time."""
    known = {}

    def fresh(classes=2):
        if classes not in known:
            config = small_config(family, f"model.ssd.num_classes={classes}")
            detector = build_detector(config, seed=2)
            known[classes] = detector, values(detector.named_variables())
        detector, initial = known[classes]
        for name, variable in detector.named_variables().items():
            variable.assign(initial[name])
        return detector

    return fresh


def changed(detector, arrays):
    """Names of the variables that have the value of `arrays`."""
    ours = values(detector.named_variables())
    return {n for n in ours if np.array_equal(ours[n], arrays.get(n))}


@pytest.mark.parametrize(
    ("source", "kind", "prefix"),
    [
        ("detector", "full", ""),
        ("detector", "detection", EXTRACTOR),
        ("detector", "classification", BACKBONE),
        ("detector/checkpoint", "full", ""),
        ("detector/checkpoint/ckpt-0", "full", ""),
        ("backbone", "classification", BACKBONE),
    ],
)
def test_a_type_restores_its_part(there, built, source, kind, prefix):
    folder, arrays = there
    path = str(folder / source)
    assert is_tf2(path)
    fresh = built()
    report = restore_tf2(fresh, path, kind)
    expected = {n for n in arrays if n.startswith(prefix)}
    assert changed(fresh, arrays) == expected
    assert len(report.loaded) == len(expected)
    assert report.skipped == {}
    kept = [n for n in arrays if not n.startswith(prefix)]
    assert len(report.unused) == (len(kept) if source != "backbone" else 0)


@pytest.mark.parametrize("classes", [1, 5])
def test_other_classes_leave_the_class_predictor_as_it_is(there, built, classes):
    folder, arrays = there
    fresh = built(classes)
    before = values(fresh.named_variables())
    report = restore_tf2(fresh, str(folder / "detector"), "full")
    left = set(arrays) - changed(fresh, arrays)
    assert left == set(report.skipped)
    assert left and all(n.startswith("box_predictor/class") for n in left)
    assert changed(fresh, before) == left
    reason = f"2 classes there, {classes} here"
    assert set(report.skipped.values()) == {reason}
    assert f"left at their initial values ({reason})" in report.lines()[2]


@pytest.mark.parametrize(
    ("source", "kind", "error", "message"),
    [
        ("backbone", "detection", CheckpointError, 'type: "classification"'),
        ("backbone", "full", CheckpointError, "contains only a backbone"),
        ("detector", "ful", ConfigError, "did you mean 'full'"),
        ("other", "full", CheckpointError, "but head, net.*detection_model"),
    ],
)
def test_wrong_types(there, built, source, kind, error, message):
    folder, _ = there
    other = {"net/kernel": np.ones(3), "head/bias": np.ones(1)}
    tf2.write(folder / "other" / "ckpt-0", other)
    fresh = built()
    with pytest.raises(error) as caught:
        restore_tf2(fresh, str(folder / source), kind)
    assert all(part in str(caught.value) for part in message.split(".*"))


@pytest.mark.parametrize("kind", ["full", "detection", "classification", ""])
def test_the_config_names_it(there, built, family, kind):
    folder, arrays = there
    overrides = [f"{PATH}={folder / 'detector' / 'checkpoint' / 'ckpt-0'}"]
    if kind:
        overrides.append(f"{TYPE}={kind}")
    fresh = built()
    [report] = initialize(small_config(family, *overrides), fresh)
    assert report.kind == (kind or "classification")
    assert changed(fresh, arrays) == {
        n
        for n in arrays
        if n.startswith({"full": "", "detection": EXTRACTOR}.get(kind, BACKBONE))
    }


def test_a_tf1_checkpoint_says_so(tmp_path, built, family):
    tf2.write(tmp_path / "model.ckpt", {"FeatureExtractor/w": np.ones(1)}, tf1=True)
    config = small_config(family, f"{PATH}={tmp_path / 'model.ckpt'}")
    with pytest.raises(CheckpointError, match=r"a TF1 checkpoint.*\n.*zoo list"):
        initialize(config, built())


def test_a_nan_there_is_not_loaded(there, built, tmp_path):
    _, arrays = there
    detector = built()
    keys = ssd_keys(detector)
    tensors = {keys[n]: v for n, v in arrays.items()}
    name = next(n for n in keys if n.startswith(BACKBONE))
    tensors[keys[name]] = np.full_like(arrays[name], np.nan)
    report = restore_tf2(detector, str(tf2.write(tmp_path / "ckpt", tensors)), "full")
    assert report.skipped == {name: "NaN or infinite there"}
