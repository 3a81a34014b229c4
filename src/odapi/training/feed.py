"""From batches of the input pipeline to what `fit` takes, and which one is where."""

import collections
import itertools
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
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
                x = {"images": batch.images, "true_size": batch.info.true_size}
                y = present(batch.groundtruth)
                x, y = ({n: np.asarray(v) for n, v in d.items()} for d in (x, y))
                self._taken.append(
                    Fed(
                        tuple(batch.image_ids),
                        self.pipeline.get_state(),
                        time.monotonic(),
                    )
                )
                yield x, y
                if self._closed:
                    return
        except Exception as error:
            # TensorFlow would report it as its own, without type and message.
            self._error = error
            raise

    def next_done(self) -> Fed:
        """Returns what belongs to the batch of the step that is now done."""
        return self._taken.popleft()

    def for_fit(self, sizes_vary: bool) -> Any:
        """Returns the batches in the form that suits the backend.

        Keras tells TensorFlow of a generator only that its batches have some size.
        With the size, the step is traced and optimised in three quarters of the time.

        Args:
            sizes_vary: Whether images of several batches differ in size.
        """
        if keras.backend.backend() != "tensorflow":
            return self.batches()
        import tensorflow as tf

        batches = self.batches()
        first = next(batches)
        free = {"images": (1, 2)} if sizes_vary else {}

        def spec(name: str, value: np.ndarray) -> tf.TensorSpec:
            shape = list(value.shape)
            for axis in free.get(name, ()):
                shape[axis] = None
            return tf.TensorSpec(shape, value.dtype)

        signature = tuple({n: spec(n, v) for n, v in part.items()} for part in first)
        return tf.data.Dataset.from_generator(
            lambda: itertools.chain([first], batches), output_signature=signature
        ).prefetch(2)

    def close(self) -> None:
        """Reads no further batch: whoever asks ahead gets none."""
        self._closed = True

    def raise_own_error(self) -> None:
        """Raises the error that ended the pipeline, if one did."""
        if self._error is not None:
            raise self._error
