"""Fixtures for tests of data."""

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """A cache folder for each test, so that none leaves traces in the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("ODAPI_CACHE", str(folder))
    return folder
