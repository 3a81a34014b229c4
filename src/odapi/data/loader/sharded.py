"""The input pipeline of one of several processes that train together."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from odapi.data.loader.load import LoadBatch
from odapi.data.loader.pipeline import Pipeline
from odapi.data.loader.shard import Shard
from odapi.data.sample import Sample
from odapi.structures import Batch


def training_share(pipeline: Pipeline, process_id: int, num_processes: int) -> Pipeline:
    """Returns the pipeline of a process: its rows of the batches of a pipeline.

    All processes together read the batches that one process would, in the same order;
    the position is that of the whole, so that a run may be resumed with another number
    of processes.

    If images differ in size, each process loads whole batches, since they are padded to
    the largest image.

    Args:
        pipeline: Of training batches, whose size divides by the processes.
        process_id, num_processes: This process, counted from 0, and their number.
    """
    shard = Shard(process_id, num_processes, pipeline.batch_size)
    kind = _OwnRows if pipeline.has_one_size else _RowsOfAll
    return _as(kind, pipeline, shard)


def evaluation_share(
    pipeline: Pipeline, process_id: int, num_processes: int
) -> Pipeline:
    """Returns the pipeline of a process: every n-th batch of an evaluation."""
    shard = Shard(process_id, num_processes, pipeline.batch_size)
    return _as(_EveryNth, pipeline, shard)


def _as(kind: type["_Share"], pipeline: Pipeline, shard: Shard) -> Pipeline:
    other = kind.__new__(kind)
    other.__dict__ |= pipeline.__dict__ | {"_iterator": None, "_stop": None}
    other.use(shard)
    return other


class _Share(Pipeline):
    shard: Shard

    def use(self, shard: Shard) -> None:
        self.shard = shard


class _RowsOfAll(_Share):
    """Loads whole batches, of which it returns rows."""

    def __next__(self) -> Batch:
        return self.shard.rows(super().__next__())


class _OwnRows(_Share):
    """Loads its rows only."""

    def use(self, shard: Shard) -> None:
        super().use(shard)
        self._collate = dataclasses.replace(self._collate, batch_size=shard.num_rows)
        self._num_read = 0  # Batches since the start of the shard.

    def __next__(self) -> Batch:
        batch = super().__next__()
        self._num_read += 1
        return batch

    def get_state(self) -> dict[str, Any]:
        position = self.shard.start + self._num_read * self.shard.batch_size
        return super().get_state() | {
            "position": {"next_index": position // self._unit}
        }

    def set_state(self, state: dict[str, Any]) -> None:
        position = state["position"]["next_index"] * self._unit
        super().set_state(state | {"position": {"next_index": 0}})
        self.close()
        self.shard = dataclasses.replace(self.shard, start=position)
        self._num_read = 0

    @property
    def _unit(self) -> int:
        """Samples that a position counts: data processes count batches."""
        return self.shard.batch_size if self.processes else 1

    def _load_batch(self) -> LoadBatch:
        return LoadBatch(self._load, self._collate, self.shard)


class _EveryNth(_Share):
    """Loads every n-th batch of an evaluation."""

    @property
    def num_batches(self) -> int:
        return -(-len(self._own_positions()) // self.batch_size)

    def _samples(self) -> tuple[Sequence[int], Callable[[int], Sample | None]]:
        _, read = super()._samples()
        return self._own_positions(), read

    def _own_positions(self) -> list[int]:
        return self.shard.positions(self.num_images)
