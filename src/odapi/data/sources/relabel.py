"""A source whose classes are numbered as in another label map, matched by name."""

import numpy as np

from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.data.sources.classes import UnknownClassError
from odapi.data.sources.mapped import MappedSource
from odapi.fields import IMAGE_CLASSES
from odapi.labels import LabelMap


def relabel(source: BaseSource, label_map: LabelMap) -> BaseSource:
    """Returns a source with the class indices of `label_map`.

    Args:
        source: The source; its label map names its classes.
        label_map: The classes; matched by name.

    Raises:
        UnknownClassError: `label_map` lacks a class of the source.
    """
    found = {c: label_map.by_name.get(c.name) for c in source.label_map}
    missing = [c.label for c, other in found.items() if other is None]
    if missing:
        known = ", ".join(c.name for c in label_map)
        raise UnknownClassError(
            source.name,
            f"classes are missing in {label_map.source}: {', '.join(missing)}; it has "
            f"{known}",
        )
    indices = {c.index: other.index for c, other in found.items() if other}
    if all(ours == theirs for ours, theirs in indices.items()):
        return source
    return Relabeled(source, label_map, indices)


class Relabeled(MappedSource):
    """The samples of a source with other class indices. Use `relabel`."""

    def __init__(
        self, source: BaseSource, label_map: LabelMap, indices: dict[int, int]
    ):
        super().__init__(source, label_map)
        self._indices = np.full(max(indices, default=-1) + 1, -1, np.int32)
        self._indices[list(indices)] = list(indices.values())

    def mapped(self, values: Sample) -> Sample:
        """Returns the annotations with new class indices; the given dict is kept."""
        changed = {
            key: self._indices[values[key]]
            for key in ("classes", *IMAGE_CLASSES)
            if key in values
        }
        return values | changed
