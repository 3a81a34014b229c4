"""From batches of the input pipeline to what `fit` takes, and which one is where."""

import collections
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from odapi.structures import present


class Fed(NamedTuple):
    """What is known of a batch that was handed to `fit`."""

    image_ids: tuple[str, ...]
    state: Any  # Position of the pipeline after this batch.
    ready: float  # time.monotonic() when it was there.


class Feed:
    """Hands batches to `fit`, which may take several ahead of the one it works on.

    So the position of the pipeline itself is ahead of the training. `next_done`
    tells, in order, what belongs to the batch whose step was just done: only its
    position may go into a checkpoint.

    Args:
        pipeline: Endless, with `get_state()`.
    """

    def __init__(self, pipeline: Any):
        self.pipeline = pipeline
        self.sample: Any = None  # The first batch, until it was shown.
        self._started = self._closed = False
        self._taken: collections.deque[Fed] = collections.deque()
        self._error: BaseException | None = None

    def batches(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yields (x, y) as a detector takes them."""
        try:
            for batch in self.pipeline:
                if not self._started:
                    self.sample, self._started = batch, True
                x = {"images": batch.images}
                if getattr(self.pipeline, "pads", True):
                    x["true_size"] = batch.info.true_size
                x |= batch.side_inputs or {}
                y = present(batch.groundtruth)
                self._taken.append(
                    Fed(
                        tuple(batch.image_ids),
                        self.pipeline.get_state(),
                        time.monotonic(),
                    )
                )
                yield x, {name: np.asarray(value) for name, value in y.items()}
                if self._closed:
                    return
        except Exception as error:
            # TensorFlow would report it as its own, without type and message.
            self._error = error
            raise

    def next_done(self) -> Fed:
        """Returns what belongs to the batch of the step that is now done."""
        return self._taken.popleft()

    def close(self) -> None:
        """Reads no further batch: whoever asks ahead gets none."""
        self._closed = True

    def raise_own_error(self) -> None:
        """Raises the error that ended the pipeline, if one did."""
        if self._error is not None:
            raise self._error
