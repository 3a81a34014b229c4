"""Converts batches of the input pipeline to what `fit` takes, in the order of steps."""

import collections
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from odapi.data.loader.pipeline import Pipeline
from odapi.structures import Batch, model_inputs, present

Pair = tuple[dict[str, Any], dict[str, Any]]


def as_pair(batch: Batch, pads: bool = True) -> Pair:
    """Returns a batch as `fit` takes it: inputs and groundtruth, arrays by name.

    Args:
        batch: A training batch.
        pads: False leaves the true sizes out: no image is padded.
    """
    truth = present(batch.groundtruth)
    return model_inputs(batch, pads), {k: np.asarray(v) for k, v in truth.items()}


def first_pair(pipeline: Pipeline) -> Pair:
    """Returns the first batch of training data, whose position stays."""
    with pipeline.from_start() as other:
        return as_pair(next(other), pipeline.pads)


class FedBatch(NamedTuple):
    """Facts about a batch that was handed to `fit`."""

    image_ids: tuple[str, ...]
    position: Any  # Position of the pipeline after this batch.
    ready: float  # time.monotonic() when the batch was ready.
    inputs: Mapping[str, Any] = {}  # The batch itself, as the detector takes it.
    groundtruth: Mapping[str, Any] = {}


class Prefetcher:
    """Hands batches to `fit`, which may read several batches ahead of its step.

    The position of the pipeline is therefore ahead of the training. `next_done`
    returns, in order, the facts of the batch whose step has just finished: only its
    position may be saved in a checkpoint.

    Args:
        pipeline: Endless batches, with `get_state()`.

    Attributes:
        first_batch: The first batch of this run, until `take_first_batch`.
    """

    def __init__(self, pipeline: Any):
        self.pipeline = pipeline
        self.first_batch: Batch | None = None
        self._is_started = self._is_closed = False
        self._in_flight: collections.deque[FedBatch] = collections.deque()
        self._error: BaseException | None = None

    def batches(self) -> Iterator[Pair]:
        """Yields pairs (x, y) as a detector takes them."""
        try:
            for batch in self.pipeline:
                if not self._is_started:
                    self.first_batch, self._is_started = batch, True
                x, y = as_pair(batch, getattr(self.pipeline, "pads", True))
                ids, position = tuple(batch.image_ids), self.pipeline.get_state()
                self._in_flight.append(FedBatch(ids, position, time.monotonic(), x, y))
                yield x, y
                if self._is_closed:
                    return
        except Exception as error:
            # TensorFlow would replace it by an error without type and message.
            self._error = error
            raise

    def next_done(self) -> FedBatch:
        """Returns the facts of the batch whose step has just finished."""
        return self._in_flight.popleft()

    def take_first_batch(self) -> Batch | None:
        """Returns the first batch of this run once; None afterwards."""
        batch, self.first_batch = self.first_batch, None
        return batch

    def close(self) -> None:
        """Stops reading: a thread that reads ahead gets no further batch."""
        self._is_closed = True

    def raise_own_error(self) -> None:
        """Raises the error that ended the pipeline, if there was one."""
        if self._error is not None:
            raise self._error
