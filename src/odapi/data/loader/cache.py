"""Decoded samples that stay in memory from one epoch to the next."""

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from odapi.data.sample import Sample, Source

# Samples to see before their mean size says how large a data set is.
_ENOUGH = 16


class SampleCache:
    """The samples of a source, each read and decoded once, where all of them fit.

    All or nothing: a data set in random order gains little from a part of it, and the
    memory is better left to the model. Safe to use from many threads. What cannot be
    read is tried again, and counted again.

    Args:
        source: Where samples come from.
        limit: Bytes that all samples may take; 0 keeps none.

    Attributes:
        bytes: That are taken.
    """

    def __init__(self, source: Source, limit: int):
        self.source = source
        self.limit = limit
        self.bytes = 0
        self._kept: dict[int, Sample] = {}
        self._lock = threading.Lock()

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample, its arrays read-only where it is kept.

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
        """Returns how many samples are kept."""
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
                self._kept = {}  # Others may be looking into the old one.

    def _expected(self) -> float:
        """Returns the bytes of all samples, as far as can be told."""
        seen, count = len(self._kept), len(self.source)
        if seen < min(_ENOUGH, count):
            return self.bytes
        return self.bytes / seen * count


def _frozen(value: Any) -> Any:
    """Returns an array that nobody can change, over the same numbers."""
    if not isinstance(value, np.ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view


def _size(sample: Mapping[str, Any]) -> int:
    return sum(v.nbytes for v in sample.values() if isinstance(v, np.ndarray))
