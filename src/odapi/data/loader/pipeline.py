"""From a source to batches: threads, and a position that can be resumed at.

Which sample comes when, and with which random numbers, depends on the seed and the
position only, not on the number of threads nor on interruptions. Grain keeps the
position and reads ahead. Samples are decoded, augmented and resized by threads of this
process, since OpenCV, NumPy and the JPEG decoder let each other run.
"""

import dataclasses
import os
import sys
import threading
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
    none_usable,
)
from odapi.data.loader.malloc import keep_freed_memory
from odapi.data.loader.order import Order
from odapi.data.loader.processes import Processes
from odapi.data.loader.worker import IN_TURN
from odapi.data.problems import Problems
from odapi.data.sample import Sample, Source
from odapi.data.sample_checks import InvalidSampleError
from odapi.errors import DataError
from odapi.fields import FIELDS
from odapi.labels import LabelMap
from odapi.structures import Batch

_TRAINING = Order()


@dataclasses.dataclass(frozen=True)
class MergeEqualBoxes:
    """Makes one object with several classes of objects that share a box.

    Args:
        num_classes: Of the model, without background.
    """

    num_classes: int

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with `multiclass_scores`, see `merge_equal_boxes`."""
        return merge_equal_boxes(sample, self.num_classes)


class Pipeline:
    """Batches of a source, read ahead by threads.

    Training batches never end: iterating goes on where it was left. Each iteration for
    evaluation is one pass, from the beginning. One iteration at a time.

    A sample that cannot be read is counted in `problems`, and the next takes its place.

    Args:
        source: Where samples come from.
        resizer: Sets the size of the pictures.
        collate: Makes batches; its `problems` should be those of the source.
        order: In which order.
        augmentations: Functions `(sample, rng) -> sample`, in their order.
        threads: That decode and augment; 0 takes one for each core.
        processes: That make training batches in their stead; 0: threads do. Then
            another sample of the data takes the place of one that cannot be read.
        prefetch: Batches prepared ahead, 0 or more.
        cache: Bytes of memory for decoded samples, see `SampleCache`; only training
            reads a sample twice.

    Attributes:
        label_map: The classes.
        num_images: Samples of the source.
        problems: What was wrong with the data so far.
        pads: Whether pictures of a batch may have padding.
        has_one_size: Whether all batches have images of one size.
        wait_seconds: Time that iterating has waited for batches, in all.

    Raises:
        DataError: The source is empty.
        ValueError: Processes are to sort pictures of many sizes.
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
        self.threads = threads or _cores()
        self.prefetch = prefetch
        # Pictures of one size without padding: nobody has to be told the true size.
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
        """Samples of the source, unreadable ones included."""
        return len(self.source)

    @property
    def num_batches(self) -> int | None:
        """Batches of one pass at most; None in training, which has no end."""
        return None if self.order.training else -(-self.num_images // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Returns the pipeline, at its beginning unless it is for training."""
        if not self.order.training:
            self.close()
        return self

    def __next__(self) -> Batch:
        """Returns the next batch.

        Raises:
            DataError: Not one sample can be read.
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
        """Leaves out of batches optional groundtruth that nobody reads.

        Args:
            fields: Optional fields of `Groundtruth` that are read.

        Raises:
            DataError: Some of them are not in the data.
        """
        wanted = set(fields)
        self.check_has(wanted)
        self._collate = dataclasses.replace(
            self._collate, fields=tuple(f for f in self._collate.fields if f in wanted)
        )
        self.close()

    def check_has(self, fields: Iterable[str]) -> None:
        """Checks that there is what a model learns from.

        Args:
            fields: Optional fields of `Groundtruth` that its losses read.

        Raises:
            DataError: Some of them are not in the data.
        """
        reader = "train_input_reader" if self.order.training else "eval_input_reader"
        for name in sorted(set(fields) - set(self._collate.fields)):
            hint = FIELDS[name].hint if name in FIELDS else ""
            if not hint:
                continue  # The model does without it.
            raise DataError(
                self.source.name,
                f"the model learns {name.replace('_', ' ')}, but the dataset has none",
                hint=hint.format(reader=reader),
            )

    def get_state(self) -> dict[str, Any]:
        """Returns the position after the last batch, in values that JSON can hold."""
        position = self._started().get_state()
        return {
            "position": position,
            "seed": self.order.seed,
            "num_images": self.num_images,
            "in_batches": bool(self.processes),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to a position: what comes next is what came next then.

        Raises:
            DataError: The position is of other data, or of another seed.
        """
        for name, ours in (("num_images", self.num_images), ("seed", self.order.seed)):
            if state[name] != ours:
                raise DataError(
                    self.source.name,
                    f"the position to resume at is from a run with {name} "
                    f"{state[name]}, now it is {ours}",
                    hint="resume with the same data and seed, or start anew",
                )
        if state.get("in_batches", False) != bool(self.processes):
            now, then = ("processes", "threads")[:: 1 if self.processes else -1]
            raise DataError(
                self.source.name,
                f"the position to resume at is from a run with {then}, now there are "
                f"{now}",
                hint="resume with options.data_loading.processes as it was, "
                f"{'0' if then == 'threads' else '1 or more'}, or start anew",
            )
        self.close()
        self._started().set_state(state["position"])

    def close(self) -> None:
        """Stops the threads; iterating again starts from the beginning."""
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
            load = LoadBatch(self._load, self._collate)
            processes = Processes(load, self.processes) if self.processes else None
            self._iterator = iter(self._dataset(processes))
            # Also at exit, so that no thread works while the interpreter ends.
            self._stop = weakref.finalize(self, _end, self._iterator, processes)
        return self._iterator

    def _dataset(self, processes: Processes | None) -> Any:
        import grain

        if processes is not None:
            batches = grain.MapDataset.source(range(sys.maxsize)).map(processes)
            ahead = max(IN_TURN * self.processes, self.prefetch)
            # The threads only wait.
            return batches.to_iter_dataset(
                grain.ReadOptions(num_threads=ahead, prefetch_buffer_size=ahead)
            )
        counted = _Counted(self.source, self._load, self.problems)
        positions = range(len(self._load.indices))
        samples = grain.MapDataset.source(positions).map(counted)
        ahead = max(2 * self.threads, self.batch_size)
        samples = samples.to_iter_dataset(
            grain.ReadOptions(num_threads=self.threads, prefetch_buffer_size=ahead)
        )
        return grain.experimental.ThreadPrefetchIterDataset(
            self._batches(samples, counted), prefetch_buffer_size=self.prefetch
        )

    def _batches(self, samples: Any, load: "_Counted") -> Any:
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
            self.batch_size,
            drop_remainder=self.order.training,
            batch_fn=self._collate,
        )


class _Counted:
    """Loads samples; one that cannot be used is counted, and is None."""

    def __init__(
        self, source: Source, load: Callable[[int], Sample], problems: Problems
    ):
        self.source, self.load, self.problems = source, load, problems
        self._failed = 0
        self._lock = threading.Lock()

    def __call__(self, position: int) -> Sample | None:
        try:
            sample = self.load(position)
        except InvalidSampleError:
            raise  # A mistake in the user's code, not damaged data.
        except DataError as error:
            self._count(error)
            return None
        self._failed = 0
        return sample

    def _count(self, error: DataError) -> None:
        count_unusable(self.source, self.problems, error)
        with self._lock:
            self._failed += 1
            failed = self._failed
        # Any two epochs hold each sample, whatever their order.
        if failed >= 2 * len(self.source):
            raise none_usable(self.source, error) from error


def _end(iterator: Any, processes: Processes | None) -> None:
    """Stops an iterator's threads, once: Grain stumbles over a second time at exit."""
    if processes is not None:
        processes.close()
    iterator.close()
    iterator.close = lambda: None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
