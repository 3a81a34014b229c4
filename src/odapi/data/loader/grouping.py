"""Batches of samples from the same group of a stream."""

import collections
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from odapi.data.sample import Sample
from odapi.runtime.backend import load_grain

if TYPE_CHECKING:
    import grain
else:
    grain = load_grain()

_PARENT, _WAITING = "samples", "waiting"


class Grouped(grain.IterDataset):
    """Emits a batch whenever a group has collected `batch_size` samples.

    The output depends on the stream alone. The state holds the positions of samples
    in incomplete groups; they are loaded again when the state is restored.

    Args:
        samples: Stream of samples with their `position`.
        batch_size: Samples per batch.
        group: Returns the group of a sample.
        collate: Combines samples into a batch.
        load: Returns the sample at a position.
    """

    def __init__(
        self,
        samples: grain.IterDataset,
        batch_size: int,
        group: Callable[[Sample], Hashable],
        collate: Callable[[Sequence[Sample]], Any],
        load: Callable[[int], Sample | None],
    ):
        super().__init__(samples)
        self.batch_size = batch_size
        self.group = group
        self.collate = collate
        self.load = load

    def __iter__(self) -> "_GroupedIterator":
        return _GroupedIterator(self, iter(self._parent))


class _GroupedIterator(grain.DatasetIterator):
    def __init__(self, dataset: Grouped, parent: grain.DatasetIterator):
        super().__init__(parent)
        self.dataset = dataset
        self._forget()

    def __next__(self) -> Any:
        while True:
            sample = next(self._parent)
            group = self._waiting[self.dataset.group(sample)]
            group.append(sample)
            if len(group) == self.dataset.batch_size:
                batch = self.dataset.collate(group)
                group.clear()
                return batch

    def get_state(self) -> dict[str, Any]:
        waiting = [
            int(s["position"]) for group in self._waiting.values() for s in group
        ]
        return {_PARENT: self._parent.get_state(), _WAITING: sorted(waiting)}

    def set_state(self, state: dict[str, Any]) -> None:
        self._parent.set_state(state[_PARENT])
        self._forget()
        for position in state[_WAITING]:
            sample = self.dataset.load(position)
            if sample is not None:
                self._waiting[self.dataset.group(sample)].append(sample)

    def _forget(self) -> None:
        self._waiting: dict[Hashable, list[Sample]] = collections.defaultdict(list)
