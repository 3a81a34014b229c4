"""Checkpoint keys of the original's SSD, RetinaNet and EfficientDet.

Keys are those of `tf.train.Checkpoint(model=...)`, without the suffix
"/.ATTRIBUTES/VARIABLE_VALUE".
"""

from collections.abc import Callable
from typing import Any

import keras

from odapi.heads.anchor_head import BOXES, CLASSES
from odapi.heads.per_level_conv_head import PerLevelConvHead
from odapi.heads.shared_conv_head import SharedConvHead
from odapi.models.single_stage.anchor_detector import AnchorDetector
from odapi.necks.bifpn import BidirectionalPyramid
from odapi.necks.fpn import FeaturePyramid
from odapi.necks.ssd_pyramid import SsdPyramid
from odapi.zoo.names.backbone_keys import backbone_keys, layer_keys
from odapi.zoo.names.efficientdet_keys import BACKBONE, bifpn_keys
from odapi.zoo.names.fpn_keys import fpn_keys
from odapi.zoo.names.layer_list_keys import per_level_keys, stack_keys

_EXTRACTOR = "model/_feature_extractor"
_PREDICTOR = "model/_box_predictor"

Keys = dict[str, str]


def ssd_keys(detector: AnchorDetector) -> Keys:
    """Returns the original's key of each weight, by our name.

    Args:
        detector: Built detector; names are those of `named_variables`.

    Raises:
        TypeError: A part of it does not exist in the original.
    """
    extractor, head = detector.feature_extractor, detector.box_predictor
    backbone = extractor.backbone
    bidirectional = isinstance(extractor.neck, BidirectionalPyramid)
    root = BACKBONE if bidirectional else "classification_backbone"
    keys = _under(backbone.name, backbone_keys(backbone, f"{_EXTRACTOR}/{root}"))
    neck = _table(_NECKS, extractor.neck)
    if _is_mobilenet_v1(backbone):
        neck = {k: v.replace("/feature_map", "/_feature_map") for k, v in neck.items()}
    keys |= _under(extractor.neck.name, neck)
    return _under(extractor.name, keys) | _under(head.name, _table(_HEADS, head))


def _is_mobilenet_v1(backbone: keras.Model) -> bool:
    # Its extractor has another name for the same neck.
    return any(layer.name == "conv_dw_1" for layer in backbone.layers)


def _table(table, part) -> Keys:
    for kind, keys in table.items():
        if isinstance(part, kind):
            return keys(part)
    raise TypeError(
        f"there are no checkpoint keys of the original for {type(part).__name__}"
    )


def _under(name: str, keys: Keys) -> Keys:
    return {f"{name}/{ours}": key for ours, key in keys.items()}


def _ssd_pyramid(neck: SsdPyramid) -> Keys:
    root = f"{_EXTRACTOR}/feature_map_generator/convolutions"
    keys: Keys = {}
    for n, stack in enumerate(neck.extra, neck.num_maps):
        keys |= stack_keys(stack, f"{root}/{n}")
    return keys


def _feature_pyramid(neck: FeaturePyramid) -> Keys:
    generator = f"{_EXTRACTOR}/_fpn_features_generator"
    return fpn_keys(neck, generator, f"{_EXTRACTOR}/_coarse_feature_layers")


def _bifpn(neck: BidirectionalPyramid) -> Keys:
    return bifpn_keys(neck, f"{_EXTRACTOR}/_bifpn_stage")


def _per_level(head: PerLevelConvHead) -> Keys:
    return per_level_keys(head, _PREDICTOR)


def _shared(head: SharedConvHead) -> Keys:
    keys: Keys = {}
    for n, stack in enumerate(head.projections):
        root = f"{_PREDICTOR}/_additional_projection_layers/{n}"
        keys |= stack_keys(stack, root)
    is_shared = len(head.towers) == 1
    for tower, what in zip(head.towers, (BOXES, CLASSES), strict=False):
        scope = "PredictionTower"
        if not is_shared:
            scope = "BoxPredictionTower" if what == BOXES else "ClassPredictionTower"
        root = f"{_PREDICTOR}/_head_scope_conv_layers/{scope}"
        for n, conv in enumerate(tower.convs):
            keys |= layer_keys(conv, f"{tower.name}/{conv.name}", f"{root}/{n}")
        # Each layer is a convolution, a norm and an activation; the keys of the
        # convolutions are above, where the original tracks them first.
        root = f"{_PREDICTOR}/_base_tower_layers_for_heads/{what}"
        for level, norms in enumerate(tower.norms):
            for n, norm in enumerate(norms):
                ours = f"{tower.name}/{norm.name}"
                keys |= layer_keys(norm, ours, f"{root}/{level}/{3 * n + 1}")
    box = f"{_PREDICTOR}/_box_prediction_head/_box_encoder_layers/0"
    keys |= layer_keys(head.box, head.box.name, box)
    place = 1 if head.options.dropout > 0 else 0  # Dropout is a separate layer.
    classes = f"{_PREDICTOR}/_prediction_heads/{CLASSES}/_class_predictor_layers"
    return keys | layer_keys(head.classes, head.classes.name, f"{classes}/{place}")


_NECKS: dict[type, Callable[[Any], Keys]] = {
    SsdPyramid: _ssd_pyramid,
    FeaturePyramid: _feature_pyramid,
    BidirectionalPyramid: _bifpn,
}
_HEADS: dict[type, Callable[[Any], Keys]] = {
    PerLevelConvHead: _per_level,
    SharedConvHead: _shared,
}
