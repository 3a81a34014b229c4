"""Progress display: a bar on a terminal, occasional lines in a log."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from odapi.console import console
from odapi.notebook import NotebookText, in_notebook

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

_LOG_EVERY = 10.0  # Seconds between lines without a terminal.
NOTEBOOK_SECONDS = 0.5  # Between updates of a text in a notebook.


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yields `items` and shows progress and remaining time.

    Args:
        items: The items.
        what: Description, one or two words, such as "evaluating".
        total: Number of items; None uses `len(items)`, if available.
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    shown = console()
    if shown.is_terminal:
        from rich import progress

        columns = (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeRemainingColumn(elapsed_when_finished=True),
        )
        with progress.Progress(*columns, console=shown, transient=True) as bar:
            yield from bar.track(items, total=total, description=what)
        return
    text = NotebookText() if in_notebook() else None
    show, every = (text.show, NOTEBOOK_SECONDS) if text else (shown.print, _LOG_EVERY)
    start = last = time.monotonic()
    try:
        for done, item in enumerate(items, 1):
            yield item
            now = time.monotonic()
            if now - last >= every:
                last = now
                show(_line(what, done, total, now - start))
    finally:
        if text:
            text.clear()


@contextlib.contextmanager
def track_bytes() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yields a function `(description, bytes done, total bytes)` that shows progress.

    The total may be None if unknown.
    """
    shown = console()
    if not shown.is_terminal:
        yield _byte_lines(shown)
        return
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=shown, transient=True) as bar:
        tasks: dict[str, progress.TaskID] = {}

        def show(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None)
            bar.update(tasks[what], completed=done, total=total)

        yield show


def _byte_lines(shown: "Console") -> Callable[[str, int, int | None], None]:
    last = time.monotonic()

    def show(what: str, done: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= _LOG_EVERY:
            last = time.monotonic()
            of = f" of {total / 1e6:.0f}" if total else ""
            shown.print(f"{what}: {done / 1e6:.0f}{of} MB")

    return show


def _line(what: str, done: int, total: int | None, seconds: float) -> str:
    if not total:
        return f"{what}: {done} in {duration(seconds)}"
    left = seconds / done * (total - done)
    return f"{what}: {done} of {total}, {duration(left)} left"


def duration(seconds: float) -> str:
    """Returns a duration in words.

    >>> duration(5.04), duration(125), duration(7300)
    ('5.0 s', '2 min 5 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
