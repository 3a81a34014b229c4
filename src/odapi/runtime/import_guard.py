"""Imports of libraries that try other backends than the one in use.

Keras and Grain import JAX wherever it is installed, which takes seconds and memory and
reserves accelerators. Both work without it.
"""

import importlib.abc
import importlib.machinery
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

from odapi.runtime.backend_choice import BACKENDS


@contextmanager
def without_backends(*allowed: str) -> Iterator[None]:
    """Makes other backends look like not installed, to imports of this thread.

    Backends that are imported already stay as they are.

    Args:
        allowed: Backends that may be imported.
    """
    guard = _Guard(set(BACKENDS) - set(allowed))
    sys.meta_path.insert(0, guard)
    try:
        yield
    finally:
        sys.meta_path.remove(guard)


class _Guard(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the refused modules, and fails when they are imported.

    Looking for them, as `importlib.util.find_spec` does, is no import.
    """

    def __init__(self, refused: set[str]):
        self._refused, self._thread = refused, threading.get_ident()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname in self._refused and threading.get_ident() == self._thread:
            return importlib.machinery.ModuleSpec(fullname, self)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        raise ModuleNotFoundError(f"{spec.name} is not the backend in use")

    def exec_module(self, module: ModuleType) -> None:
        """Is never reached."""
