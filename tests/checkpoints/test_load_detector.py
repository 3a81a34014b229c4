"""A detector comes back from its folder, with what belongs to it."""

import numpy as np
import pytest
from keras.ops import convert_to_numpy

import odapi
from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import save_arrays, save_weights
from odapi.config.label_map import save_label_map
from odapi.errors import CheckpointError, ConfigError
from tiny_detector import LABEL_MAP, TinyDetector

pytestmark = pytest.mark.usefixtures("tiny_detectors")

CONFIG = "model { ssd { num_classes: 2 } }"


@pytest.fixture
def trained(tmp_path):
    detector = TinyDetector(seed=1)

    def fill(folder):
        save_weights(detector, folder / folders.WEIGHTS)
        save_label_map(LABEL_MAP, folder / folders.LABEL_MAP)
        (folder / folders.CONFIG).write_text(CONFIG)
        save_arrays(
            folder / folders.AVERAGES,
            {"box_predictor/head/kernel": np.full((8, 6), 7, "float32")},
        )

    folders.set_pointer(tmp_path, "last", folders.write(tmp_path, 30, fill))
    return detector


def test_a_run_is_loaded(trained, tmp_path):
    loaded = odapi.load_detector(tmp_path)
    assert loaded.step == 30
    assert loaded.folder == tmp_path / "checkpoints" / "step-00000030"
    assert [c.name for c in loaded.label_map] == ["dark", "bright"]
    assert loaded.config.model.ssd.num_classes == 2
    for name, variable in trained.named_variables().items():
        np.testing.assert_array_equal(
            convert_to_numpy(variable),
            convert_to_numpy(loaded.detector.named_variables()[name]),
        )


def test_averages_are_taken_if_the_config_says_so(trained, tmp_path):
    override = "eval_config.use_moving_averages=true"
    loaded = odapi.load_detector(tmp_path, [override])
    assert (convert_to_numpy(loaded.detector.head.kernel) == 7).all()


def test_overrides_that_change_the_model_do_not_fit_its_weights(trained, tmp_path):
    with pytest.raises(CheckpointError, match="does not fit the model: box_predictor"):
        odapi.load_detector(tmp_path, ["model.ssd.num_classes=5"])
    with pytest.raises(ConfigError, match="num_clases"):
        odapi.load_detector(tmp_path, ["model.ssd.num_clases=5"])


@pytest.mark.parametrize("name", [folders.CONFIG, folders.LABEL_MAP])
def test_an_incomplete_folder_is_named(trained, tmp_path, name):
    folder = folders.find(tmp_path)
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"has no {name}"):
        odapi.load_detector(folder)


def test_nothing_there_is_a_checkpoint_error(tmp_path):
    with pytest.raises(CheckpointError, match="has no checkpoint: neither"):
        odapi.load_detector(tmp_path)
