"""From a position to a sample that is ready for a batch, and to whole batches."""

import dataclasses

import numpy as np

from odapi.data.augment.augmentation import Augmentation
from odapi.data.augment.transforms import to_grid
from odapi.data.image.resize import Resizer
from odapi.data.loader.cache import SampleCache
from odapi.data.loader.collate import Collate
from odapi.data.loader.order import Order
from odapi.data.problems import Problems
from odapi.data.sample import Sample, Source
from odapi.data.sample_checks import InvalidSampleError
from odapi.errors import DataError
from odapi.structures import Batch

# To a position that no training reaches, where another sample takes the place of one
# that cannot be used.
_ELSEWHERE = 1 << 40


class Load:
    """Reads, augments and resizes the sample at a position.

    What comes depends on the position alone, so that it may be called from any thread,
    and, pickled, from any process.

    Args:
        source: Where samples come from.
        order: Which one is at a position, and what its augmentations draw.
        augmentations: Functions `(sample, rng) -> sample`, in their order.
        resizer: Sets the size of the pictures.
        cache: Bytes of memory for decoded samples, see `SampleCache`.
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
        self.indices = order.indices(len(source))
        self._samples = SampleCache(source, cache)

    def __reduce__(self):
        # What is made of the arguments is made anew.
        return Load, self._arguments(self.cache)

    def part(self, number: int) -> "Load":
        """Returns the same with a part of the memory."""
        return Load(*self._arguments(self.cache // number))

    def _arguments(self, cache: int) -> tuple:
        return self.source, self.order, self.augmentations, self.resizer, cache

    def __call__(self, position: int) -> Sample:
        """Returns the sample, with its `position`.

        Raises:
            DataError: The image cannot be used.
        """
        sample = self._samples[self.indices[position]]
        size = np.array(sample["image"].shape[:2], np.int32)
        sample = sample | {"original_size": size}
        if self.augmentations:
            rng = self.order.rng(position)
            for augmentation in self.augmentations:
                sample = augmentation(sample, rng)
            if self.resizer.method == "bilinear":
                height, width = sample["image"].shape[:2]
                sample = to_grid(sample, *self.resizer.true_size(height, width))
        return self.resizer(sample) | {"position": position}


@dataclasses.dataclass(frozen=True)
class LoadBatch:
    """Makes a whole training batch: what one process is asked for.

    Another sample takes the place of one that cannot be used.

    Args:
        load: Of samples.
        collate: Makes the batch.
    """

    load: Load
    collate: Collate

    def __call__(self, number: int) -> Batch:
        """Returns the batch with a number, counted from 0.

        Raises:
            DataError: Not one sample can be read.
        """
        size = self.collate.batch_size
        positions = range(number * size, (number + 1) * size)
        return self.collate([self._usable(position) for position in positions])

    def _usable(self, position: int) -> Sample:
        source = self.load.source
        for attempt in range(2 * len(source)):
            try:
                return self.load(position + attempt * _ELSEWHERE)
            except InvalidSampleError:
                raise
            except DataError as found:
                error = found
                count_unusable(source, self.collate.problems, found)
        raise none_usable(source, error)


def count_unusable(source: Source, problems: Problems, error: DataError) -> None:
    """Counts a sample that cannot be used, unless its source has done so."""
    if getattr(source, "problems", None) is not problems:
        problems.found("unusable image", error.place)


def none_usable(source: Source, last: DataError) -> DataError:
    """Returns the error for data of which not one sample can be used."""
    return DataError(
        source.name,
        f"none of {len(source)} images can be used; the last: {last}",
        hint="run `odapi data inspect` on it",
    )
