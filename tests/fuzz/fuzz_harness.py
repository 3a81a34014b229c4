"""Runs readers on damaged inputs; the only outcomes allowed are success and OdapiError.

A case fails if it ends with another exception or warning, takes more than 10 s of CPU
time, lets the process grow by more than 2 GB, or writes outside its folder.
"""

import contextlib
import dataclasses
import io
import os
import pathlib
import resource
import shutil
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable

import numpy as np

from odapi.errors import OdapiError

MAX_SECONDS = 10
MAX_GROWTH = 2 << 30


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of input.

    Args:
        write: Writes a sound input into an empty folder.
        damage: Changes it, given the folder and a random generator.
        read: Reads it in the folder, as a user's command does.
    """

    write: Callable[[pathlib.Path], None]
    damage: Callable[[pathlib.Path, np.random.Generator], None]
    read: Callable[[pathlib.Path], None]


@dataclasses.dataclass
class Outcomes:
    """Counts of one kind, and the cases that failed as (number, why)."""

    read: int = 0
    refused: int = 0
    failed: list[tuple[int, str]] = dataclasses.field(default_factory=list)


class _HangError(BaseException):
    """Raised by the timer; no `except Exception` may catch it."""


def run(kind, cases, seed, first=0):
    """Runs a kind on damaged inputs and returns the outcomes.

    Args:
        kind: The kind.
        cases: Number of cases.
        seed: Of all cases; a case is repeated by its number and the seed.
        first: Number of the first case.
    """
    found = Outcomes()
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        sound, folder = root / "sound", root / "case"
        sound.mkdir()
        kind.write(sound)
        for number in range(first, first + cases):
            shutil.copytree(sound, folder, symlinks=True)
            rng = np.random.default_rng([seed, number])
            kind.damage(folder, rng)
            why = _failure(kind, folder, found)
            outside = sorted({p.name for p in root.iterdir()} - {"sound", "case"})
            if outside:
                why = f"wrote {outside} outside its folder"
                [(root / other).unlink() for other in outside]
            if why:
                found.failed.append((number, why))
            shutil.rmtree(folder)
    return found


def _failure(kind, folder, found):
    """Reads one case; returns why it failed, or ""."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with _limits(), _inside(folder), warnings.catch_warnings():
            warnings.simplefilter("error")
            # Of configs and label maps: a field given twice.
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("ignore", ResourceWarning)
            kind.read(folder)
        found.read += 1
    except OdapiError as error:
        found.refused += 1
        if not str(error).strip() or len(str(error)) > 10_000:
            return f"message of {len(str(error))} characters"
    except _HangError:
        return f"took more than {MAX_SECONDS} s"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        inner = [
            f
            for f in traceback.extract_tb(error.__traceback__)
            if "odapi" in f.filename
        ]
        at = (inner or [last])[-1]
        place = f"{pathlib.Path(at.filename).name}:{at.lineno}"
        return f"{type(error).__name__} at {place}: {str(error)[:200]}"
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return f"grew by {growth >> 10} MB" if growth << 10 > MAX_GROWTH else ""


@contextlib.contextmanager
def _limits():
    """Interrupts what takes too much CPU time, which other processes do not change."""

    def interrupt(number, frame):
        raise _HangError

    previous = signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


@contextlib.contextmanager
def _inside(folder):
    """Makes a folder the current one and catches what is printed."""
    present = os.getcwd()
    os.chdir(folder)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            yield
    finally:
        os.chdir(present)
