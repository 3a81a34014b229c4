"""Fixtures for all tests: the shared data, where it is there."""

import os
import pathlib
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_SHARED = pathlib.Path(os.environ.get("ODAPI_SHARED", _ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder with golden data, real configs and real data sets."""
    if not _SHARED.is_dir():
        message = f"{_SHARED} is missing; set ODAPI_SHARED to where it lies"
        if os.environ.get("CI"):
            pytest.fail(message)  # Skipping there would hide that nothing was tested.
        pytest.skip(message)
    return _SHARED


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """The root of the repository."""
    return _ROOT


warnings.simplefilter("default")
