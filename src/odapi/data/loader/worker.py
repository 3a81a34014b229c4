"""The program of a data process: `python -m odapi.data.loader.worker`.

Started by `odapi.data.loader.processes`, which sends what makes batches, then their
numbers, and receives one batch per number. It exits when its input is closed.
"""

import itertools
import os
import pickle
import signal
from typing import Any

from odapi.data.loader.messages import Writable, receive, send
from odapi.errors import DataError

# Maximum number of batches of a process in progress or waiting to be read.
MAX_PENDING = 2
# Kinds of answers.
READY, FAILED, BATCH, UNUSABLE = "ready", "failed", "batch", "unusable"


def main() -> None:
    """Answers requests until the input is closed."""
    # Ctrl-C reaches all processes; the main one decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    questions = open(0, "rb", buffering=0, closefd=False)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # Output of libraries must not mix with the answers.
    try:
        _serve(questions, answers)
    except (EOFError, BrokenPipeError):
        pass


def _serve(questions: Any, answers: Any) -> None:
    from odapi.data.loader.malloc import keep_freed_memory

    keep_freed_memory()
    pickled = receive(questions)
    try:
        load = pickle.loads(pickled)
    except Exception as error:
        send(answers, (FAILED, f"{type(error).__name__}: {error}"))
        return
    found: list[tuple[Any, ...]] = []
    load.problems.tell = lambda *problem: found.append(problem)
    memory = [Writable() for _ in range(MAX_PENDING)] if os.name == "posix" else []
    send(answers, (READY, [part.path for part in memory]))
    for turn in itertools.count():
        number = receive(questions)
        try:
            kind, answer = BATCH, load(number)
        except DataError as error:
            kind, answer = UNUSABLE, (error.place, error.problem, error.hint)
        arrays = memory[turn % MAX_PENDING] if memory else None
        send(answers, (kind, answer, tuple(found)), arrays)
        found.clear()


if __name__ == "__main__":
    main()
