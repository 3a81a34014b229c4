"""A small detector in every form that `ObjectDetector.load` takes."""

import keras
import numpy as np
import pytest

import odapi
from odapi.checkpoints import folder as folders
from small_models import small_config

NAMES = ["dog", "cat"]


@pytest.fixture(scope="session")
def config():
    return small_config("ssd")


@pytest.fixture(scope="session")
def run(config, tmp_path_factory):
    """A run folder with one checkpoint, at step 5."""
    model_dir = tmp_path_factory.mktemp("api") / "run"
    built = odapi.ObjectDetector.from_config(config, label_map=NAMES)
    saved = built.save(model_dir / "checkpoints" / "step-00000005")
    (saved / "training_state.json").write_text('{"step": 5}')
    for name in ("pipeline.config", "label_map.pbtxt"):
        (model_dir / name).write_text((saved / name).read_text())
    folders.set_pointer(model_dir, "best", saved)
    return model_dir


@pytest.fixture(scope="session")
def exported(run, tmp_path_factory):
    """The run, exported as a SavedModel."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow exports")
    folder = tmp_path_factory.mktemp("api") / "exported"
    odapi.export(run, folder)
    return folder


@pytest.fixture(scope="session")
def image():
    return np.random.default_rng(0).integers(0, 255, (70, 90, 3)).astype(np.uint8)
