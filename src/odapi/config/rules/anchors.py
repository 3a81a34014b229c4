"""Anchor generators: lists of the right length, and levels that match the maps."""

from collections.abc import Callable, Iterator
from typing import Any

from odapi.config.findings import Finding, error, warning
from odapi.config.rules.choices import EXTRACTORS
from odapi.config.rules.extractors import num_levels, pyramid_of
from odapi.wording import counted

# Anchors of the lowest layer with reduce_boxes_in_lowest_layer.
_REDUCED = 3


def about_ssd_anchors(path: str, generator: Any) -> Iterator[Finding]:
    """Yields lists of an `SsdAnchorGenerator` of the wrong length."""
    for name in (
        "scales", "height_stride", "width_stride", "height_offset", "width_offset"
    ):  # fmt: skip
        given = len(getattr(generator, name))
        if given and given != generator.num_layers:
            yield error(
                f"{path}.{name}",
                f"has {counted(given, 'value')} for "
                f"{counted(generator.num_layers, 'layer')}",
                "give one per layer, or none",
            )
    for name in ("stride", "offset"):
        rows, columns = (
            len(getattr(generator, f"{side}_{name}")) for side in ("height", "width")
        )
        if rows != columns:
            yield error(
                f"{path}.height_{name}",
                f"has {counted(rows, 'value')}, width_{name} has {columns}",
                "give both, or neither",
            )
    if not generator.aspect_ratios:
        yield warning(
            f"{path}.aspect_ratios",
            "is empty: each layer has only its interpolated anchor",
            "usual are [1.0, 2.0, 0.5, 3.0, 0.3333]",
        )
        if not generator.interpolated_scale_aspect_ratio:
            yield error(
                path, "has no aspect ratio at all, which gives no anchors", "give [1.0]"
            )


def about_multiscale(path: str, generator: Any) -> Iterator[Finding]:
    """Yields a `MultiscaleAnchorGenerator` without anchors."""
    if not generator.aspect_ratios:
        yield error(
            f"{path}.aspect_ratios", "is empty, which gives no anchors", "give [1.0]"
        )


def about_grid(path: str, generator: Any) -> Iterator[Finding]:
    """Yields a `GridAnchorGenerator` without anchors."""
    for name in ("scales", "aspect_ratios"):
        if not getattr(generator, name):
            yield error(f"{path}.{name}", "is empty, which gives no anchors")


def about_flexible(path: str, generator: Any) -> Iterator[Finding]:
    """Yields grids of a `FlexibleGridAnchorGenerator` without anchors."""
    if not generator.anchor_grid:
        yield error(f"{path}.anchor_grid", "is missing", "give one per feature map")
    for index, grid in enumerate(generator.anchor_grid):
        for name in ("base_sizes", "aspect_ratios"):
            if not getattr(grid, name):
                yield error(f"{path}.anchor_grid[{index}].{name}", "is empty")
        sizes, ratios = len(grid.base_sizes), len(grid.aspect_ratios)
        if sizes != ratios:
            yield error(
                f"{path}.anchor_grid[{index}].base_sizes",
                f"has {counted(sizes, 'value')}, aspect_ratios has {ratios}",
            )


def anchors_per_location(generator: Any) -> list[int]:
    """Returns the number of anchors per location of each level.

    Args:
        generator: An `AnchorGenerator`; the list is empty if all levels are equal.
    """
    if generator.HasField("flexible_grid_anchor_generator"):
        grids = generator.flexible_grid_anchor_generator.anchor_grid
        return [len(grid.base_sizes) for grid in grids]
    ssd = generator.ssd_anchor_generator
    if not generator.HasField("ssd_anchor_generator") or ssd.num_layers < 1:
        return []
    count = len(ssd.aspect_ratios) + (ssd.interpolated_scale_aspect_ratio > 0)
    lowest = _REDUCED if ssd.reduce_boxes_in_lowest_layer else count
    return [lowest, *[count] * (ssd.num_layers - 1)]


def find_mismatch(ssd: Any) -> Iterator[Finding]:
    """Yields anchors of an SSD that do not match the maps of its extractor."""
    kind = ssd.anchor_generator.WhichOneof("anchor_generator_oneof")
    if kind is None or ssd.feature_extractor.type not in EXTRACTORS:
        return
    generator = getattr(ssd.anchor_generator, kind)
    path = f"model.ssd.anchor_generator.{kind}"
    yield from _MATCHES[kind](path, generator, ssd.feature_extractor)


def _match_ssd(path: str, generator: Any, extractor: Any) -> Iterator[Finding]:
    levels = num_levels(extractor)
    if generator.num_layers != levels:
        yield error(
            f"{path}.num_layers",
            f"is {generator.num_layers}, but the feature extractor has {levels} "
            "feature maps",
            "the two must be equal; see feature_extractor.num_layers or fpn",
        )


def _match_multiscale(path: str, generator: Any, extractor: Any) -> Iterator[Finding]:
    field = pyramid_of(extractor)
    if not field:
        levels = num_levels(extractor)
        anchors = generator.max_level - generator.min_level + 1
        if anchors != levels:
            yield error(
                path,
                f"has {counted(anchors, 'level')}, but the feature extractor has "
                f"{levels} feature "
                "maps",
            )
        return
    pyramid = getattr(extractor, field)
    for name in ("min_level", "max_level"):
        own, needed = getattr(generator, name), getattr(pyramid, name)
        if own != needed:
            yield error(
                f"{path}.{name}",
                f"is {own}, but feature_extractor.{field}.{name} is {needed}",
                "anchors need the levels of the feature maps",
            )


def _match_grid(path: str, generator: Any, extractor: Any) -> Iterator[Finding]:
    levels = num_levels(extractor)
    if levels != 1:
        yield error(
            path,
            f"is for one feature map, but the feature extractor has {levels}",
            "use ssd_anchor_generator or multiscale_anchor_generator",
        )


def _match_flexible(path: str, generator: Any, extractor: Any) -> Iterator[Finding]:
    levels = num_levels(extractor)
    grids = len(generator.anchor_grid)
    if grids and grids != levels:
        yield error(
            f"{path}.anchor_grid",
            f"has {grids} grids, but the feature extractor has {levels} feature maps",
        )


_MATCHES: dict[str, Callable[[str, Any, Any], Iterator[Finding]]] = {
    "ssd_anchor_generator": _match_ssd,
    "multiscale_anchor_generator": _match_multiscale,
    "grid_anchor_generator": _match_grid,
    "flexible_grid_anchor_generator": _match_flexible,
}
