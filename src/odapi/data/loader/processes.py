"""Batches made by processes, where one interpreter is not enough.

Threads of one process take turns with the interpreter between any two calls of OpenCV
or NumPy, which costs about what a second thread brings. Processes take turns with
nobody, and whole batches keep the first process free for the model.
"""

import dataclasses
import os
import pickle
import subprocess
import sys
import threading
from typing import IO, Any

from odapi.data.loader import worker
from odapi.data.loader.load import LoadBatch
from odapi.data.loader.messages import Readable, receive, send
from odapi.errors import DataError, OdapiError
from odapi.structures import Batch

_PLACE = "options.data_loading.processes"


class ProcessError(OdapiError):
    """A process that makes batches could not start, or has ended."""


class Processes:
    """Calls a `LoadBatch` in other processes; safe to use from many threads.

    Which process makes a batch changes nothing about it.

    Args:
        load: What each of them calls, with its part of the memory for a cache.
        number: Of processes, 1 or more.

    Raises:
        ProcessError: The source or an augmentation cannot be sent to them.
    """

    def __init__(self, load: LoadBatch, number: int):
        self._problems = load.collate.problems
        part = dataclasses.replace(load, load=load.load.part(number))
        try:
            pickled = pickle.dumps(part, protocol=5)
        except Exception as error:
            raise ProcessError(
                _PLACE,
                f"the data cannot be sent to other processes: {error}",
                hint="set it to 0, which reads them by threads",
            ) from error
        self._processes = [_Process(pickled) for _ in range(number)]
        try:
            for process in self._processes:
                process.check()
        except BaseException:
            self.close()
            raise

    def __call__(self, number: int) -> Batch:
        """Returns the batch with a number, counted from 0.

        Raises:
            DataError: Not one sample can be read.
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
        """Ends the processes."""
        for process in self._processes:
            process.close()


class _Process:
    """A running `odapi.data.loader.worker`."""

    def __init__(self, load: bytes):
        self._running = subprocess.Popen(
            [sys.executable, "-m", worker.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            # Whatever this process can import, it can.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._questions: IO[bytes] = self._running.stdin  # type: ignore[assignment]
        self._answers: IO[bytes] = self._running.stdout  # type: ignore[assignment]
        self._memory: list[Readable] = []
        self._room = threading.Semaphore(worker.IN_TURN)
        self._turn = threading.Condition()
        self._asked = self._answered = 0
        self._closed = False
        send(self._questions, load)

    def check(self) -> None:
        """Waits until it is ready."""
        kind, what = self._receive(None)
        if kind == worker.FAILED:
            raise ProcessError(
                _PLACE,
                f"the data cannot be read in another process: {what}",
                hint="classes and functions must come from a module, not from the "
                "program itself; or set it to 0, which reads them by threads",
            )
        self._memory = [Readable(path) for path in what]

    def ask(self, number: int) -> Any:
        """Returns the answer to a number; answers come in the order of questions."""
        with self._room:
            if self._closed:
                raise self._ended()
            with self._turn:
                try:
                    send(self._questions, number)
                except OSError:
                    raise self._ended() from None
                turn, self._asked = self._asked, self._asked + 1
                self._turn.wait_for(lambda: self._answered == turn)
            # Nobody else reads meanwhile, and others may ask.
            memory = self._memory[turn % worker.IN_TURN] if self._memory else None
            try:
                return self._receive(memory)
            finally:
                with self._turn:
                    self._answered += 1
                    self._turn.notify_all()

    def close(self) -> None:
        """Ends it; what it is doing is lost."""
        self._running.kill()
        self._running.wait()
        # Who waits for an answer finds the end of the pipe; then nobody is left.
        for _ in range(worker.IN_TURN):
            self._room.acquire()
        for pipe in (self._questions, self._answers):
            pipe.close()
        for memory in self._memory:
            memory.close()
        self._closed = True
        self._room.release(worker.IN_TURN)

    def _receive(self, memory: Readable | None) -> Any:
        try:
            return receive(self._answers, memory)
        except (EOFError, OSError):
            raise self._ended() from None

    def _ended(self) -> ProcessError:
        code = self._running.wait()
        return ProcessError(
            _PLACE,
            f"a process that makes batches has ended with code {code}",
            hint="its message is above, if it had one; -9 is often too little memory: "
            "take fewer processes, or a smaller options.data_loading.cache_mb",
        )
