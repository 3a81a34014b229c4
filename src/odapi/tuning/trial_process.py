"""Trainings of trials, each in a process of its own.

A process gives its memory back when it ends, also that of the accelerator, and a trial
that runs out of memory does not end the search.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Protocol

_LAST_BYTES = 20_000  # Of a log.
_ERROR = re.compile(r"^(\w+(?:\.\w+)*(?:Error|Exception|Interrupt)\b.*)$", re.MULTILINE)
_MEMORY = re.compile(
    r"out of memory|RESOURCE_EXHAUSTED|ResourceExhausted|MemoryError|OutOfMemory"
)


class TrialProcess(Protocol):
    """A training that runs."""

    def poll(self) -> int | None:
        """Returns the exit code; None while it runs."""

    def interrupt(self) -> None:
        """Asks it to save and end; may be called again."""

    def kill(self) -> None:
        """Ends it immediately."""

    def failure(self) -> str:
        """Returns why it failed, in one line; it has ended."""


class TrainProcess:
    """`odapi train` in a process, whose output goes to a file.

    It ends when this process ends.

    Args:
        arguments: Arguments of `odapi train`.
        log: The output is added to this file.
    """

    def __init__(self, arguments: Sequence[str], log: pathlib.Path):
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "odapi.cli.trial", str(os.getpid()), "train"]
        with open(log, "ab") as output:
            # Its own session: Ctrl-C reaches the search only, which ends the trials.
            self._process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def poll(self) -> int | None:
        """Returns the exit code; None while it runs."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Sends SIGTERM, after which a training saves its step and ends."""
        if self.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the process immediately."""
        self._process.kill()
        self._process.wait()

    def failure(self) -> str:
        """Returns the last error in the log, or the signal that ended the process."""
        code, log = self.poll(), last_text(self._log)
        errors = _ERROR.findall(log)
        error = errors[-1] if errors else ""
        if _MEMORY.search(log):
            return f"out of memory: {error}" if error else "out of memory"
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            why = ", which the system sends when memory runs out" if code == -9 else ""
            return f"was ended by {name}{why}"
        return error or f"ended with exit code {code}"


def last_text(file: pathlib.Path) -> str:
    """Returns the end of a text file; "" if it cannot be read."""
    try:
        with open(file, "rb") as opened:
            opened.seek(max(0, file.stat().st_size - _LAST_BYTES))
            return opened.read().decode("utf-8", "replace")
    except OSError:
        return ""
