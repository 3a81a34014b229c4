"""Messages between the processes of a JAX training, through its coordinator.

JAX's coordination service holds small values by key. They reach all processes, on
whatever device these compute, and need no equal shapes.
"""

import time
from collections.abc import Callable
from typing import Any

from odapi.errors import ClusterError
from odapi.runtime.compat import JaxKeyValues, KeyValuesError
from odapi.runtime.distribution.packing import pack, unpack

_POLL_SECONDS = 0.5  # A signal is handled in between.
_LEAVE_SECONDS = 8.0
_END_SECONDS = 1.0  # Until a process has ended that says that it will.
_STOP, _FAILED, _LEFT = "odapi/stop", "odapi/failed", "odapi/left"


class Channel:
    """Values that all processes exchange; all of them make the same calls.

    Args:
        values: The coordination service.
        process_id: Number of this process.
        num_processes: Number of all.
    """

    def __init__(self, values: JaxKeyValues, process_id: int, num_processes: int):
        self._values = values
        self.process_id, self.num_processes = process_id, num_processes
        self._calls = self._steps = 0

    def gather(self, value: Any) -> list[Any]:
        """Returns the values of all processes in process 0, and [] in the others.

        Raises:
            ClusterError: Another process has ended.
        """
        key = self._next_key()
        if self.process_id:
            self._set(f"{key}/{self.process_id}", pack(value))
            return []
        found = [value]
        for process in range(1, self.num_processes):
            place = f"{key}/{process}"
            found.append(unpack(self._get(place, process)))
            self._values.delete(place)
        return found

    def broadcast(self, function: Callable[[], Any]) -> Any:
        """Returns what the function returns in process 0, where alone it is called.

        Raises:
            ClusterError: Another process has ended.
        """
        key = self._next_key()
        if self.process_id:
            return unpack(self._get(key, 0))
        value = function()
        packed = pack(value)
        self._set(key, packed)
        # As the others get it.
        return unpack(packed)

    def should_stop(self, reason: str) -> str:
        """See `Strategy.should_stop`.

        A process that is asked to end after step s names step s + 1. No process can be
        done with that step before this one has begun it, and hence named it: all of
        them read it after that step at the latest, and end there.

        Raises:
            ClusterError: Another process has ended.
        """
        self._steps += 1
        try:
            named = self._values.get(_STOP)
            if named is None and reason:
                named = pack({"step": self._steps + 1, "reason": reason})
                self._values.set(_STOP, named, replace=True)
        except KeyValuesError as error:
            raise lost() from error
        if named is None:
            return ""
        stop = unpack(named)
        return stop["reason"] if self._steps >= stop["step"] else ""

    def fail(self, message: str) -> None:
        """Tells the other processes that this one ends by an error."""
        failure = {"process": self.process_id, "message": message}
        self._values.set(_FAILED, pack(failure), replace=True)

    def failure(self, seconds: float) -> dict[str, Any] | None:
        """Waits for a process that ends by an error; None if there was none."""
        found = self._values.wait(_FAILED, seconds)
        return None if found is None else unpack(found)

    def leave(self) -> None:
        """Ends the part of this process after a failure.

        Process 0 has the messages, and waits until the others have read them.
        """
        if self.process_id:
            self._values.set(f"{_LEFT}/{self.process_id}", b"1", replace=True)
            return
        deadline = time.monotonic() + _LEAVE_SECONDS
        for process in range(1, self.num_processes):
            left = max(0.01, deadline - time.monotonic())
            self._values.wait(f"{_LEFT}/{process}", left)
        time.sleep(_END_SECONDS)

    def _next_key(self) -> str:
        self._calls += 1
        return f"odapi/{self._calls}"

    def _set(self, key: str, value: bytes) -> None:
        try:
            self._values.set(key, value)
        except KeyValuesError as error:
            raise lost() from error

    def _get(self, key: str, process: int) -> bytes:
        while True:
            try:
                found = self._values.wait(key, _POLL_SECONDS)
                failure = None if found is not None else self._values.get(_FAILED)
            except KeyValuesError as error:
                raise lost(process) from error
            if found is not None:
                return found
            if failure is not None:
                raise ended(unpack(failure))
            time.sleep(0)  # Handles signals.


def lost(process: int | None = None) -> ClusterError:
    """Returns the error for a process that has ended without a message."""
    return ClusterError(
        "another process" if process is None else f"process {process}",
        "has ended or cannot be reached, and this one ends with it",
        hint="see the messages of the other processes; the same command in all "
        "processes resumes from the last checkpoint",
    )


def ended(failure: dict[str, Any]) -> ClusterError:
    """Returns the error for a process that has ended by an error of its own."""
    return ClusterError(
        f"process {failure['process']}",
        f"has ended, and this one with it: {failure['message']}",
        hint="the same command in all processes resumes from the last checkpoint",
    )
