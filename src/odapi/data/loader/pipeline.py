"""The input pipeline: batches of a source, with an exactly resumable position.

The order of samples and their random numbers depend on the seed and the position
only, not on the number of threads or on interruptions. Grain keeps the position and
prefetches. Samples are decoded, augmented and resized by threads of this process,
since OpenCV, NumPy and the JPEG decoder release the interpreter lock.
"""

import copy
import dataclasses
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from odapi.data.image.resize import Resizer, fixed_size, may_pad
from odapi.data.loader.collate import Collate, merge_equal_boxes
from odapi.data.loader.load import (
    Augmentation,
    Load,
    LoadBatch,
    count_unusable,
)
from odapi.data.loader.malloc import keep_freed_memory
from odapi.data.loader.order import Order
from odapi.data.loader.processes import Processes
from odapi.data.loader.worker import MAX_PENDING
from odapi.data.problems import Problems
from odapi.data.sample import Sample, Source
from odapi.data.sample_checks import InvalidSampleError
from odapi.errors import DataError
from odapi.fields import FIELDS
from odapi.labels import LabelMap
from odapi.runtime.backend import load_grain
from odapi.runtime.cpus import num_cpus
from odapi.structures import Batch

_TRAINING = Order()


@dataclasses.dataclass(frozen=True)
class MergeEqualBoxes:
    """Merges objects with equal boxes into one object of several classes.

    Args:
        num_classes: Number of classes of the model, without background.
        confidences: Whether the scores of the classes are the confidences of the
            objects instead of 1.
    """

    num_classes: int
    confidences: bool = False

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with `multiclass_scores`, see `merge_equal_boxes`."""
        return merge_equal_boxes(sample, self.num_classes, self.confidences)


class Pipeline:
    """Batches of a source, prefetched by threads.

    Training batches never end: a new iteration continues where the last one stopped.
    An iteration for evaluation is one pass from the beginning. Only one iteration can
    run at a time.

    An unreadable sample is counted in `problems`. In training it is replaced by a
    random one, see `LoadBatch`; an evaluation leaves it out.

    Args:
        source: The samples.
        resizer: The image resizer.
        collate: Combines samples; its `problems` should be those of the source.
        order: The order of samples.
        augmentations: Functions `(sample, rng) -> sample`, in order.
        threads: Number of threads that decode and augment; 0 means one per core.
        processes: Number of processes that make training batches instead; 0 means
            threads.
        prefetch: Number of batches prepared ahead, 0 or more.
        cache: Bytes for decoded samples, see `SampleCache`; used in training only.

    Attributes:
        label_map: The classes.
        num_images: Number of samples of the source.
        problems: Problems found in the data so far.
        pads: Whether images of a batch can have padding.
        has_one_size: Whether all batches have images of one size.
        wait_seconds: Total time spent waiting for batches.

    Raises:
        DataError: The source is empty.
        ValueError: Processes were combined with size buckets.
    """

    def __init__(
        self,
        source: Source,
        resizer: Resizer,
        collate: Collate,
        order: Order = _TRAINING,
        augmentations: Sequence[Augmentation] = (),
        threads: int = 0,
        prefetch: int = 2,
        cache: int = 0,
        processes: int = 0,
    ):
        if not len(source):
            raise DataError(
                source.name,
                "has no images",
                hint="run `odapi data inspect` on it",
            )
        if processes and collate.buckets is not None:
            raise ValueError("processes make batches of one size, not of buckets")
        self.source = source
        self.order = order
        self.batch_size = collate.batch_size
        self.label_map: LabelMap = source.label_map
        self.problems: Problems = collate.problems
        self.wait_seconds = 0.0
        self.threads = threads or num_cpus()
        self.prefetch = prefetch
        # If all images have one size without padding, no true size is needed.
        self.pads = fixed_size(resizer) is None or may_pad(resizer)
        self.has_one_size = fixed_size(resizer) is not None
        self._collate = collate
        self._load = Load(
            source,
            order,
            tuple(augmentations),
            resizer,
            cache if order.training else 0,
        )
        self.processes = processes
        self._iterator: Any = None
        self._stop: Any = None

    @property
    def num_images(self) -> int:
        """Number of samples of the source, including unreadable ones."""
        return len(self.source)

    @property
    def num_batches(self) -> int | None:
        """Maximum number of batches of one pass; None in training, which never ends."""
        return None if self.order.training else -(-self.num_images // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Returns the pipeline, rewound unless it is for training."""
        if not self.order.training:
            self.close()
        return self

    def __next__(self) -> Batch:
        """Returns the next batch.

        Raises:
            DataError: No sample can be read.
        """
        iterator = self._started()
        start = time.perf_counter()
        try:
            batch = next(iterator)
        except StopIteration:
            self.close()
            raise
        finally:
            self.wait_seconds += time.perf_counter() - start
        return batch._replace(real=None) if self.order.training else batch

    def select_fields(self, fields: Iterable[str]) -> None:
        """Restricts the optional groundtruth of batches to the fields that are read.

        Args:
            fields: Optional fields of `Groundtruth` that are read.

        Raises:
            DataError: The dataset lacks a field that a model cannot learn without.
        """
        wanted = set(fields)
        self.check_has(wanted)
        self._collate = dataclasses.replace(
            self._collate, fields=tuple(f for f in self._collate.fields if f in wanted)
        )
        self.close()

    def check_has(self, fields: Iterable[str]) -> None:
        """Checks that the dataset has the groundtruth that a model learns from.

        Args:
            fields: Optional fields of `Groundtruth` that its losses read.

        Raises:
            DataError: The dataset lacks a field that a model cannot learn without.
        """
        reader = "train_input_reader" if self.order.training else "eval_input_reader"
        for name in sorted(set(fields) - set(self._collate.fields)):
            hint = FIELDS[name].hint if name in FIELDS else ""
            if not hint:
                continue  # Optional for the model.
            raise DataError(
                self.source.name,
                f"the model learns {name.replace('_', ' ')}, but the dataset has none",
                hint=hint.format(reader=reader),
            )

    def get_state(self) -> dict[str, Any]:
        """Returns the position after the last batch as JSON-compatible values."""
        position = self._started().get_state()
        return {
            "position": position,
            "seed": self.order.seed,
            "num_images": self.num_images,
            "in_batches": bool(self.processes),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores a position: the following batches are the same as they were then.

        Raises:
            DataError: The position belongs to other data or another seed.
        """
        for name, ours in (("num_images", self.num_images), ("seed", self.order.seed)):
            if state[name] != ours:
                raise DataError(
                    self.source.name,
                    f"the position to resume at is from a run with {name} "
                    f"{state[name]}, now it is {ours}",
                    hint="resume with the same data and seed, or start a new training",
                )
        if state.get("in_batches", False) != bool(self.processes):
            now, then = ("processes", "threads")[:: 1 if self.processes else -1]
            raise DataError(
                self.source.name,
                f"the position to resume at is from a run with {then}, now there are "
                f"{now}",
                hint="resume with options.data_loading.processes as it was, "
                f"{'0' if then == 'threads' else '1 or more'}, or start a new training",
            )
        self.close()
        self._started().set_state(state["position"])

    def from_start(self) -> "Pipeline":
        """Returns another pipeline of the same batches, at its beginning.

        Problems in the data are counted by the first one only.
        """
        other = copy.copy(self)
        other.problems = Problems()
        other._collate = dataclasses.replace(self._collate, problems=other.problems)
        other._iterator = other._stop = None
        return other

    def close(self) -> None:
        """Stops the threads; a new iteration starts from the beginning."""
        if self._stop is not None:
            self._stop()
        self._iterator = self._stop = None

    def __enter__(self) -> "Pipeline":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self) -> Any:
        if self._iterator is None:
            keep_freed_memory()
            load = self._load_batch()
            processes = Processes(load, self.processes) if self.processes else None
            self._iterator = iter(self._dataset(processes))
            # Also at exit, so that no thread runs while the interpreter shuts down.
            self._stop = weakref.finalize(self, _end, self._iterator, processes)
        return self._iterator

    def _dataset(self, processes: Processes | None) -> Any:
        grain: Any = load_grain()
        if processes is not None:
            batches = grain.MapDataset.source(range(sys.maxsize)).map(processes)
            ahead = max(MAX_PENDING * self.processes, self.prefetch)
            # These threads only wait.
            return batches.to_iter_dataset(
                grain.ReadOptions(num_threads=ahead, prefetch_buffer_size=ahead)
            )
        positions, read = self._samples()
        samples = grain.MapDataset.source(positions).map(read)
        ahead = max(2 * self.threads, self._collate.batch_size)
        samples = samples.to_iter_dataset(
            grain.ReadOptions(num_threads=self.threads, prefetch_buffer_size=ahead)
        )
        return grain.experimental.ThreadPrefetchIterDataset(
            self._batches(samples, read), prefetch_buffer_size=self.prefetch
        )

    def _load_batch(self) -> LoadBatch:
        """Returns what loads training samples and, in data processes, batches."""
        return LoadBatch(self._load, self._collate)

    def _samples(self) -> tuple[Sequence[int], Callable[[int], Sample | None]]:
        """Returns the positions to read, and what reads the sample at one."""
        if self.order.training:
            return range(sys.maxsize), self._load_batch().sample
        return range(self.num_images), _Usable(self.source, self._load, self.problems)

    def _batches(self, samples: Any, load: Callable[[int], Sample | None]) -> Any:
        buckets = self._collate.buckets
        if self.order.training and buckets is not None and self.batch_size > 1:
            from odapi.data.loader.grouping import Grouped

            return Grouped(
                samples,
                self.batch_size,
                lambda sample: buckets(*sample["image"].shape[:2]),
                self._collate,
                load,
            )
        return samples.batch(
            self._collate.batch_size,
            drop_remainder=self.order.training,
            batch_fn=self._collate,
        )


class _Usable:
    """Loads samples; unusable ones are counted and returned as None."""

    def __init__(self, source: Source, load: Load, problems: Problems):
        self.source, self.load, self.problems = source, load, problems

    def __call__(self, position: int) -> Sample | None:
        try:
            return self.load(position, self.problems)
        except InvalidSampleError:
            raise  # A mistake in the user's code, not damaged data.
        except DataError as error:
            count_unusable(self.source, self.problems, error)
            return None


def _end(iterator: Any, processes: Processes | None) -> None:
    """Stops an iterator's threads once: Grain fails when closed again at exit."""
    if processes is not None:
        processes.close()
    iterator.close()
    iterator.close = lambda: None
