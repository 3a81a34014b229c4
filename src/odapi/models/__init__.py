"""Detectors by family: `single_stage`, `two_stage` and `center`, and constructors.

`detector.py` is their contract. Naming: *outputs* are raw tensors of the heads, a dict
of fixed names; *logits* become scores in post-processing; *codes* are boxes encoded
relative to anchors or proposals; *detections* are decoded, after NMS (non-maximum
suppression). Boxes are `[y_min, x_min, y_max, x_max]`, normalized. Dataclasses
called *parts* hold everything without weights.

Constructors with defaults are imported when they are first used:

model = odapi.models.RetinaNet(num_classes=3, backbone="resnet50", image_size=640)
"""

import importlib
from typing import TYPE_CHECKING, Any

# By name: they build models from configs, several levels above the models.
_CONSTRUCTORS = "odapi.api.constructors"

__all__ = [
    "SSD", "CenterNet", "EfficientDet", "FasterRCNN", "MaskRCNN", "RetinaNet",
    "config_for",
]  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable

    SSD: Callable[..., Any]
    CenterNet: Callable[..., Any]
    EfficientDet: Callable[..., Any]
    FasterRCNN: Callable[..., Any]
    MaskRCNN: Callable[..., Any]
    RetinaNet: Callable[..., Any]
    config_for: Callable[..., Any]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'odapi.models' has no attribute {name!r}")
    importlib.import_module("odapi.runtime.backend").load()
    value = getattr(importlib.import_module(_CONSTRUCTORS), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
