"""Records of a dataset, made by other processes for many images."""

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Sequence

from odapi.data.formats.writer import samples
from odapi.data.loader.processes import Processes
from odapi.data.problems import Problems
from odapi.data.read_ahead import read_ahead
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.data.tfrecord.example_writer import example_of

# A record, and what is left of the sample to count its objects and losses.
Made = tuple[bytes, Sample]

# Minimum numbers with and without masks. A process starts in half a second, in which
# it makes 70 records with masks; it needs a copy of all annotations. Records without
# masks are copies of the image files: to send them from another process costs more
# than it saves (benchmarks.record_workers).
IMAGES_PER_PROCESS = {True: 250, False: sys.maxsize}
_CHUNK = 16  # Images per message.
_KEPT = ("image_id", "boxes", "confidences")


def make_record(source: BaseSource, index: int) -> Made | None:
    """Returns the record of a sample; None if its image is unusable."""
    for _, sample in samples(source, [index]):
        record = example_of(sample, source.label_map)
        return record, {key: sample[key] for key in _KEPT if key in sample}
    return None


def make_records(
    source: BaseSource, indices: Iterable[int], workers: int = 1
) -> Iterator[Made]:
    """Yields the records of samples in their order, without those of unusable images.

    Args:
        source: The dataset.
        indices: The samples.
        workers: Maximum number of processes; fewer are started for few images.

    Raises:
        ProcessError: A process has ended, such as for lack of memory.
    """
    chunks = RecordChunks(source, list(indices))
    enough = IMAGES_PER_PROCESS["masks" in source.keys]
    workers = min(workers, len(chunks.indices) // enough)
    if workers < 2:
        for number in range(len(chunks)):
            yield from chunks(number)
        return
    processes = Processes(chunks, workers, "--workers")
    try:
        for made in read_ahead(processes, range(len(chunks)), 2 * workers):
            yield from made
    finally:
        processes.close()


@dataclasses.dataclass(frozen=True)
class RecordChunks:
    """Makes the records of a few samples, the unit of work of a process.

    Args:
        source: The dataset.
        indices: The samples of all chunks.
    """

    source: BaseSource
    indices: Sequence[int]

    @property
    def problems(self) -> Problems:
        """Counts unusable images and objects."""
        return self.source.problems

    def part(self, number: int) -> "RecordChunks":
        """Returns what each of several processes gets: all of it."""
        return self

    def __len__(self) -> int:
        return -(-len(self.indices) // _CHUNK)

    def __call__(self, number: int) -> list[Made]:
        """Returns the records of the chunk with a number, counted from 0."""
        own = self.indices[number * _CHUNK : (number + 1) * _CHUNK]
        made = (make_record(self.source, index) for index in own)
        return [one for one in made if one is not None]
