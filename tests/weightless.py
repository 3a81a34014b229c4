"""Builds all that a pipeline config describes, without weights and without data."""

import dataclasses

import keras

from odapi.backbones.table import CENTER_EXTRACTORS, RCNN_EXTRACTORS, SSD_EXTRACTORS
from odapi.build.dataset import build_loading
from odapi.build.detector import build_detector
from odapi.build.metrics import build_metrics
from odapi.build.optimizer import build_optimizer
from odapi.config.load import load_config
from odapi.config.rules.choices import METRICS
from odapi.heads.deepmac_heads import MaskHead
from odapi.heads.track_classifier import TrackClassifier
from odapi.labels import Category, Keypoint, LabelMap
from odapi.models.center.center_net import CenterNet
from odapi.models.single_stage.anchor_detector import AnchorDetector
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.zoo.keypoints import COCO_KEYPOINTS
from small_models import FAMILIES, small_config

PERSON = LabelMap(
    (
        Category(
            1,
            "/m/01g317",
            display_name="person",
            keypoints=tuple(Keypoint(n, k) for n, k in enumerate(COCO_KEYPOINTS)),
        ),
    )
)


def real_configs(shared):
    """Returns real and small configs by name.

    Feature extractors of TF1 are replaced by those of TF2 that match them.
    """
    configs = {}
    for folder in ("tf2", "tf1", "baseline"):
        for path in sorted((shared / "configs" / folder).glob("*.config")):
            config = load_config(path)
            _as_tf2(config)
            configs[f"{folder}/{path.stem}"] = config
    training = configs["baseline/bccd_fpnlite_320"].train_config
    for family in FAMILIES:
        config = small_config(family)
        config.train_config.CopyFrom(training)
        config.train_input_reader.label_map_path = "map.pbtxt"
        configs[f"small/{family}"] = config
    return configs


def _as_tf2(config):
    model = getattr(config.model, config.model.WhichOneof("model"))
    twin = f"{model.feature_extractor.type}_keras"
    if twin in SSD_EXTRACTORS or twin in RCNN_EXTRACTORS:
        model.feature_extractor.type = twin
    config.train_config.num_steps = config.train_config.num_steps or 100
    config.train_config.load_all_detection_checkpoint_vars = False
    config.eval_config.super_categories.clear()  # Of classes of the dataset.
    if set(config.eval_config.metrics_set) - set(METRICS):
        del config.eval_config.metrics_set[:]


def remove_weights(monkeypatch):
    """Makes builders create no variables: backbones are empty, nothing is built."""

    def backbone(*_, **__):
        return keras.layers.Layer(name="backbone")

    def halves(*_, **__):
        return keras.layers.Layer(name="a"), keras.layers.Layer(name="b")

    for table in (SSD_EXTRACTORS, CENTER_EXTRACTORS, RCNN_EXTRACTORS):
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


def build_all(config):
    """Builds detector, optimizer, input pipelines and metrics of a config."""
    build_detector(config)
    build_optimizer(config)
    build_loading(config, training=True)
    build_loading(config, training=False)
    build_metrics(config, PERSON)
