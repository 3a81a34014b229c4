"""Times the training steps of a compiled detector."""

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Step(NamedTuple):
    """Loss of a step, its seconds by the clock, and of CPU time of all threads."""

    loss: float
    seconds: float
    cpu: float

    @property
    def ms(self) -> tuple[float, float]:
        """Milliseconds by the clock and of CPU time."""
        return 1e3 * self.seconds, 1e3 * self.cpu


def timed_fit(
    detector: Any, batches: Iterable[Any], steps: int, callbacks: Sequence[Any] = ()
) -> list[Step]:
    """Trains `steps` steps. The first one includes what `fit` does before it.

    Callbacks are called before the clock is read, and so are measured.
    """
    import keras

    rows = []
    last = time.perf_counter(), time.process_time()

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            nonlocal last
            loss = float(logs["loss"])  # Waits for the step.
            now = time.perf_counter(), time.process_time()
            rows.append(Step(loss, now[0] - last[0], now[1] - last[1]))
            last = now

    detector.fit(
        batches,
        steps_per_epoch=steps,
        callbacks=[*callbacks, Clock()],
        verbose=0,
        shuffle=False,
    )
    return rows
