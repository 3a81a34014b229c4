"""Starts Keras and its backend without their noise, or says what is missing."""

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from odapi.errors import MissingPackageError

BACKENDS = ("tensorflow", "jax", "torch")

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3"}
_STDERR = 2


def load() -> None:
    """Imports Keras, unless the program has done so.

    Raises:
        MissingPackageError: The backend that Keras is set to is not installed.
    """
    _import("keras", "Keras", BACKENDS)


def load_tensorflow(feature: str) -> None:
    """Imports TensorFlow without its log, whatever backend Keras is set to.

    Args:
        feature: What needs it, for the message.

    Raises:
        MissingPackageError: TensorFlow is not installed.
    """
    _import("tensorflow", feature, ("tensorflow",))


def _import(module: str, feature: str, backends: Sequence[str]) -> None:
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
        if package not in backends:
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
