"""Checkpoint keys of the original's Faster, Mask and Context R-CNN and R-FCN.

No checkpoints of R-FCN are published; its keys follow from the code of the original.
The original has no keypoints of RoIs, and only one attention block.
"""

from collections.abc import Callable, Iterable
from typing import Any

import keras

from odapi.models.two_stage.context_rcnn import ContextRCNN
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.zoo.names.backbone_keys import layer_keys
from odapi.zoo.names.layer_list_keys import BOX_LAYERS, CLASS_LAYERS, per_level_keys
from odapi.zoo.names.rcnn_extractor_keys import proposal_feature_keys, roi_feature_keys

_RPN_CONV = "model/_first_stage_box_predictor_first_conv"
_RPN = "model/_first_stage_box_predictor"
_SECOND_STAGE = "model/_mask_rcnn_box_predictor"
_MASKS = f"{_SECOND_STAGE}/_third_stage_heads/mask_predictions/_mask_predictor_layers"
_RFCN = "model/_rfcn_box_predictor"
_CONTEXT = "model/_context_feature_extract_fn"

Keys = dict[str, str]


def rcnn_keys(detector: FasterRCNN) -> Keys:
    """Returns the original's key of each weight, by our name.

    Weights that do not exist in the original, such as those of keypoints, are left out.

    Args:
        detector: Built detector; names are those of `named_variables`.

    Raises:
        TypeError: A part of it does not exist in the original.
    """
    parts: list[tuple[keras.layers.Layer | None, Callable[[Any], Keys]]] = [
        (detector.feature_extractor, proposal_feature_keys),
        (detector.roi_features, roi_feature_keys),
        (detector.rpn, _rpn),
    ]
    heads = [detector.roi_boxes, *detector.task_layers]
    if isinstance(detector, ContextRCNN):
        heads.append(detector.context_attention)
    parts += [(layer, _head_keys(layer)) for layer in heads if layer is not None]
    keys: Keys = {}
    for layer, names in parts:
        if layer is not None:
            keys |= _under(layer.name, names(layer))
    return keys


def _head_keys(layer: keras.layers.Layer) -> Callable[[Any], Keys]:
    kind = type(layer).__name__
    if kind not in _HEADS:
        raise TypeError(f"there are no checkpoint keys of the original for {kind}")
    return _HEADS[kind]


def _rpn(rpn: Any) -> Keys:
    keys: Keys = {}
    with_weights = (step for step in rpn.shared.steps if step.weights)
    for n, layer in enumerate(with_weights):
        ours = f"{rpn.shared.name}/{layer.name}"
        keys |= layer_keys(layer, ours, f"{_RPN_CONV}/layer_with_weights-{n}")
    return keys | _under(rpn.predict.name, per_level_keys(rpn.predict, _RPN))


def _boxes(head: Any) -> Keys:
    # Layers before it: flattening and, if any, dropout.
    place = 2 if head.options.dropout > 0 else 1
    boxes = f"{_SECOND_STAGE}/_box_prediction_head/{BOX_LAYERS}"
    classes = f"{_SECOND_STAGE}/_class_prediction_head/{CLASS_LAYERS}"
    return _in_row((head.boxes, head.box_norm), boxes, place) | _in_row(
        (head.classes, head.class_norm), classes, place
    )


def _rfcn(head: Any) -> Keys:
    keys = _in_row(head.reduce.steps, f"{_RFCN}/_shared_conv_layers", 0)
    keys = _under(head.reduce.name, keys)
    keys |= _in_row((head.boxes, head.box_norm), f"{_RFCN}/{BOX_LAYERS}", 0)
    return keys | _in_row((head.classes, head.class_norm), f"{_RFCN}/{CLASS_LAYERS}", 0)


def _masks(head: Any) -> Keys:
    keys: Keys = {}
    place = 0
    for n, pair in enumerate(zip(head.convs, head.norms, strict=True)):
        if head.options.upsample_last and n == head.scaled:
            place += 1  # Upsampling is a separate layer.
        keys |= _in_row(pair, _MASKS, place)
        place += 3  # An activation follows each norm.
    return keys | _in_row([head.predict], _MASKS, place)


def _no_keys(head: Any) -> Keys:
    return {}


def _context(attention: Any) -> Keys:
    """Returns the keys of the only block, whose four projections have other names."""
    keys: Keys = {}
    for layer, heads in enumerate(attention.long_term):
        for number, block in enumerate(heads):
            if layer or number:
                continue
            for ours, theirs in _PROJECTIONS.items():
                projection = getattr(block, ours)
                named = {
                    f"{part.name}/{w.name}": f"{_CONTEXT}/{theirs}/{name}/{w.name}"
                    for part, name in (
                        (projection.projection, "projection"),
                        (projection.batch_norm, "batch_norm"),
                    )
                    for w in part.weights
                }
                keys |= _under(f"{block.name}/{projection.name}", named)
    return keys


_PROJECTIONS = {
    "query": "_query_proj",
    "key": "_key_proj",
    "value": "_val_proj",
    "feature": "_feature_proj",
}
# Functions by the class of a layer.
_HEADS: dict[str, Callable[[Any], Keys]] = {
    "RoiBoxes": _boxes,
    "RoiMasks": _masks,
    "RoiKeypoints": _no_keys,
    "RfcnHead": _rfcn,
    "ContextAttention": _context,
}


def _in_row(layers: Iterable[keras.layers.Layer], root: str, place: int) -> Keys:
    """Returns the keys of layers in a list, the first of which has index `place`."""
    keys: Keys = {}
    for n, layer in enumerate(layers, place):
        keys |= layer_keys(layer, layer.name, f"{root}/{n}")
    return keys


def _under(name: str, keys: Keys) -> Keys:
    return {f"{name}/{ours}": key for ours, key in keys.items()}
