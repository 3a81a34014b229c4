"""Samples, augmentations and trackers of the user, passed to `odapi.train`."""

import json

import numpy as np
import pytest

import odapi
from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_arrays
from odapi.errors import ConfigError, DataError
from odapi.labels import label_map_of
from odapi.training import parts
from odapi.training.given_data import GivenData
from tiny_detector import TinyDetector
from tiny_samples import CLASSES, make_samples, train_config

CONFIG = train_config(
    "ssd", "model.ssd.image_resizer.fixed_shape_resizer={height: 16 width: 16}"
)


@pytest.fixture
def train(tmp_path, monkeypatch):
    monkeypatch.setattr(
        parts, "build_detector", lambda config, seed=None: TinyDetector(seed=seed)
    )

    def call(folder="run", config=CONFIG, **arguments):
        data = {"train_data": make_samples(), "classes": CLASSES, "num_steps": 3}
        return odapi.train(config, tmp_path / folder, **data | arguments)

    return call


class Batches:
    """Stands in for a class of another library."""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (iter([]), r"train_data: is a list_iterator, whose samples cannot be read by"),
        (type("PyDataset", (Batches,), {})(), "is a PyDataset of ready batches"),
        (type("DataLoader", (Batches,), {})(), "is a DataLoader of ready batches"),
        ([], "train_data: has no samples"),
        ([{"image": np.zeros((8, 8), "uint8")}], r"train_data\[0\]\['image'\]"),
        ([make_samples(1)[0] | {"classes": [2]}], r"train_data\[0\]\['classes'\]"),
        (
            [make_samples(1)[0] | {"boxes": np.array([[1, 2, 30, 40.0]])}],
            r"train_data\[0\]\['boxes'\].*normalized",
        ),
    ],
)
def test_data_of_another_form_is_refused(train, data, message):
    with pytest.raises(DataError, match=message):
        train(train_data=data)


def test_a_wrong_sample_in_the_middle_ends_the_training_and_is_named(train):
    samples = make_samples()
    samples[2] = samples[2] | {"boxes": np.zeros((1, 3), "float32")}
    with pytest.raises(DataError, match=r"train_data\[2\]\['boxes'\]"):
        train(train_data=samples)


def test_classes_must_be_named(train):
    with pytest.raises(DataError, match=r'pass classes=\["cat", "dog"\]'):
        train(classes=None)
    with pytest.raises(DataError, match="no samples are given"):
        GivenData("coco:a.json", classes=CLASSES)
    with pytest.raises(DataError, match="is the text 'cat', not a list"):
        GivenData(make_samples(), classes="cat")


@pytest.mark.parametrize("given", ["classes", "known", "attribute"])
def test_sources_of_class_names(given):
    samples, known = make_samples(), None
    if given == "known":
        known = label_map_of(["a", "b"])
    if given == "attribute":

        class Labeled(list):
            label_map = label_map_of(["a", "b"])

        samples = Labeled(samples)
    classes = ["a", "b"] if given == "classes" else None
    source = GivenData(samples, classes=classes).train_source(CONFIG, known)
    assert [c.name for c in source.label_map] == ["a", "b"]


def test_augmentations_run_on_arrays_after_those_of_the_config(train):
    seen = []

    def shift(sample, rng):
        seen.append((type(sample["image"]), sample["image"].shape, rng.integers(100)))
        return sample

    train(augmentations=[shift])
    assert {kind for kind, _, _ in seen} == {np.ndarray}
    assert {shape for _, shape, _ in seen} == {(64, 64, 3)}  # Not resized yet.
    assert len({number for _, _, number in seen}) > 3


def test_an_augmentation_that_fails_is_named(train):
    def grayscale(sample, rng):
        return sample | {"image": sample["image"].mean(axis=2)}

    with pytest.raises(DataError, match=r"augmentation .*grayscale"):
        train(augmentations=[grayscale])


def test_resuming_draws_the_same_augmentations(train, tmp_path):
    def noise(sample, rng):
        image = sample["image"] // 2 + rng.integers(0, 99, dtype=np.uint8)
        return sample | {"image": image}

    def weights(folder):
        saved = folders.latest(tmp_path / folder) / folders.WEIGHTS
        return load_arrays(saved)["box_predictor/head/kernel"]

    train("whole", augmentations=[noise], num_steps=4)
    for steps in (2, 4):
        outcome = train("parts", augmentations=[noise], num_steps=steps)
    assert outcome.resumed
    train("others", augmentations=[noise, noise], num_steps=4)
    np.testing.assert_allclose(weights("parts"), weights("whole"), rtol=1e-5, atol=1e-7)
    assert np.abs(weights("others") - weights("whole")).max() > 1e-5


class Recording:
    def __init__(self):
        self.names, self.texts, self.closed = set(), {}, 0

    def scalars(self, step, values):
        self.names |= set(values)

    def images(self, step, tag, images):
        self.names.add(tag)

    def text(self, tag, text):
        self.texts[tag] = text

    def close(self):
        self.closed += 1


def test_trackers_get_losses_images_and_the_config(train):
    trackers = [Recording(), Recording()]
    train(trackers=trackers)
    for tracker in trackers:
        assert {"train/Loss/total_loss", "train/learning_rate"} <= tracker.names
        assert "train/train_input_images" in tracker.names
        assert "num_steps: 3" in tracker.texts["config"]
        assert tracker.closed == 1


def test_a_tracker_that_fails_does_not_end_the_training(train, capsys):
    class Failing(Recording):
        def scalars(self, step, values):
            raise OSError("no connection")

    other = Recording()
    outcome = train(trackers=[Failing(), other])
    assert outcome.step == 3 and "train/Loss/total_loss" in other.names
    said = capsys.readouterr().err
    assert said.count("trackers[0] (Failing) could not write and is off") == 1


def test_a_tracker_without_a_method_is_refused(train):
    with pytest.raises(ConfigError, match=r"trackers\[0\] \(Batches\): has no method"):
        train(trackers=[Batches()])


def test_the_config_saved_with_samples_is_that_of_the_user(train, tmp_path):
    train()
    saved = odapi.load_config(tmp_path / "run")
    assert saved.train_config.num_steps == 3
    assert json.loads((tmp_path / "run/training.json").read_text())["step"] == 3
