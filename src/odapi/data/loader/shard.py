"""The share of the data that one of several processes loads.

In training, each process loads its rows of each batch, so that all together read the
batches that one process would. In evaluation, it loads every n-th batch.
"""

import dataclasses
from typing import Any

import numpy as np

from odapi.structures import Batch


@dataclasses.dataclass(frozen=True)
class Shard:
    """One of several shares of the data.

    Args:
        process_id: Number of the process, counted from 0.
        num_processes: Number of processes; in training, a batch divides by it.
        batch_size: Images of a batch of all processes.
        start: Position in the order at which training begins.
    """

    process_id: int
    num_processes: int
    batch_size: int
    start: int = 0

    @property
    def num_rows(self) -> int:
        """Number of rows of each training batch in this share."""
        return self.batch_size // self.num_processes

    def position(self, index: int) -> int:
        """Returns the position of the training sample with an index in this share.

        >>> [Shard(1, 2, 4).position(i) for i in range(5)]
        [2, 3, 6, 7, 10]
        """
        batch, row = divmod(index, self.num_rows)
        row += self.process_id * self.num_rows
        return self.start + batch * self.batch_size + row

    def positions(self, length: int) -> list[int]:
        """Returns the positions of an evaluation of so many samples.

        >>> Shard(1, 2, 2).positions(7)
        [2, 3, 6]
        """
        batches = np.arange(length) // self.batch_size
        return np.flatnonzero(batches % self.num_processes == self.process_id).tolist()

    def rows(self, batch: Batch) -> Batch:
        """Returns the rows of a whole training batch that are in this share."""
        first = self.process_id * self.num_rows
        taken = slice(first, first + self.num_rows)
        return Batch(*(_rows(value, taken) for value in batch))


def _rows(value: Any, taken: slice) -> Any:
    """Returns rows of the arrays of a part of a batch."""
    if value is None:
        return None
    if isinstance(value, dict):
        return {name: _rows(v, taken) for name, v in value.items()}
    if hasattr(value, "_fields"):
        return type(value)(*(_rows(v, taken) for v in value))
    return value[taken]
