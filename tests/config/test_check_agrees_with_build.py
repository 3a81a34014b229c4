"""`odapi config check` reports an error exactly when building from a config raises."""

import dataclasses

import keras
import pytest

from config_mutations import Mutator
from odapi.backbones.table import (
    CENTER_EXTRACTORS,
    RCNN_EXTRACTORS,
)
from odapi.backbones.table import SSD_EXTRACTORS as EXTRACTORS
from odapi.build.dataset import build_loading
from odapi.build.detector import build_detector
from odapi.build.metrics import build_metrics
from odapi.build.optimizer import build_optimizer
from odapi.config import check
from odapi.config.load import load_config
from odapi.config.rules.choices import METRICS
from odapi.config.rules.registry import Part, require
from odapi.errors import OdapiError
from odapi.heads.deepmac_heads import MaskHead
from odapi.heads.track_classifier import TrackClassifier
from odapi.labels import Category, Keypoint, LabelMap
from odapi.models.center.center_net import CenterNet
from odapi.models.single_stage.anchor_detector import AnchorDetector
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from small_models import FAMILIES, small_config

_NOSE_TO_ANKLE = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
PERSON = LabelMap(
    (
        Category(
            1,
            "/m/01g317",
            display_name="person",
            keypoints=tuple(Keypoint(n, k) for n, k in enumerate(_NOSE_TO_ANKLE)),
        ),
    )
)


def _configs(shared):
    """Returns real configs, those of TF1 with the names that TF2 has for extractors."""
    folders = ("tf2", "tf1", "baseline")
    configs = {}
    for folder in folders:
        for path in sorted((shared / "configs" / folder).glob("*.config")):
            config = load_config(path)
            _as_tf2(config)
            configs[f"{folder}/{path.stem}"] = config
    for family in FAMILIES:
        config = small_config(family)
        reader = config.train_input_reader
        optimizer = configs["baseline/bccd_fpnlite_320"].train_config
        config.train_config.CopyFrom(optimizer)
        reader.label_map_path = "map.pbtxt"
        configs[f"small/{family}"] = config
    return configs


def _as_tf2(config):
    model = getattr(config.model, config.model.WhichOneof("model"))
    twin = f"{model.feature_extractor.type}_keras"
    if twin in EXTRACTORS or twin in RCNN_EXTRACTORS:
        model.feature_extractor.type = twin
    config.train_config.num_steps = config.train_config.num_steps or 100
    config.train_config.load_all_detection_checkpoint_vars = False
    config.eval_config.super_categories.clear()  # Of classes of the dataset.
    if set(config.eval_config.metrics_set) - set(METRICS):
        del config.eval_config.metrics_set[:]


@pytest.fixture
def without_weights(monkeypatch, tmp_path):
    """Builders make no variables: backbones are empty, and nothing is built."""

    def backbone(*_, **__):
        return keras.layers.Layer(name="backbone")

    def halves(*_, **__):
        return keras.layers.Layer(name="a"), keras.layers.Layer(name="b")

    for table in (EXTRACTORS, CENTER_EXTRACTORS, RCNN_EXTRACTORS):
        for name, row in table.items():
            fake = (
                {"halves": halves} if hasattr(row, "halves") else {"backbone": backbone}
            )
            if getattr(row, "depthwise_backbone", None):
                fake["depthwise_backbone"] = backbone
            monkeypatch.setitem(table, name, dataclasses.replace(row, **fake))
    for kind in (AnchorDetector, FasterRCNN, CenterNet, TrackClassifier, MaskHead):
        monkeypatch.setattr(kind, "build", lambda *_, **__: None)
    monkeypatch.setattr(
        "odapi.models.center.mask_nets.MaskNetwork._net", lambda *_: None
    )
    monkeypatch.setattr("odapi.build.keypoint_names.load_label_map", lambda *_: PERSON)


def _build(config):
    """Builds all that a config describes, but for data and weights."""
    build_detector(config)
    build_optimizer(config)
    require(config, Part.TRAINING)  # As `train` does first; no builder reads these.
    build_loading(config, training=True)
    build_loading(config, training=False)
    build_metrics(config.eval_config, PERSON)


def _disagreement(config):
    """Returns the difference between check and build ("": none), and the verdict."""
    found = check.find(config, for_data=False)
    errors = [str(f) for f in found if f.is_error]
    try:
        _build(config)
    except OdapiError as error:
        return "" if errors else f"only build raises: {error}", bool(errors)
    except Exception as error:
        return f"build raises {type(error).__name__}: {error}", bool(errors)
    return f"only check reports: {errors}" if errors else "", bool(errors)


def _mutants(shared, seed, count=300):
    configs = _configs(shared)
    mutator = Mutator(list(configs.values()), seed)
    names = [sorted(configs)[n % len(configs)] for n in range(count)]
    return [(name, *mutator.mutate(configs[name])) for name in names]


def _assert_agreement(mutants):
    wrong, refused = [], 0
    for name, config, changes in mutants:
        said, is_refused = _disagreement(config)
        refused += is_refused
        if said:
            wrong.append(f"{name}: {'; '.join(changes)}\n    {said[:300]}")
    assert not wrong, f"{len(wrong)} of {len(mutants)}\n" + "\n".join(wrong[:40])
    # Neither side of the property is empty.
    assert 0.2 < refused / len(mutants) < 0.8


def test_check_and_build_agree_on_random_changes(shared, without_weights):
    _assert_agreement(_mutants(shared, seed=0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 8))
def test_check_and_build_agree_on_more_changes(shared, without_weights, seed):
    _assert_agreement(_mutants(shared, seed))
