"""A tracker behind a bounded queue with a thread of its own.

A run hands its records over and continues, however long the tracker takes.
"""

import collections
import dataclasses
import pathlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from odapi.trackers.fail_safe import FailSafeTracker
from odapi.trackers.tracker import Parameter, Tracker
from odapi.wording import counted

CLOSE_SECONDS = 60.0

_MAX_RECORDS = 1000
_MAX_IMAGE_BYTES = 256_000_000
_ARTIFACT_BYTES_PER_SECOND = 1_000_000  # Of a slow connection.
_QUIET_SECONDS = 3.0  # Waiting for a tracker that takes longer is announced.

# What is dropped first when the queue is full; other records never are.
_DROPPED = ("images", "table", "scalars")


@dataclasses.dataclass
class _Record:
    method: str
    arguments: tuple[Any, ...]
    num_bytes: int = 0  # Of images, or of the files of an artifact.


class QueuedTracker:
    """Passes calls on to a tracker from a thread; never raises and never waits.

    The tracker is made in the thread, when the first record comes. If it fails, there
    is one warning, and it is off; see `FailSafeTracker`. If it is too slow, the oldest
    images are dropped, then tables and scalars, and counted. Warnings are shown by the
    thread that uses this object.

    Args:
        make: Creates the tracker; may fail, too.
        warn: Gets the warnings.
        name: Name of the tracker in the warnings.
        close_seconds: Maximum duration of `close`; artifacts add a second per MB.
        max_records: Capacity of the queue.
        max_image_bytes: Capacity of the queue for images.
        is_lazy: False also makes and closes the tracker of a run without records.
    """

    def __init__(
        self,
        make: Callable[[], Tracker],
        warn: Callable[[str], None],
        name: str = "tracking",
        close_seconds: float = CLOSE_SECONDS,
        max_records: int = _MAX_RECORDS,
        max_image_bytes: int = _MAX_IMAGE_BYTES,
        is_lazy: bool = True,
    ):
        self._make, self._warn, self.name = make, warn, name
        self._close_seconds = close_seconds
        self._max_records, self._max_image_bytes = max_records, max_image_bytes
        self._records: collections.deque[_Record] = collections.deque()
        self._changed = threading.Condition()
        self._warnings: collections.deque[str] = collections.deque()
        self._dropped: collections.Counter[str] = collections.Counter()
        self._thread: threading.Thread | None = None
        self._is_lazy, self._is_closing, self._is_closed = is_lazy, False, False

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Records scalars by name."""
        self._put("scalars", step, dict(values))

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Records images `[h, w, 3]` uint8 under a name."""
        size = sum(image.nbytes for image in images)
        self._put("images", step, tag, list(images), num_bytes=size)

    def text(self, tag: str, text: str) -> None:
        """Records a text under a name."""
        self._put("text", tag, text)

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """Records hyperparameters by name."""
        self._put("parameters", dict(values))

    def table(self, step: int, tag: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Records rows under a name."""
        self._put("table", step, tag, [dict(row) for row in rows])

    def artifact(self, name: str, path: pathlib.Path) -> None:
        """Records a file or folder, which must exist until `close` returns."""
        self._put("artifact", name, path, num_bytes=_size(path))

    def failed(self, reason: str) -> None:
        """Marks the run as failed, if it was recorded at all."""
        if self._thread is not None:
            self._put("failed", reason)

    def note(self, line: str) -> None:
        """Has a line shown by the thread of the run; called by the tracker."""
        self._warnings.append(line)

    def begin_closing(self) -> None:
        """Asks the tracker to close; returns at once. There must be no more records."""
        if not self._is_closing and (self._thread or not self._is_lazy):
            self._put("close")
        self._is_closing = True

    def close(self, at_most: float | None = None) -> None:
        """Waits until everything is recorded, but not longer than the time limit.

        Args:
            at_most: A shorter time limit in seconds.
        """
        self.begin_closing()
        if self._thread is None or self._is_closed:
            self._show_warnings()
            return
        limit = self._limit() if at_most is None else min(at_most, self._limit())
        try:
            self._wait(limit)
        finally:
            self._give_up(limit)

    def _limit(self) -> float:
        with self._changed:
            size = sum(r.num_bytes for r in self._records if r.method == "artifact")
        return self._close_seconds + size / _ARTIFACT_BYTES_PER_SECOND

    def _wait(self, limit: float) -> None:
        thread = self._thread
        if thread is None:
            return
        end = time.monotonic() + limit
        thread.join(min(_QUIET_SECONDS, limit))
        if thread.is_alive() and limit > _QUIET_SECONDS:
            left = sum(r.method != "close" for r in self._records)
            queued = f"{counted(left, 'record')} left, " if left else ""
            self._warn(f"Waiting for {self.name} ({queued}at most {limit:.0f} s) ...")
            thread.join(max(0.0, end - time.monotonic()))

    def _give_up(self, limit: float) -> None:
        """Stops the thread after the present call, and reports what is missing."""
        with self._changed:
            self._is_closed = True
            lost = sum(r.method != "close" for r in self._records)
            self._records.clear()
            self._changed.notify_all()
        self._show_warnings()
        if self._thread is not None and self._thread.is_alive():
            self._warn(
                f"warning: {self.name} did not finish within {limit:.0f} s; "
                f"{counted(lost, 'record')} of the queue and the one in progress may "
                "be missing there (options.trackers.close_seconds). The files of the "
                "run are complete."
            )
        if self._dropped:
            kinds = ", ".join(f"{n} of {what}" for what, n in self._dropped.items())
            self._warn(
                f"warning: {self.name} was too slow; records were dropped: {kinds}"
            )

    def _put(self, method: str, *arguments: Any, num_bytes: int = 0) -> None:
        self._show_warnings()
        with self._changed:
            if self._is_closed:
                return
            self._records.append(_Record(method, arguments, num_bytes))
            if method != "close":
                self._drop()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name=f"tracker {self.name}", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def _drop(self) -> None:
        """Drops the oldest records while the queue is above its capacity."""
        while sum(r.num_bytes for r in self._images()) > self._max_image_bytes:
            self._drop_oldest(("images",))
        while len(self._records) > self._max_records:
            if not self._drop_oldest(_DROPPED):
                break

    def _images(self) -> list[_Record]:
        return [r for r in self._records if r.method == "images"]

    def _drop_oldest(self, methods: Sequence[str]) -> bool:
        for method in methods:
            for index, record in enumerate(self._records):
                if record.method == method:
                    del self._records[index]
                    self._dropped[method] += 1
                    return True
        return False

    def _work(self) -> None:
        try:
            tracker = FailSafeTracker(self._make, self._warnings.append, self.name)
            while (record := self._next()) is not None:
                getattr(tracker, record.method)(*record.arguments)
                if record.method == "close":
                    return
        except BaseException as error:  # A package that ends the process, for example.
            self._warnings.append(
                f"warning: {self.name} is off: {type(error).__name__}: {error}. "
                "The run continues."
            )
            with self._changed:
                self._is_closed = True

    def _next(self) -> _Record | None:
        """Returns the next record; None after `close` has given up."""
        with self._changed:
            while not self._records:
                if self._is_closed:
                    return None
                self._changed.wait()
            return self._records.popleft()

    def _show_warnings(self) -> None:
        while self._warnings:
            self._warn(self._warnings.popleft())


def _size(path: pathlib.Path) -> int:
    """Returns the bytes of a file or of the files in a folder; 0 if it is gone."""
    try:
        if path.is_dir():
            return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
        return path.stat().st_size
    except OSError:
        return 0
