"""Sources made of other sources."""

import bisect
import itertools
from collections.abc import Sequence
from typing import Any

from odapi.data.problems import Problems
from odapi.data.sample import Sample, Source
from odapi.labels import LabelMap


class EveryNth:
    """Each n-th sample of a source, from the first on.

    Args:
        source: The whole.
        n: 1 or more.
    """

    def __init__(self, source: Source, n: int):
        if n < 1:
            raise ValueError(f"n must be 1 or more, got {n}")
        self.whole = source
        self.name: str = source.name
        self.label_map: LabelMap = source.label_map
        self.problems: Problems = problems_of(source)
        self._indices = range(0, len(source), n)

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def image_ids(self) -> list[str]:
        """The id of each sample, in their order."""
        ids: Any = self.whole.image_ids  # type: ignore[attr-defined]
        return [ids[i] for i in self._indices]

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample; raises DataError where the image cannot be used."""
        return self.whole[self._indices[index]]

    def annotations(self, index: int) -> Sample:
        """Returns the sample without its image, plus `size` (h, w) where known."""
        return self.whole.annotations(self._indices[index])


class Joined:
    """Several sources, one after another.

    Args:
        sources: At least one; the label map is that of the first.
    """

    def __init__(self, sources: Sequence[Source]):
        self.sources = list(sources)
        self.name = ", ".join(source.name for source in self.sources)
        self.label_map: LabelMap = self.sources[0].label_map
        self.problems: Problems = problems_of(self.sources[0])
        lengths = [len(source) for source in self.sources]
        self._ends = list(itertools.accumulate(lengths))

    def __len__(self) -> int:
        return self._ends[-1]

    @property
    def image_ids(self) -> list[str]:
        """The id of each sample, in their order."""
        parts: Any = [s.image_ids for s in self.sources]  # type: ignore[attr-defined]
        return list(itertools.chain.from_iterable(parts))

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample; raises DataError where the image cannot be used."""
        part, offset = self._find(index)
        return self.sources[part][offset]

    def annotations(self, index: int) -> Sample:
        """Returns the sample without its image, plus `size` (h, w) where known."""
        part, offset = self._find(index)
        return self.sources[part].annotations(offset)

    def _find(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        part = bisect.bisect_right(self._ends, index)
        return part, index - (self._ends[part - 1] if part else 0)


def problems_of(source: Source) -> Problems:
    """Returns where a source counts its problems; a new list if it has none."""
    problems = getattr(source, "problems", None)
    return Problems() if problems is None else problems
