"""Packages that a test needs: skipped without them, but never under CI."""

import importlib
import os
import types

import pytest


def require(name: str) -> types.ModuleType:
    """Imports a module; where it is missing, skips the test, or fails it under CI."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        message = f"needs {name}, which is not installed: {error}"
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message, allow_module_level=True)
