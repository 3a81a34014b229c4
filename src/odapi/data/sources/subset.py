"""A subset of a source, as a source."""

import pathlib
from collections.abc import Sequence

from odapi.data.sources.base import BaseSource, Raw
from odapi.errors import DataError


class Subset(BaseSource):
    """The samples of a source at `indices`, in that order."""

    def __init__(self, source: BaseSource, indices: Sequence[int], name: str = ""):
        super().__init__(
            name or source.name,
            source.label_map,
            source.problems,
            source.keys,
            source.num_keypoints,
        )
        self._source = source
        self.is_stored = source.is_stored
        self.max_pixels = source.max_pixels
        self._indices = list(indices)
        if not self._indices:
            raise DataError(self.name, "has no image")

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def image_ids(self) -> list[str]:
        """The id of each sample, in order."""
        ids = self._source.image_ids
        return [ids[i] for i in self._indices]

    def raw(self, index: int) -> Raw:
        """Returns the annotations as stored in the files."""
        return self._source.raw(self._indices[index])

    def encoded(self, index: int) -> bytes:
        """Returns the image file's bytes."""
        return self._source.encoded(self._indices[index])

    def image_path(self, index: int) -> pathlib.Path | None:
        """Returns the path of the image file; None if it is no file of its own."""
        return self._source.image_path(self._indices[index])

    def fingerprint(self, index: int) -> bytes:
        """Returns a hash that is equal for images with the same bytes."""
        return self._source.fingerprint(self._indices[index])

    def load(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and the image file's bytes."""
        return self._source.load(self._indices[index])

    def load_head(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and the beginning of the image file."""
        return self._source.load_head(self._indices[index])
