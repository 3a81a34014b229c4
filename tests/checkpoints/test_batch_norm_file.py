"""Re-estimated batch statistics belong to a detector that is loaded."""

import numpy as np
import pytest
from keras.ops import convert_to_numpy

import odapi
from odapi.build import dataset as datasets
from odapi.checkpoints import batch_norm
from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_arrays, save_weights
from odapi.config.label_map import save_label_map
from odapi.errors import ConfigError
from tiny_detector import LABEL_MAP, TinyDetector, TinyPipeline, make_batch

pytestmark = pytest.mark.usefixtures("tiny_detectors")

SAVED = 4.0  # Every value in the file.
OPTION = "options.recalibrate_batch_norm"
AVERAGES = "eval_config.use_moving_averages"
TEXT = """
model { ssd {
  num_classes: 2 image_resizer { fixed_shape_resizer { height: 16 width: 16 } }
} }
"""


class Data(TinyPipeline):
    """The training data that a config would name."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def data(monkeypatch):
    monkeypatch.setattr(datasets, "build_train_dataset", lambda *_, **__: Data())


def write(folder, number=None, file=True):
    """Writes a checkpoint whose config has the option set to a number."""
    text = (
        TEXT
        if number is None
        else f"{TEXT}[odapi.options] {{ recalibrate_batch_norm: {number} }}"
    )
    detector = TinyDetector(seed=1)
    folder.mkdir(exist_ok=True)
    save_weights(detector, folder / folders.WEIGHTS)
    save_label_map(LABEL_MAP, folder / folders.LABEL_MAP)
    (folder / folders.CONFIG).write_text(text)
    if file:
        names = ("moving_mean", "moving_variance")
        arrays = {
            f"feature_extractor/norm/{n}": np.full(8, SAVED, "float32") for n in names
        }
        batch_norm.save(folder, arrays)
    return folder


def means(loaded):
    return convert_to_numpy(loaded.detector.norm.moving_mean)


def measured(number):
    """Returns the mean over first batches of the means before the norm."""
    conv = TinyDetector(seed=1).conv
    found = []
    for batch in map(make_batch, range(number)):
        x = batch.images.astype("float32") / 127.5 - 1.0
        found.append(convert_to_numpy(conv(x)).mean(axis=(0, 1, 2)))
    return np.mean(found, axis=0)


@pytest.mark.parametrize(
    ("number", "overrides"),
    [(5, []), (5, [f"{OPTION}=5"]), (5, [f"{AVERAGES}=false"])],
)
def test_the_file_is_used(tmp_path, number, overrides):
    loaded = odapi.load_detector(write(tmp_path, number), overrides)
    assert means(loaded).tolist() == [SAVED] * 8


@pytest.mark.parametrize(
    ("number", "overrides"),
    [(None, []), (0, []), (5, [f"{OPTION}=0"])],
)
def test_without_the_option_the_training_s_own_are_used(tmp_path, number, overrides):
    loaded = odapi.load_detector(write(tmp_path, number), overrides)
    assert means(loaded).tolist() == [0.0] * 8


@pytest.mark.parametrize(
    ("number", "file", "overrides", "used"),
    [
        (None, False, [f"{OPTION}=3"], 3),
        (5, False, [], 5),  # A checkpoint that was not evaluated.
        (5, True, [f"{OPTION}=2"], 2),
        (2, True, [f"{AVERAGES}=true"], 2),
    ],
)
def test_they_are_measured_if_needed(
    tmp_path, capsys, data, number, file, overrides, used
):
    loaded = odapi.load_detector(write(tmp_path, number, file), overrides)
    np.testing.assert_allclose(means(loaded), measured(used), atol=1e-5)
    assert capsys.readouterr().err == (
        "Re-estimated the statistics of 1 batch norm from "
        f"{used} batches of training data\n"
    )


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("options.train_data=coco:gone.json", "gone.json: no such file or folder"),
        (
            "options.seed=1",  # The config names no data.
            "train_input_reader: reads nothing; only tf_record_input_reader can be "
            "read",
        ),
    ],
)
def test_missing_training_data_is_one_error(tmp_path, override, problem):
    with pytest.raises(ConfigError) as caught:
        odapi.load_detector(write(tmp_path, file=False), [f"{OPTION}=3", override])
    assert str(caught.value) == (
        "options.recalibrate_batch_norm: is 3, which needs the training data, but that "
        f"cannot be read: {problem}\n  hint: name the data by --set "
        "options.train_data=SPEC, such as coco:PATH, or use the statistics of the "
        "training: --set options.recalibrate_batch_norm=0"
    )


def test_what_is_saved_again_has_them(tmp_path, data):
    loaded = odapi.load_detector(write(tmp_path / "a", file=False), [f"{OPTION}=2"])
    batch_norm.save_if_used(tmp_path, loaded.config, loaded.detector)
    saved = load_arrays(tmp_path / folders.BATCH_NORM)
    assert (
        saved["feature_extractor/norm/moving_mean"].tolist() == means(loaded).tolist()
    )
    plain = odapi.load_detector(tmp_path / "a")
    (tmp_path / "b").mkdir()
    batch_norm.save_if_used(tmp_path / "b", plain.config, plain.detector)
    assert list((tmp_path / "b").iterdir()) == []
