"""Graphs for other runtimes: no operation that only some of them have."""

import contextlib
import contextvars
from collections.abc import Iterator

_PORTABLE: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "portable", default=False
)


@contextlib.contextmanager
def portable_operations() -> Iterator[None]:
    """Traces without fast paths that converters to other formats cannot translate."""
    token = _PORTABLE.set(True)
    try:
        yield
    finally:
        _PORTABLE.reset(token)


def is_portable() -> bool:
    """Returns whether a graph for other runtimes is traced."""
    return _PORTABLE.get()
