"""Tables of the problems of a dataset, and of the values that a format cannot store."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from odapi.console import write_line

if TYPE_CHECKING:
    from odapi.data.formats.writer import Written
    from odapi.data.sources.base import BaseSource


def print_problems(
    source: "BaseSource", written: "Mapping[str, Written]", kind: str
) -> None:
    """Prints problems of the source, and fields that the new format cannot store."""
    from odapi.console import console
    from odapi.data.problems import Problems

    losses = Problems()
    for part in written.values():
        losses.merge(part.losses)
    if source.problems:
        console().print(source.problems.table())
    if losses:
        console().print(losses.table("Not written: the format cannot store it"))
    for key, lines in {"masks": "polygons", "keypoints": "keypoints"}.items():
        if kind == "yolo" and losses.count(key):
            write_line(f"YOLO has one kind of lines: --lines {lines} writes the {key}")
