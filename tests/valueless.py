"""Builds detectors whose variables have shapes, but no values and no memory."""

import keras
from keras.src.backend.common import global_state

from odapi.build.detector import build_detector


def build_without_values(config, monkeypatch):
    """Returns the detector of a config.

    Keras defers values of variables within a stateless scope, and gives them at its
    end, which is left out here. This has no public name.
    """
    monkeypatch.setattr(
        "keras.src.backend.common.variables.initialize_all_variables",
        lambda: global_state.set_global_attribute("uninitialized_variables", []),
    )
    with keras.StatelessScope():
        return build_detector(config)
