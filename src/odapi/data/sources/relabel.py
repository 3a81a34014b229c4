"""A source whose classes are numbered as in another label map, matched by name."""

import dataclasses
import pathlib
from collections.abc import Iterable
from typing import Self

import numpy as np

from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource, Raw
from odapi.data.sources.classes import UnknownClassError
from odapi.fields import LABELED_CLASSES, NOT_EXHAUSTIVE
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


class Relabeled(BaseSource):
    """The samples of a source with other class indices. Use `relabel`."""

    def __init__(
        self, source: BaseSource, label_map: LabelMap, indices: dict[int, int]
    ):
        super().__init__(
            source.name, label_map, source.problems, source.keys, source.num_keypoints
        )
        self.source = source
        self.is_stored = source.is_stored
        self.max_pixels = source.max_pixels
        self._indices = np.full(max(indices, default=-1) + 1, -1, np.int32)
        self._indices[list(indices)] = list(indices.values())

    def with_keys(self, keys: Iterable[str], num_keypoints: int = 0) -> Self:
        """Returns the source with its samples restricted to some optional fields."""
        other = super().with_keys(keys, num_keypoints)
        other.source = self.source.with_keys(other.keys, num_keypoints)
        return other

    def __len__(self) -> int:
        return len(self.source)

    @property
    def image_ids(self) -> list[str]:
        """The id of each sample, in order."""
        return self.source.image_ids

    def raw(self, index: int) -> Raw:
        """Returns the annotations with the new class indices."""
        return self._raw(self.source.raw(index))

    def encoded(self, index: int) -> bytes:
        """Returns the image file's bytes."""
        return self.source.encoded(index)

    def load(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and the image file's bytes."""
        raw, data = self.source.load(index)
        return self._raw(raw), data

    def load_head(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and the beginning of the image file."""
        raw, data = self.source.load_head(index)
        return self._raw(raw), data

    def image_path(self, index: int) -> pathlib.Path | None:
        """Returns the path of the image file; None if it is no file of its own."""
        return self.source.image_path(index)

    def fingerprint(self, index: int) -> bytes:
        """Returns a hash that is equal for images with the same bytes."""
        return self.source.fingerprint(index)

    # Sources of arrays have no file to decode: these ask the source itself.
    def __getitem__(self, index: int) -> Sample:
        """Returns a sample of the source with the new class indices."""
        return self._renumbered(self.source[index])

    def annotations(self, index: int) -> Sample:
        """Returns the sample without its image, plus `size` (h, w) of the image."""
        return self._renumbered(self.source.annotations(index))

    def raw_and_annotations(self, index: int) -> tuple[Raw, Sample]:
        """Returns the annotations as stored, and as `annotations` returns them."""
        raw, sample = self.source.raw_and_annotations(index)
        return self._raw(raw), self._renumbered(sample)

    def _raw(self, raw: Raw) -> Raw:
        # A copy: sources of files return the annotations that they hold.
        return dataclasses.replace(raw, objects=self._renumbered(raw.objects))

    def _renumbered(self, values: dict) -> dict:
        """Returns values by key with new class indices; the given dict is kept."""
        changed = {
            key: self._indices[values[key]]
            for key in ("classes", LABELED_CLASSES, NOT_EXHAUSTIVE)
            if key in values
        }
        return values | changed
