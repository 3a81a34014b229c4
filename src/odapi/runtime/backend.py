"""Starts Keras and its backend without their noise, or says what is missing."""

import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from odapi.errors import MissingPackageError
from odapi.runtime.backend_choice import BACKENDS, VARIABLE, Choice, choose
from odapi.runtime.import_guard import without_backends

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3"}
_STDERR = 2
# Called with the choice when Keras is started.
_listeners: list[Callable[[Choice], None]] = []


def load() -> None:
    """Imports Keras on the backend of `choose`, unless the program has done so.

    Raises:
        ConfigError: The backend is none that odapi knows.
        MissingPackageError: The backend is not installed.
    """
    choice = choose()
    if "keras" in sys.modules:
        return
    os.environ[VARIABLE] = choice.name
    with without_backends(choice.name):
        _import("keras", f"Keras on {choice.name}")
    for listener in _listeners:
        listener(choice)


def when_started(listener: Callable[[Choice], None]) -> None:
    """Has a function called with the choice when `load` starts Keras."""
    _listeners[:] = [listener]


def load_tensorflow(feature: str) -> None:
    """Imports TensorFlow without its log, whatever backend Keras is set to.

    Args:
        feature: What needs it, for the message.

    Raises:
        MissingPackageError: TensorFlow is not installed.
    """
    _import("tensorflow", feature)


def load_grain() -> ModuleType:
    """Imports Grain; JAX is not imported for it, nor missed in the log."""
    if "grain" not in sys.modules:
        from absl import logging as absl_logging

        logger = absl_logging.get_absl_logger()
        logger.addFilter(_is_error)
        try:
            # JAX that is imported already is used.
            with without_backends():
                importlib.import_module("grain")
        finally:
            logger.removeFilter(_is_error)
    return sys.modules["grain"]


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _import(module: str, feature: str) -> None:
    """Imports a module that starts one of the backends, unless it is imported.

    TensorFlow logs from C++ while it is imported, before it reads the level of its
    log: that output is held back, and shown if the import fails.
    """
    if module in sys.modules:
        return
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        with _silence():
            importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in BACKENDS:
            raise
        raise MissingPackageError(feature, package, package) from error


@contextmanager
def _silence() -> Iterator[None]:
    """Holds back writes to standard error, also those of native code."""
    sys.stderr.flush()
    shown = os.dup(_STDERR)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), _STDERR)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(shown, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, _STDERR)
            os.close(shown)
