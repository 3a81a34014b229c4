"""Data processes: batches made by other interpreters.

Threads of one process contend for the interpreter lock between calls of OpenCV or
NumPy, which costs about what a second thread gains. Processes do not, and whole
batches keep the first process free for the model.

Our own processes instead of `multiprocessing`, whose spawn imports the user's main
script again and whose shared memory can outlive killed processes; its pipe took 110 ms
for a batch of 8 x 640 x 640, ours 8 ms.
"""

import os
import pickle
import subprocess
import sys
import threading
from typing import IO, Any, Protocol

from odapi.data.loader import worker
from odapi.data.loader.messages import Readable, receive, send
from odapi.data.problems import Problems
from odapi.errors import DataError, OdapiError

_PLACE = "options.data_loading.processes"
# How to do without other processes, by the option that sets their number.
_WITHOUT = {_PLACE: "set it to 0, which uses threads", "--workers": "set it to 1"}
_LESS_MEMORY = {
    _PLACE: ", or a smaller options.data_loading.cache_mb",
    "--workers": "",
}


class ProcessError(OdapiError):
    """A data process could not start, or has ended."""


class Work(Protocol):
    """Work in numbered batches, such as `LoadBatch`; it can be pickled."""

    @property
    def problems(self) -> Problems:
        """Counts what is found in all processes."""

    def part(self, number: int) -> "Work":
        """Returns what each of `number` processes gets."""

    def __call__(self, number: int) -> Any:
        """Returns the batch with a number; raises DataError if there is none."""


class Processes:
    """Does work in other processes. Thread-safe.

    The batches do not depend on the process that makes them.

    Args:
        load: Called by each process, which gets a part of it.
        number: Number of processes, 1 or more.
        place: Option that sets the number, for errors.

    Raises:
        ProcessError: The source or an augmentation cannot be pickled.
    """

    def __init__(self, load: Work, number: int, place: str = _PLACE):
        self._problems = load.problems
        try:
            pickled = pickle.dumps(load.part(number), protocol=5)
        except Exception as error:
            raise ProcessError(
                place,
                f"the dataset cannot be pickled for other processes: {error}",
                hint=_WITHOUT[place],
            ) from error
        self._processes = [_Process(pickled, place) for _ in range(number)]
        try:
            for process in self._processes:
                process.check()
        except BaseException:
            self.close()
            raise

    def __call__(self, number: int) -> Any:
        """Returns the batch with a number, counted from 0.

        Raises:
            DataError: No sample can be read.
            ProcessError: The process has ended.
        """
        process = self._processes[number % len(self._processes)]
        kind, answer, problems = process.ask(number)
        for problem in problems:
            self._problems.add(*problem)
        if kind == worker.UNUSABLE:
            raise DataError(*answer)
        return answer

    def close(self) -> None:
        """Stops the processes."""
        for process in self._processes:
            process.close()


class _Process:
    """A running `odapi.data.loader.worker`."""

    def __init__(self, load: bytes, place: str):
        self._place = place
        self._running = subprocess.Popen(
            [sys.executable, "-m", worker.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            # It can import whatever this process can.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._questions: IO[bytes] = self._running.stdin  # type: ignore[assignment]
        self._answers: IO[bytes] = self._running.stdout  # type: ignore[assignment]
        self._memory: list[Readable] = []
        self._slots = threading.Semaphore(worker.MAX_PENDING)
        self._turn = threading.Condition()
        self._asked = self._answered = 0
        self._closed = False
        send(self._questions, load)

    def check(self) -> None:
        """Waits until the process is ready."""
        kind, what = self._receive(None)
        if kind == worker.FAILED:
            raise ProcessError(
                self._place,
                f"the dataset cannot be unpickled in another process: {what}",
                hint="classes and functions must be defined in a module, not in the "
                f"main script; or {_WITHOUT[self._place]}",
            )
        self._memory = [Readable(path) for path in what]

    def ask(self, number: int) -> Any:
        """Returns the batch of a number; answers come in the order of requests."""
        with self._slots:
            if self._closed:
                raise self._ended()
            with self._turn:
                try:
                    send(self._questions, number)
                except OSError:
                    raise self._ended() from None
                turn, self._asked = self._asked, self._asked + 1
                self._turn.wait_for(lambda: self._answered == turn)
            # No other thread reads now, but others may send requests.
            memory = self._memory[turn % worker.MAX_PENDING] if self._memory else None
            try:
                return self._receive(memory)
            finally:
                with self._turn:
                    self._answered += 1
                    self._turn.notify_all()

    def close(self) -> None:
        """Kills the process; its current work is lost."""
        self._running.kill()
        self._running.wait()
        # Waiting threads reach the end of the pipe and release their slots.
        for _ in range(worker.MAX_PENDING):
            self._slots.acquire()
        for pipe in (self._questions, self._answers):
            pipe.close()
        for memory in self._memory:
            memory.close()
        self._closed = True
        self._slots.release(worker.MAX_PENDING)

    def _receive(self, memory: Readable | None) -> Any:
        try:
            return receive(self._answers, memory)
        except (EOFError, OSError):
            raise self._ended() from None

    def _ended(self) -> ProcessError:
        code = self._running.wait()
        return ProcessError(
            self._place,
            f"a data process ended with exit code {code}",
            hint="see its message above, if any; -9 often means out of memory: "
            f"use fewer processes{_LESS_MEMORY[self._place]}",
        )
