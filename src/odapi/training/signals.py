"""Ctrl-C and SIGTERM: the first asks to save and end, the second aborts."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class StopRequest:
    """Catches the signals while it is entered; only in the main thread.

    `requested` is True after the first signal, `aborted` after the second. Inside of
    `interruptible`, where nothing is lost by it, the first signal raises
    KeyboardInterrupt at once.

    Args:
        tell: Called with a line for the user on the first signal.
    """

    def __init__(self, tell: Callable[[str], None]):
        self.requested = False
        self.aborted = False
        self._tell = tell
        self._interruptible = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within it, the first signal raises KeyboardInterrupt."""
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
        self._tell(f"{name}: saving after this step, then ending; again aborts at once")
