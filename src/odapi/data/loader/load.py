"""Loading by position: samples that are ready for a batch, and whole batches."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from odapi.data.augment.augmentation import Augmentation
from odapi.data.augment.chain import augment
from odapi.data.augment.partners import Partners
from odapi.data.augment.transforms import to_grid
from odapi.data.image.resize import Resizer
from odapi.data.loader.cache import SampleCache
from odapi.data.loader.collate import Collate
from odapi.data.loader.order import Order
from odapi.data.loader.shard import Shard
from odapi.data.problems import Problems
from odapi.data.sample import Sample, Source
from odapi.data.sample_checks import InvalidSampleError
from odapi.errors import DataError
from odapi.structures import Batch
from odapi.wording import counted

# Positions that no training reaches: the order of substitutes for unusable samples.
_SUBSTITUTES = 1 << 40


class Load:
    """Reads, augments and resizes the sample at a position.

    The result depends on the position alone, so that it can be called from any thread,
    and, pickled, from any process.

    Args:
        source: The samples.
        order: The sample and the random numbers of each position.
        augmentations: Functions `(sample, rng) -> sample`, in order.
        resizer: The image resizer.
        cache: Bytes for decoded samples, see `SampleCache`.
    """

    def __init__(
        self,
        source: Source,
        order: Order,
        augmentations: tuple[Augmentation, ...],
        resizer: Resizer,
        cache: int = 0,
    ):
        self.source, self.order, self.resizer = source, order, resizer
        self.augmentations = augmentations
        self.cache = cache
        self.indices: Any = order.indices(len(source))
        self._samples = SampleCache(source, cache)

    def __reduce__(self):
        # Attributes derived from the arguments are rebuilt.
        return Load, self._arguments(self.cache)

    def part(self, number: int) -> "Load":
        """Returns a copy with a share of the cache memory."""
        return Load(*self._arguments(self.cache // number))

    def _arguments(self, cache: int) -> tuple:
        return self.source, self.order, self.augmentations, self.resizer, cache

    def __call__(
        self,
        position: int,
        problems: Problems | None = None,
        substitute: int | None = None,
    ) -> Sample:
        """Returns the sample, including its `position`.

        Args:
            position: Of the sample in the order; selects its random numbers.
            problems: Counts unusable samples that it would have been combined with.
            substitute: Position of the sample that takes its place; None: its own.

        Raises:
            DataError: The image cannot be used.
        """
        place = position if substitute is None else substitute
        sample = self._samples[self.indices[place]]
        size = np.array(sample["image"].shape[:2], np.int32)
        sample = sample | {"original_size": size}
        if self.augmentations:
            rng = self.order.rng(position)
            partners = Partners(
                self._samples.__getitem__,
                lambda rng: self.indices.draw(rng),
                sample,
                self.resizer.true_size,
                lambda error: count_unusable(self.source, problems, error),
            )
            sample = augment(sample, rng, self.augmentations, position, partners)
            if self.resizer.method == "bilinear" and not self.resizer.keeps_corners:
                height, width = sample["image"].shape[:2]
                sample = to_grid(sample, *self.resizer.true_size(height, width))
        return self.resizer(sample) | {"position": position}


@dataclasses.dataclass(frozen=True)
class LoadBatch:
    """Loads training samples, and whole batches: the unit of work of a data process.

    An unusable sample is replaced by a random one, which depends on the seed and its
    position alone: threads, data processes and processes that train together take the
    same one.

    Args:
        load: Loads samples.
        collate: Combines them into a batch.
        shard: The share of each batch that is loaded; None: all of it.
    """

    load: Load
    collate: Collate
    shard: Shard | None = None

    @property
    def problems(self) -> Problems:
        """Counts unusable samples."""
        return self.collate.problems

    def part(self, number: int) -> "LoadBatch":
        """Returns a copy with a share of the cache memory."""
        return dataclasses.replace(self, load=self.load.part(number))

    def __call__(self, number: int) -> Batch:
        """Returns the batch with a number, counted from 0.

        Raises:
            DataError: No sample can be read.
        """
        size = self.collate.batch_size
        positions = range(number * size, (number + 1) * size)
        return self.collate([self.sample(position) for position in positions])

    def sample(self, index: int) -> Sample:
        """Returns the sample with an index; of an unusable one, its substitute.

        Raises:
            DataError: No sample can be read.
        """
        position = index if self.shard is None else self.shard.position(index)
        source = self.load.source
        for place in _places(self.load, position):
            try:
                return self.load(position, self.collate.problems, place)
            except InvalidSampleError:
                raise  # A mistake in the user's code, not damaged data.
            except DataError as found:
                error = found
                count_unusable(source, self.collate.problems, found)
        raise none_usable(source, error)


def _places(load: Load, position: int) -> Iterator[int | None]:
    """Yields None, for the sample of a position, and the positions of substitutes.

    These begin at a random place of one epoch, whose permutation is made once, and run
    over two epochs, which contain each sample.
    """
    yield None
    length = load.order.epoch_length(len(load.source))
    rng = load.order.rng(_SUBSTITUTES + position)
    first = _SUBSTITUTES - _SUBSTITUTES % length + int(rng.integers(length))
    yield from range(first, first + 2 * length)


def count_unusable(source: Source, problems: Problems | None, error: DataError) -> None:
    """Counts an unusable sample, unless its source has counted it already."""
    if problems is not None and getattr(source, "problems", None) is not problems:
        problems.found("unusable image", error.place)


def none_usable(source: Source, last: DataError) -> DataError:
    """Returns the error for a dataset without any usable sample."""
    return DataError(
        source.name,
        f"none of {counted(len(source), 'image')} can be used; the last: {last}",
        hint="run `odapi data inspect` on it",
    )
