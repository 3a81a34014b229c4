"""A source whose objects also count as the ancestors of their classes."""

import dataclasses
from typing import Any

import numpy as np

from odapi.data.label_hierarchy import LabelHierarchy
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource, Raw
from odapi.data.sources.mapped import MappedSource
from odapi.fields import ABSENT_CLASSES, FIELDS, LABELED_CLASSES, NOT_EXHAUSTIVE


class Expanded(MappedSource):
    """The samples of a source with objects repeated for each ancestor.

    Where the annotated classes of an image are known, the ancestors of present classes
    are present, and the descendants of absent classes are absent.

    Args:
        source: The samples.
        hierarchy: Of the classes of the source.

    Source: `expand_labels_hierarchy` of the TF Object Detection API; the classes of an
    object are in the order of their ids.
    """

    def __init__(self, source: BaseSource, hierarchy: LabelHierarchy):
        super().__init__(source, source.label_map)
        self.hierarchy = hierarchy

    def mapped(self, values: Sample) -> Sample:
        """Returns the annotations with repeated objects; the given dict is kept."""
        rows, classes = self._rows(values["classes"])
        repeated = {k: v[rows] if k in FIELDS else v for k, v in values.items()}
        return repeated | {"classes": classes} | self._image_classes(values)

    def mapped_raw(self, raw: Raw) -> Raw:
        """Returns the annotations as stored, with repeated objects."""
        rows, _ = self._rows(raw.objects["classes"])
        mask_of = [raw.mask_of[i] for i in rows] if raw.mask_of else raw.mask_of
        objects = self.mapped(raw.objects)
        return dataclasses.replace(raw, objects=objects, mask_of=mask_of)

    def _rows(self, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the number of the object of each row, and the class of the row."""
        pairs = [
            (row, index)
            for row, found in enumerate(classes.tolist())
            for index in sorted(self.hierarchy.with_ancestors([found]))
        ]
        array = np.array(pairs, np.int64).reshape(-1, 2)
        return array[:, 0], array[:, 1].astype(np.int32)

    def _image_classes(self, values: Sample) -> dict[str, Any]:
        """Returns the classes that are known to be present, absent or incomplete."""
        found: dict[str, set[int]] = {}
        if LABELED_CLASSES in values:
            objects = set(values["classes"].tolist())
            labeled = set(values[LABELED_CLASSES].tolist())
            absent = set(np.asarray(values.get(ABSENT_CLASSES, ())).tolist())
            absent = (absent or labeled) - objects
            present = self.hierarchy.with_ancestors((labeled - absent) | objects)
            absent = self.hierarchy.with_descendants(absent) - present
            found[LABELED_CLASSES] = present | absent
            found[ABSENT_CLASSES] = absent
        if NOT_EXHAUSTIVE in values:
            partial = values[NOT_EXHAUSTIVE].tolist()
            found[NOT_EXHAUSTIVE] = self.hierarchy.with_ancestors(partial)
        return {key: np.array(sorted(ids), np.int32) for key, ids in found.items()}
