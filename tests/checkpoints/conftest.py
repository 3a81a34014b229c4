"""Fixtures of the tests of checkpoints."""

import pytest

from odapi.checkpoints import load_detector as loading
from tiny_detector import TinyDetector


@pytest.fixture
def tiny_detectors(monkeypatch):
    """Has configs build the detector of the tests, without a network."""

    def build(config, seed=None):
        return TinyDetector(config.model.ssd.num_classes, seed=9)

    monkeypatch.setattr(loading, "build_detector", build)
