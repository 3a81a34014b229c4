"""Starts Keras and its backend without their noise, or says what is missing."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from odapi.errors import MissingPackageError

BACKENDS = ("tensorflow", "jax", "torch")

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3"}
_STDERR = 2


def load() -> None:
    """Imports Keras, unless the program has done so.

    TensorFlow logs from C++ while it is imported, before it reads the level of its
    log: what it writes then is kept back, and shown if the import fails.

    Raises:
        MissingPackageError: The backend that Keras is set to is not installed.
    """
    if "keras" in sys.modules:
        return
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        with _silence():
            import keras  # noqa: F401
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in BACKENDS:
            raise
        raise MissingPackageError("Keras", package, package) from error


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps back what is written to standard error, also by other languages."""
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


def load_tensorflow(feature: str) -> None:
    """Imports TensorFlow without its log, whatever backend Keras is set to.

    Args:
        feature: What needs it, for the message.

    Raises:
        MissingPackageError: TensorFlow is not installed.
    """
    if "tensorflow" in sys.modules:
        return
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        with _silence():
            import tensorflow  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "tensorflow":
            raise
        raise MissingPackageError(feature, "tensorflow", "tensorflow") from error
