"""Ctrl-C and SIGTERM: the first signal asks to save and end, the second aborts."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import keras

from odapi.training.run_state import INTERRUPTED, RunState


class StopSignal(keras.callbacks.Callback):
    """Catches the signals while it is entered, and ends the run after the step.

    Signals are caught in the main thread only. Within `interruptible`, where nothing
    is lost by it, the first signal raises KeyboardInterrupt immediately.

    Args:
        state: State of the run.
        note: Gets a line for the user on the first signal.

    Attributes:
        requested: True after the first signal.
        aborted: True after the second signal.
    """

    def __init__(self, state: RunState, note: Callable[[str], None]):
        super().__init__()
        self.state = state
        self.requested = False
        self.aborted = False
        self._note = note
        self._interruptible = False
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._caught)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._handlers = {}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends the run if a signal has come."""
        if self.requested and self.state.step < self.state.plan.num_steps:
            self.state.end(self.model, INTERRUPTED)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within this context, the first signal raises KeyboardInterrupt."""
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            self.aborted = True
            raise KeyboardInterrupt
        self.requested = True
        if self._interruptible:
            raise KeyboardInterrupt
        name = signal.Signals(number).name
        self._note(
            f"{name}: stopping after this step and saving; a second signal aborts"
        )
