"""Builds anchor generators from the `AnchorGenerator` message."""

from typing import Any

from odapi.build.oneof import build_oneof
from odapi.targets import anchors


def build_anchors(
    config: Any, path: str = "model.ssd.anchor_generator"
) -> anchors.AnchorGenerator:
    """Returns the generator of an `AnchorGenerator` message.

    `normalize_coordinates` has no effect: anchors are always normalized, as is the
    groundtruth that they are compared with.

    Raises:
        ConfigError: No generator is set, or one with values that are not allowed.
    """
    return build_oneof(config, "anchor_generator_oneof", _GENERATORS, path)


def _grid(config: Any, path: str) -> anchors.GridAnchors:
    return anchors.GridAnchors(
        base_size=(config.height, config.width),
        stride=(config.height_stride, config.width_stride),
        offset=(config.height_offset, config.width_offset),
        scales=tuple(config.scales),
        aspect_ratios=tuple(config.aspect_ratios),
    )


def _ssd(config: Any, path: str) -> anchors.SsdAnchors:
    options = {
        "aspect_ratios": tuple(config.aspect_ratios),
        "interpolated_aspect_ratio": config.interpolated_scale_aspect_ratio,
        "reduce_lowest": config.reduce_boxes_in_lowest_layer,
        "base_size": (
            config.base_anchor_height,
            config.base_anchor_width,
        ),
        "strides": _pairs(config, "stride"),
        "offsets": _pairs(config, "offset"),
    }
    if not config.scales:
        return anchors.SsdAnchors.spaced(
            config.num_layers,
            config.min_scale,
            config.max_scale,
            **options,
        )
    return anchors.SsdAnchors(tuple(config.scales), **options)


def _multiscale(config: Any, path: str) -> anchors.PyramidAnchors:
    return anchors.PyramidAnchors(
        min_level=config.min_level,
        max_level=config.max_level,
        scale=config.anchor_scale,
        aspect_ratios=tuple(config.aspect_ratios),
        scales_per_octave=config.scales_per_octave,
    )


def _flexible(config: Any, path: str) -> anchors.FlexibleGridAnchors:
    return anchors.FlexibleGridAnchors(
        tuple(
            anchors.FlexibleGrid(
                base_sizes=tuple(grid.base_sizes),
                aspect_ratios=tuple(grid.aspect_ratios),
                stride=(grid.height_stride, grid.width_stride),
                offset=(grid.height_offset, grid.width_offset),
            )
            for grid in config.anchor_grid
        )
    )


_GENERATORS = {
    "grid_anchor_generator": _grid,
    "ssd_anchor_generator": _ssd,
    "multiscale_anchor_generator": _multiscale,
    "flexible_grid_anchor_generator": _flexible,
}


def _pairs(config: Any, name: str) -> tuple[tuple[int, int], ...]:
    """Returns the (height, width) pairs, one per layer."""
    heights = getattr(config, f"height_{name}")
    widths = getattr(config, f"width_{name}")
    return tuple(zip(heights, widths, strict=True))
