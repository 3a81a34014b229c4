"""Choice of the Keras backend: asked for, or the one that is installed."""

import contextlib
import importlib.util
import json
import os
import pathlib
import sys
from typing import NamedTuple

from odapi.errors import ConfigError, MissingPackageError, OdapiError, did_you_mean

BACKENDS = ("tensorflow", "jax", "torch")
VARIABLE = "KERAS_BACKEND"
OPTION = "--backend"

_SHORT = {"tf": "tensorflow", "pt": "torch"}  # Too short to be found by likeness.
_DEFAULT = BACKENDS[0]
# Of this process: the value of the option, which is passed on in VARIABLE.
_of_option: list[str] = []


class Choice(NamedTuple):
    """A backend, and why it is the one.

    Args:
        name: One of `BACKENDS`.
        reason: In words, such as "set by KERAS_BACKEND".
    """

    name: str
    reason: str


def choose() -> Choice:
    """Returns the backend that Keras runs on, or will run on.

    In this order: that of Keras, if it is imported; `KERAS_BACKEND`; the file
    `~/.keras/keras.json`; TensorFlow, JAX, PyTorch, whichever is installed.

    Raises:
        ConfigError: The name is unknown.
        MissingPackageError: The backend asked for is not installed, or none is.
    """
    if running := _running():
        return Choice(_known("Keras", running), "in use")
    if name := os.environ.get(VARIABLE):
        return _installed_choice(VARIABLE, name, f"set by {VARIABLE}")
    return _of_file() or _of_installed()


def use(name: str) -> None:
    """Makes a backend the one of this process, as the option --backend does.

    Raises:
        ConfigError: The name is unknown, or Keras runs on another backend already.
        MissingPackageError: The backend is not installed.
    """
    _installed_choice(OPTION, name, "")
    if (running := _running()) and running != name:
        raise ConfigError(
            OPTION,
            f"is {name}, but Keras already runs on {running} in this process",
            hint=f"set {VARIABLE}={name} before Keras is imported",
        )
    os.environ[VARIABLE] = name
    _of_option[:] = [name]


def prefer_installed() -> None:
    """Has Keras use an installed backend where it would miss TensorFlow."""
    if os.environ.get(VARIABLE) or is_installed(_DEFAULT):
        return
    with contextlib.suppress(OdapiError):  # Keras names what is missing.
        os.environ[VARIABLE] = choose().name


def installed_backends() -> list[str]:
    """Returns the backends that are installed, in the order of preference."""
    return [name for name in BACKENDS if is_installed(name)]


def is_installed(module: str) -> bool:
    """Returns whether a module can be found; it is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _running() -> str:
    """Returns the backend of Keras, or "" if Keras is not imported."""
    backend = getattr(sys.modules.get("keras"), "backend", None)
    return str(backend.backend()) if backend is not None else ""


def _known(place: str, name: str) -> str:
    if name in BACKENDS:
        return name
    lower = name.lower()
    raise ConfigError(
        place,
        f"unknown value {name!r}; known values are {', '.join(BACKENDS)}",
        hint=did_you_mean(_SHORT.get(lower, lower), BACKENDS),
    )


def _installed_choice(place: str, name: str, reason: str) -> Choice:
    if is_installed(_known(place, name)):
        if _of_option == [name]:
            reason = f"set by {OPTION}"
        return Choice(name, reason)
    asked, instead = f"{place}={name}", f"{VARIABLE}="
    if place == OPTION:
        asked, instead = f"{OPTION} {name}", f"{OPTION} "
    other = [instead + known for known in installed_backends()]
    raise MissingPackageError(
        asked,
        name,
        name,
        otherwise=f"use what is installed: {other[0]}" if other else "",
    )


def _of_file() -> Choice | None:
    """Returns the backend of `keras.json`; None if it names none to go by.

    Keras writes "tensorflow" into that file by itself, so that is not taken for a
    choice of the user.
    """
    path = _keras_folder() / "keras.json"
    try:
        name = json.loads(path.read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):
        return None
    if not name or name == _DEFAULT:
        return None
    return _installed_choice(f"{path}: backend", str(name), f"set in {path}")


def _keras_folder() -> pathlib.Path:
    """Returns the folder that Keras reads its file from."""
    if (folder := os.environ.get("KERAS_HOME")) is not None:
        return pathlib.Path(folder).expanduser()
    home = os.path.expanduser("~")
    return pathlib.Path(home if os.access(home, os.W_OK) else "/tmp") / ".keras"


def _of_installed() -> Choice:
    found = installed_backends()
    if not found:
        raise MissingPackageError(
            "Keras",
            _DEFAULT,
            _DEFAULT,
            otherwise='another backend: pip install "odapi[jax]" or "odapi[torch]"',
        )
    if found[0] == _DEFAULT:
        return Choice(found[0], "the default")
    if len(found) == 1:
        return Choice(found[0], "the only one installed")
    return Choice(found[0], f"the first one installed of {', '.join(BACKENDS)}")
