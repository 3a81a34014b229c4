"""In-memory cache of decoded samples."""

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from odapi.data.sample import Sample, Source

# Samples needed before their mean size estimates that of the dataset.
_MIN_SAMPLES = 16


class SampleCache:
    """The samples of a source, each decoded once, if all of them fit.

    All or nothing: in random order, a partial cache gains little, and the memory is
    better left to the model. Thread-safe. Unreadable samples are not cached.

    Args:
        source: The samples.
        limit: Maximum number of bytes; 0 disables the cache.

    Attributes:
        bytes: Number of bytes in use.
    """

    def __init__(self, source: Source, limit: int):
        self.source = source
        self.limit = limit
        self.bytes = 0
        self._kept: dict[int, Sample] = {}
        self._lock = threading.Lock()

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample; the arrays of cached samples are read-only.

        Raises:
            DataError: The image cannot be used.
        """
        kept = self._kept.get(index)
        if kept is not None:
            return dict(kept)
        sample = self.source[index]
        if self.limit:
            self._keep(index, sample)
        return sample

    def __len__(self) -> int:
        """Returns the number of cached samples."""
        return len(self._kept)

    def _keep(self, index: int, sample: Sample) -> None:
        kept = {key: _frozen(value) for key, value in sample.items()}
        with self._lock:
            if index in self._kept or not self.limit:
                return
            self._kept[index] = kept
            self.bytes += _size(kept)
            if self._expected() > self.limit:
                self.limit = self.bytes = 0
                self._kept = {}  # Other threads may still read the old one.

    def _expected(self) -> float:
        """Returns the estimated number of bytes of all samples."""
        seen, count = len(self._kept), len(self.source)
        if seen < min(_MIN_SAMPLES, count):
            return self.bytes
        return self.bytes / seen * count


def _frozen(value: Any) -> Any:
    """Returns a read-only view of an array."""
    if not isinstance(value, np.ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view


def _size(sample: Mapping[str, Any]) -> int:
    return sum(v.nbytes for v in sample.values() if isinstance(v, np.ndarray))
