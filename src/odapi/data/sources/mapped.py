"""Base of sources that change the annotations of another source."""

import dataclasses
import pathlib
from collections.abc import Iterable
from typing import Self

from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource, Raw
from odapi.labels import LabelMap


class MappedSource(BaseSource):
    """The samples of a source with other annotations, and the same images.

    Args:
        source: The samples.
        label_map: The classes of the changed annotations.
    """

    def __init__(self, source: BaseSource, label_map: LabelMap):
        super().__init__(
            source.name, label_map, source.problems, source.keys, source.num_keypoints
        )
        self.source = source
        self.is_stored = source.is_stored
        self.max_pixels = source.max_pixels

    @property
    def num_channels(self) -> int:  # type: ignore[override]
        """Channels of the images: RGB and additional ones."""
        return self.source.num_channels

    @num_channels.setter
    def num_channels(self, number: int) -> None:
        self.source.num_channels = number

    def mapped(self, values: Sample) -> Sample:
        """Returns the annotations with the changes; the given dict is kept.

        Args:
            values: A sample, or the `objects` of a `Raw`.
        """
        raise NotImplementedError

    def mapped_raw(self, raw: Raw) -> Raw:
        """Returns the annotations as stored, with the changes."""
        # A copy: sources of files return the annotations that they hold.
        return dataclasses.replace(raw, objects=self.mapped(raw.objects))

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
        """Returns the annotations as stored, with the changes."""
        return self.mapped_raw(self.source.raw(index))

    def encoded(self, index: int) -> bytes:
        """Returns the image file's bytes."""
        return self.source.encoded(index)

    def load(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and the image file's bytes."""
        raw, data = self.source.load(index)
        return self.mapped_raw(raw), data

    def load_head(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and the beginning of the image file."""
        raw, data = self.source.load_head(index)
        return self.mapped_raw(raw), data

    def image_path(self, index: int) -> pathlib.Path | None:
        """Returns the path of the image file; None if it is no file of its own."""
        return self.source.image_path(index)

    def fingerprint(self, index: int) -> bytes:
        """Returns a hash that is equal for images with the same bytes."""
        return self.source.fingerprint(index)

    # Sources of arrays have no file to decode: these ask the source itself.
    def __getitem__(self, index: int) -> Sample:
        """Returns a sample of the source, with the changes."""
        return self.mapped(self.source[index])

    def annotations(self, index: int) -> Sample:
        """Returns the sample without its image, plus `size` (h, w) of the image."""
        return self.mapped(self.source.annotations(index))

    def raw_and_annotations(self, index: int) -> tuple[Raw, Sample]:
        """Returns the annotations as stored, and as `annotations` returns them."""
        raw, sample = self.source.raw_and_annotations(index)
        return self.mapped_raw(raw), self.mapped(sample)
