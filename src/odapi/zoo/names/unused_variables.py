"""Variables that the original's detectors have, save and never use.

Our models do not have them. They are written into checkpoints for the original, whose
fine-tuning requires a value for every variable: zeros, and ones for scales.
"""

import math
import re
from typing import Any

import keras
import numpy as np

from odapi.models.center.center_net import CenterNet
from odapi.models.detector import Detector
from odapi.necks.bifpn import BidirectionalPyramid
from odapi.zoo.names.center_extractor_keys import ROOT
from odapi.zoo.names.efficientdet_keys import UNUSED

_EFFICIENT = re.compile(r"efficientnet-b(\d)")
# Repetitions of the last stage, of which only the first block is used, by number B.
_DEPTHS = (1.0, 1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1)
_EXPANSION, _TOP, _IMAGENET = 6, 4, 1000

Shapes = dict[str, tuple[int, ...]]


def unused_variables(detector: Detector, config: Any) -> dict[str, np.ndarray]:
    """Returns values by key of variables without influence on any output.

    Args:
        detector: Built.
        config: Its TrainEvalPipelineConfig.
    """
    extractor: Any = detector.feature_extractor
    if isinstance(getattr(extractor, "neck", None), BidirectionalPyramid):
        kind = config.model.ssd.feature_extractor.type
        shapes = _efficientnet_top(extractor.backbone, kind)
    elif isinstance(detector, CenterNet):
        shapes = _last_norm(extractor)
    else:
        shapes = {}
    return {key: _neutral(key, shape) for key, shape in shapes.items()}


def _efficientnet_top(backbone: keras.Model, kind: str) -> Shapes:
    """Returns the later blocks of the last stage, and the classifier of ImageNet."""
    number = _EFFICIENT.search(kind)
    if number is None:
        return {}
    with_weights = [layer for layer in backbone.layers if layer.weights]
    filters = int(with_weights[-1].weights[0].shape[-1])
    wide, narrow = filters * _EXPANSION, max(1, filters // 4)
    block: list[Shapes] = [
        {"kernel": (1, 1, filters, wide)},
        _norm(wide),
        {"depthwise_kernel": (3, 3, wide, 1)},
        _norm(wide),
        {"kernel": (1, 1, wide, narrow), "bias": (narrow,)},
        {"kernel": (1, 1, narrow, wide), "bias": (wide,)},
        {"kernel": (1, 1, wide, filters)},
        _norm(filters),
    ]
    top = filters * _TOP
    layers: list[Shapes] = block * (math.ceil(_DEPTHS[int(number[1])]) - 1) + [
        {"kernel": (1, 1, filters, top)},
        _norm(top),
        {"kernel": (top, _IMAGENET), "bias": (_IMAGENET,)},
    ]
    return {
        f"{UNUSED}layer_with_weights-{n}/{name}": shape
        for n, layer in enumerate(layers, len(with_weights))
        for name, shape in layer.items()
    }


def _last_norm(extractor: Any) -> Shapes:
    """Returns the norm after the last sum of a ResNet v2, whose output is not used."""
    backbone = getattr(extractor, "backbone", None)
    layers = [x for x in getattr(backbone, "layers", ()) if x.weights]
    if not any(layer.name.endswith("_preact_bn") for layer in layers):
        return {}
    channels = int(layers[-1].weights[0].shape[-1])
    root = f"{ROOT}/_base_model/layer_with_weights-{len(layers)}"
    return {f"{root}/{name}": shape for name, shape in _norm(channels).items()}


def _norm(channels: int) -> Shapes:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return dict.fromkeys(names, (channels,))


def _neutral(key: str, shape: tuple[int, ...]) -> np.ndarray:
    is_scale = key.endswith(("/gamma", "/moving_variance"))
    return np.full(shape, 1.0 if is_scale else 0.0, np.float32)
