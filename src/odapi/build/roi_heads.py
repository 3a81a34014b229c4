"""Builds what a two-stage detector predicts of regions, from a `BoxPredictor`."""

import dataclasses
from typing import Any

from odapi.build.hyperparams import Setting, build_hyperparams
from odapi.build.oneof import build_oneof, number
from odapi.errors import ConfigError
from odapi.heads.roi_boxes import RoiBoxes, RoiBoxOptions


@dataclasses.dataclass(frozen=True, eq=False)
class RoiHeads:
    """The heads of a second and third stage, without variables yet.

    Args:
        boxes: Classes and boxes; see `odapi.heads.roi_boxes`.
        tasks: What else is said of regions.
    """

    boxes: RoiBoxes
    tasks: tuple[Any, ...] = ()


def build_roi_heads(
    config: Any, path: str, num_classes: int, setting: Setting
) -> RoiHeads:
    """Returns the heads that see regions.

    Args:
        config: A `BoxPredictor` message.
        path: Of the message, for errors.
        num_classes: Without the background.
        setting: What holds for the whole model.

    Raises:
        ConfigError: A value is not allowed, or the predictor sees no regions.
    """
    return build_oneof(
        config, "box_predictor_oneof", _HEADS, path, num_classes, setting
    )


def _mask_rcnn(config: Any, path: str, num_classes: int, setting: Setting) -> RoiHeads:
    return RoiHeads(boxes=_boxes(config, path, num_classes, setting))


def _boxes(config: Any, path: str, num_classes: int, setting: Setting) -> RoiBoxes:
    keep = number(config.dropout_keep_probability)
    if not 0 < keep <= 1:
        raise ConfigError(
            f"{path}.dropout_keep_probability", f"must be above 0, up to 1, got {keep}"
        )
    options = RoiBoxOptions(
        num_classes,
        code_size=config.box_code_size,
        share_boxes=config.share_box_across_classes,
        dropout=1.0 - keep if config.use_dropout else 0.0,
    )
    hyperparams = build_hyperparams(
        config.fc_hyperparams, f"{path}.fc_hyperparams", setting
    )
    return RoiBoxes(options, hyperparams, name="roi_boxes", dtype=setting.dtype)


_HEADS = {"mask_rcnn_box_predictor": _mask_rcnn}
