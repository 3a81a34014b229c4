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
        self.source = source
        self.is_stored = source.is_stored
        self.max_pixels = source.max_pixels
        self.num_channels = source.num_channels
        self.indices = list(indices)
        if not self.indices:
            raise DataError(self.name, "has no image")

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def image_ids(self) -> list[str]:
        """The id of each sample, in order."""
        ids = self.source.image_ids
        return [ids[i] for i in self.indices]

    def raw(self, index: int) -> Raw:
        """Returns the annotations as stored in the files."""
        return self.source.raw(self.indices[index])

    def encoded(self, index: int) -> bytes:
        """Returns the image file's bytes."""
        return self.source.encoded(self.indices[index])

    def image_path(self, index: int) -> pathlib.Path | None:
        """Returns the path of the image file; None if it is no file of its own."""
        return self.source.image_path(self.indices[index])

    def fingerprint(self, index: int) -> bytes:
        """Returns a hash that is equal for images with the same bytes."""
        return self.source.fingerprint(self.indices[index])

    def load(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and the image file's bytes."""
        return self.source.load(self.indices[index])

    def load_head(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and the beginning of the image file."""
        return self.source.load_head(self.indices[index])
