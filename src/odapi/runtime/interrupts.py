"""Ctrl-C and SIGTERM: caught wherever the program is, and never lost.

This module imports the standard library only: it is used before all else is imported.
"""

import _thread
import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_AGAIN_SECONDS = 0.05  # Until a signal that was swallowed is raised again.
_GRACE_SECONDS = 5.0  # For native code, which Python cannot interrupt.
_POLL_SECONDS = 0.2


class Interrupted(KeyboardInterrupt):
    """A signal asked the program to end."""

    def __init__(self, number: int = signal.SIGINT):
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interrupts:
    """Catches SIGINT and SIGTERM while it is entered, in the main thread only.

    A signal raises `Interrupted`. Within a shield, the first one is only recorded, so
    that work can be finished and saved; the second raises.

    Attributes:
        requested: True after the first signal.
        aborted: True after the second signal.
        number: The last signal.
        note: Gets a line for the user when a signal is recorded only.
    """

    _last_number: int | None = None  # Of all objects, which may be nested.
    _shields = 0  # Of all objects.

    def __init__(self) -> None:
        self.requested = self.aborted = False
        self.number: int = signal.SIGINT
        self.note: Callable[[str], None] = lambda text: None
        self._is_shielded = self._is_raised_again = False
        self._handlers: dict[int, Any] = {}
        self._hook: Any = None

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._handlers[number] = signal.signal(number, self._caught)
            self._hook, sys.unraisablehook = sys.unraisablehook, self._swallowed
        return self

    def __exit__(self, *error: object) -> None:
        self.unshield()
        if self._handlers:
            sys.unraisablehook = self._hook
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def check(self) -> None:
        """Raises `Interrupted` after a signal, wherever its error was swallowed."""
        if self.requested:
            raise Interrupted(self.number)

    def shield(self) -> None:
        """From now on, the first signal is only recorded."""
        if not self._is_shielded:
            self._is_shielded = True
            Interrupts._shields += 1

    def unshield(self) -> None:
        """Ends the shield, if there is one."""
        if self._is_shielded:
            self._is_shielded = False
            Interrupts._shields -= 1

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within this context, every signal raises, also one that has come before."""
        was_shielded = self._is_shielded
        self.unshield()
        try:
            self.check()
            yield
        finally:
            if was_shielded:
                self.shield()

    def _caught(self, number: int, frame: FrameType | None) -> None:
        self.number = Interrupts._last_number = number
        if self._is_raised_again:
            self._is_raised_again = False
        elif self.requested:
            self.aborted = True
        else:
            self.requested = True
        if self.aborted or not self._is_shielded:
            raise Interrupted(number)
        name = signal.Signals(number).name
        self.note(
            f"{name}: stopping after this step and saving; a second signal aborts"
        )

    def _swallowed(self, unraisable: Any) -> None:
        """Raises a signal again that came in a callback of native code.

        Python ignores errors there, as in the garbage collection callbacks of JAX.
        """
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._hook(unraisable)
            return
        self._is_raised_again = True
        again = threading.Timer(
            _AGAIN_SECONDS, _thread.interrupt_main, (int(self.number),)
        )
        again.daemon = True
        again.start()


def last_signal() -> int | None:
    """Returns the last signal that an `Interrupts` object caught, or None."""
    return Interrupts._last_number


class ExitWatch:
    """Ends the process if a signal has no effect, for commands.

    Python handles signals between two of its instructions only; compilation by XLA,
    for example, is one instruction. A thread ends the process some seconds after a
    signal unless work is shielded (see `Interrupts`), and after a second signal in any
    case.
    """

    def __init__(self) -> None:
        self._stderr = os.dup(2)  # Standard error may be held back meanwhile.
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def __enter__(self) -> "ExitWatch":
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._wait, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        """Does nothing: after a signal, the end of the process is watched too."""

    def _wait(self) -> None:
        number, count, since = 0, 0, 0.0
        while True:
            timeout = _POLL_SECONDS if count else None
            if select.select([self._read], [], [], timeout)[0]:
                got = [n for n in os.read(self._read, 64) if n in SIGNALS]
                if got:
                    number, count, since = got[-1], count + len(got), time.monotonic()
            if not count:
                continue
            if Interrupts._shields and count == 1:
                since = time.monotonic()
            elif time.monotonic() - since > _GRACE_SECONDS:
                with contextlib.suppress(OSError):
                    os.write(self._stderr, b"Interrupted.\n")
                os._exit(128 + number)
