"""The processes that share an evaluation: detections in the order of one process."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from odapi.data.loader.pipeline import Pipeline
from odapi.data.loader.sharded import evaluation_share
from odapi.inference.model import EvaluationModel
from odapi.runtime.distribution.strategy import Strategy
from odapi.runtime.interrupts import Interrupted
from odapi.structures import Batch

_END, _INTERRUPTED = "end", "interrupted"


class Detected(NamedTuple):
    """A batch with its detections, by field, and the parts of its loss."""

    batch: Batch
    found: dict[str, np.ndarray]
    losses: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Processes:
    """The processes that share an evaluation.

    Args:
        strategy: Connects them.
        is_interrupted: Whether a signal asks this process to end; asked if there are
            several.
    """

    strategy: Strategy = dataclasses.field(default_factory=Strategy)
    is_interrupted: Callable[[], bool] = lambda: False

    def detect(
        self,
        model: EvaluationModel,
        dataset: Iterable[Batch],
        is_full: Callable[[], bool],
    ) -> Iterator[Detected]:
        """Yields the detections of a dataset, in process 0; none in the others.

        Of several processes, each detects every n-th batch. Images and groundtruth of
        the others stay there: process 0 reads them from the source.

        Args:
            model: The compiled detector.
            dataset: One pass over batches; of several processes, a `Pipeline`.
            is_full: Whether there are enough images.

        Raises:
            Interrupted: One of several processes was asked to end; raised in all.
        """
        number = self.strategy.num_processes
        if number > 1 and isinstance(dataset, Pipeline):
            own = evaluation_share(dataset, self.strategy.process_id, number)
            yield from self._gathered(_detected(model, own), is_full)
            return
        for detected in _detected(model, dataset):
            yield detected
            if is_full():
                return

    def _gathered(
        self, own: Iterator[Detected], is_full: Callable[[], bool]
    ) -> Iterator[Detected]:
        while True:
            mine = next(own, None)
            packed = None if mine is None else _packed(mine)
            turn = self.strategy.gather([packed, self.is_interrupted()])
            some = [_unpacked(item) for item, _ in turn if item is not None]
            for detected in some:
                if not is_full():
                    yield detected
            now = self.strategy.on_chief(functools.partial(_state, turn, is_full))
            if now == _INTERRUPTED:
                raise Interrupted
            if now == _END:
                return


def _detected(model: EvaluationModel, batches: Iterable[Batch]) -> Iterator[Detected]:
    for batch in batches:
        found, losses = model.run(
            batch.images, batch.info.true_size, batch.groundtruth, batch.side_inputs
        )
        yield Detected(batch, found, losses)


def _state(turn: list[Any], is_full: Callable[[], bool]) -> str:
    """Returns how an evaluation goes on; "": with the next batches."""
    if any(is_interrupted for _, is_interrupted in turn):
        return _INTERRUPTED
    is_over = all(item is None for item, _ in turn)
    return _END if is_over or is_full() else ""


def _packed(detected: Detected) -> list[Any]:
    batch, found, losses = detected
    real = None if batch.real is None else np.asarray(batch.real)
    return [list(batch.image_ids), real, dict(found), losses]


def _unpacked(item: list[Any]) -> Detected:
    ids, real, found, losses = item
    nothing: Any = None
    batch = Batch(nothing, nothing, nothing, tuple(ids), real)
    return Detected(batch, found, losses)
