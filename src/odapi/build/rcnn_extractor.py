"""Builds both halves of a backbone from a `FasterRcnnFeatureExtractor` message."""

import dataclasses
from typing import Any

from odapi.backbones.rows import HalvedRow, PyramidRow
from odapi.backbones.table import RCNN_EXTRACTORS
from odapi.build.hyperparams import BuildContext, build_hyperparams
from odapi.build.oneof import call, checked
from odapi.heads.roi_dense import RoiDense
from odapi.layers.hyperparams import Hyperparams
from odapi.models.single_stage.feature_extractor import FeatureExtractor
from odapi.models.two_stage.backbone_halves import RCNNExtractor
from odapi.necks.fpn import FeaturePyramid

EXTRACTOR, ROI_FEATURES = "feature_extractor", "roi_features"

# Defaults without a message `fpn`; the defaults of its fields are those of SSD.
_LEVELS, _DEPTH = (2, 6), 256


def build_rcnn_extractor(
    config: Any, path: str, context: BuildContext
) -> RCNNExtractor:
    """Returns both halves; a pyramid and dense layers have no variables yet.

    Args:
        config: A `FasterRcnnFeatureExtractor` message.
        path: Path of the message, for errors.
        context: Settings of the whole model; `freeze_norm` is also set if
            `batch_norm_trainable` is false.

    Raises:
        ConfigError: The type is not known, or a value is not allowed.
    """
    config = checked(config, path)
    row = RCNN_EXTRACTORS[config.type]
    if not config.batch_norm_trainable:
        context = dataclasses.replace(context, freeze_norm=True)
    own = build_hyperparams(
        config.conv_hyperparams, f"{path}.conv_hyperparams", context
    )
    base, channels = _of_backbone(config, row, own, context), context.channels
    if isinstance(row, HalvedRow):
        return call(_halved, config, path, row, base, channels)
    return call(_with_pyramid, config, path, row, base, own, channels)


def _of_backbone(
    config: Any, row: HalvedRow | PyramidRow, own: Hyperparams, context: BuildContext
) -> Hyperparams:
    override = config.override_base_feature_extractor_hyperparams
    if override and config.HasField("conv_hyperparams"):
        return own
    base = dataclasses.replace(row.hyperparams, seed=context.seed, dtype=context.dtype)
    return base.frozen() if context.freeze_norm else base


def _halved(
    config: Any, path: str, row: HalvedRow, base: Hyperparams, channels: int
) -> RCNNExtractor:
    backbone, roi_features = row.halves(
        hyperparams=base,
        stride=config.first_stage_features_stride,
        names=("backbone", ROI_FEATURES),
        channels=channels,
    )
    # The original ignores pad_to_multiple and pads only for a pyramid.
    multiple = config.pad_to_multiple if config.HasField("pad_to_multiple") else 1
    extractor = FeatureExtractor(
        backbone, None, multiple, name=EXTRACTOR, dtype=base.dtype
    )
    return RCNNExtractor(extractor, roi_features, row.pixels)


def _with_pyramid(
    config: Any,
    path: str,
    row: PyramidRow,
    base: Hyperparams,
    own: Hyperparams,
    channels: int,
) -> RCNNExtractor:
    levels, depth = _pyramid(config)
    top = min(levels.stop - 1, row.last_level)
    neck = FeaturePyramid(
        levels=range(levels.start - row.first_level, top - row.first_level + 1),
        num_extra=levels.stop - 1 - top,
        depth=depth,
        hyperparams=own,
        name="neck",
        dtype=own.dtype,
    )
    backbone = row.backbone(
        endpoints=row.endpoints, hyperparams=base, name="backbone", channels=channels
    )
    extractor = FeatureExtractor(
        backbone, neck, config.pad_to_multiple, name=EXTRACTOR, dtype=own.dtype
    )
    roi_features = RoiDense(own, name=ROI_FEATURES, dtype=own.dtype)
    return RCNNExtractor(extractor, roi_features, row.pixels)


def _pyramid(config: Any) -> tuple[range, int]:
    """Returns the levels and the channels of the pyramid."""
    if not config.HasField("fpn"):
        return range(_LEVELS[0], _LEVELS[1] + 1), _DEPTH
    levels = range(config.fpn.min_level, config.fpn.max_level + 1)
    return levels, config.fpn.additional_layer_depth
