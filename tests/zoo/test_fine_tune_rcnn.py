"""Two-stage detectors start from the original's checkpoints: each type its part."""

import numpy as np
import pytest

import tf2_checkpoints as tf2
from narrow_rcnn import narrow, small_rcnn
from odapi.backbones.resnet import resnet, stage_ends
from odapi.build.detector import build_detector
from odapi.checkpoints.weights import values
from odapi.layers.names import named_variables
from odapi.training.freeze import freeze
from odapi.training.initialize import initialize
from odapi.zoo.fine_tune import restore_tf2
from odapi.zoo.names.backbone_keys import backbone_keys
from odapi.zoo.names.rcnn_keys import rcnn_keys

_BACKBONE = "feature_extractor/backbone/"
_BOTH = ("feature_extractor/", "roi_features/")
_WIDTH = 0.0625


@pytest.fixture(scope="module", params=["c4", "pyramid"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def narrowed():
    with pytest.MonkeyPatch.context() as patch:
        narrow(patch)
        yield


@pytest.fixture(scope="module")
def built(narrowed, family):
    return build_detector(small_rcnn(family), seed=2)


@pytest.fixture
def fresh(built):
    """The detector, as new every time."""
    variables = built.named_variables()
    initial = values(variables)
    trainable = {name: v.trainable for name, v in variables.items()}
    yield built
    for name, variable in variables.items():
        variable.assign(initial[name])
        variable.trainable = trainable[name]


@pytest.fixture(scope="module")
def there(built, tmp_path_factory):
    """A detector of the original and a classifier, and the values that they have."""
    folder = tmp_path_factory.mktemp("there")
    arrays = {n: v + 0.25 for n, v in values(built.named_variables()).items()}
    tensors = {key: arrays[name] for name, key in rcnn_keys(built).items()}
    tensors["save_counter"] = np.array(1, np.int64)
    tf2.write(folder / "detector" / "ckpt-0", tensors)
    classifier = resnet(50, stage_ends(50), width=_WIDTH)
    keys = backbone_keys(classifier, "feature_extractor")
    # The classifier counts all its layers, a detector those of each half.
    where = {n: _where(arrays, n) for n in named_variables(classifier)}
    tensors = {keys[n]: arrays[full] for n, full in where.items()}
    tf2.write(folder / "classifier" / "ckpt-1", tensors)
    return folder, arrays, set(where.values())


def _where(arrays, name):
    full = f"{_BACKBONE}{name}"
    return full if full in arrays else f"roi_features/{name}"


def _changed(detector, arrays):
    ours = values(detector.named_variables())
    return {n for n in ours if np.array_equal(ours[n], arrays[n])}


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("detector", "full"),
        ("detector", "detection"),
        ("detector", "classification"),
        ("classifier", "classification"),
    ],
)
def test_a_type_restores_its_part(there, fresh, source, kind):
    folder, arrays, backbone = there
    report = restore_tf2(fresh, str(folder / source), kind)
    expected = {
        "full": set(arrays),
        "detection": {n for n in arrays if n.startswith(_BOTH)},
        "classification": backbone,
    }[kind]
    assert _changed(fresh, arrays) == expected
    assert len(report.loaded) == len(expected)
    assert report.skipped == {}


def test_other_classes_leave_the_heads_as_they_are(there, narrowed, family):
    folder, *_ = there
    config = small_rcnn(family, "model.faster_rcnn.num_classes=3")
    report = restore_tf2(build_detector(config), str(folder / "detector"), "full")
    assert {n.rpartition("/")[0] for n in report.skipped} == {
        "roi_boxes/class",
        "roi_boxes/box",
    }
    assert set(report.skipped.values()) == {"2 classes there, 3 here"}


def test_keras_weights_fill_the_backbone(there, fresh, family, tmp_path):
    _, arrays, backbone = there
    short = {n: n.rsplit("/", 2)[-2] + "/" + n.rpartition("/")[2] for n in backbone}
    np.savez(tmp_path / "w.npz", **{short[n]: arrays[n] for n in backbone})
    weights = f"options.backbone_weights={tmp_path / 'w.npz'}"
    [report] = initialize(small_rcnn(family, weights), fresh)
    assert report.skipped == {} and report.unused == ()
    assert _changed(fresh, arrays) == backbone


@pytest.mark.parametrize(
    ("pattern", "prefixes"),
    [
        ("FirstStageFeatureExtractor", ("feature_extractor/",)),
        ("^SecondStageFeatureExtractor/", ("roi_features/",)),
        ("FeatureExtractor", _BOTH),
        ("FirstStageBoxPredictor/", ("rpn/predict/",)),
        ("_first_stage_box_predictor_first_conv", ("rpn/shared/",)),
        ("SecondStageBoxPredictor", ("roi_boxes/",)),
        ("_feature_extractor_for_box_classifier_features", ("roi_features/",)),
        ("roi_boxes/class", ("roi_boxes/class/",)),
    ],
)
def test_frozen_by_the_names_of_the_original(fresh, pattern, prefixes):
    before = {n for n, v in fresh.named_variables().items() if v.trainable}
    freeze(fresh, [pattern], keys=rcnn_keys(fresh))
    left = {n for n, v in fresh.named_variables().items() if v.trainable}
    assert before - left == {n for n in before if n.startswith(prefixes)}
