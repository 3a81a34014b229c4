"""Datasets as a whole, before the first step of a training."""

import numpy as np
import pytest

import odapi
import tiny_data
from odapi.config.check import find
from odapi.data.sources.open import open_source
from odapi.errors import DataError
from odapi.training import parts
from odapi.training.data_checks import check_data
from tiny_detector import TinyDetector
from tiny_samples import make_samples, train_config

SIZE = "model.ssd.image_resizer.fixed_shape_resizer={height: 16 width: 16}"
ALLOW = "options.data_loading.allow"


def background(content):
    content["annotations"] = []


@pytest.fixture
def train(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "build_detector", lambda c, seed: TinyDetector(2, seed))

    def call(train_data, *overrides, **arguments):
        config = train_config("ssd", SIZE, *overrides)
        options = {"num_steps": 1, "train_data": train_data} | arguments
        return odapi.train(config, tmp_path / "run", **options)

    return call


def test_data_without_objects_are_refused_before_anything_is_written(train, tmp_path):
    spec = tiny_data.write_coco(tmp_path / "data", background)
    with pytest.raises(DataError, match="has no objects: 3 images") as raised:
        train(spec)
    assert "--set options.data_loading.allow=no_objects" in raised.value.hint
    assert not (tmp_path / "run").exists()


def test_samples_without_objects_are_refused(train):
    empty = {"boxes": np.zeros((0, 4), "float32"), "classes": []}
    samples = [sample | empty for sample in make_samples()]
    with pytest.raises(DataError, match="train_data: has no objects"):
        train(samples, classes=["dark", "bright"])


def test_an_allowed_check_is_not_made(train, tmp_path):
    spec = tiny_data.write_coco(tmp_path / "data", background)
    assert train(spec, f"{ALLOW}=no_objects").step == 1


def test_warnings_are_printed_before_the_first_step(tmp_path, capsys):
    source = open_source(tiny_data.write_coco(tmp_path / "data"))
    other = open_source(tiny_data.write_voc(tmp_path / "eval"))
    check_data(source, other)
    assert capsys.readouterr().err.replace("\n", " ") == (
        "warning: evaluation data: training images are evaluated, too: 3 of 3 images, "
        "such as a (there 1) (metrics on them do not show how the detector does on "
        "new images; "
        "`odapi data split` makes separate parts) [shared_images] "
    )
    check_data(source, other, allow=["shared_images"])
    assert capsys.readouterr().err == ""


def test_evaluation_data_without_objects_are_a_warning(tmp_path, capsys):
    source = open_source(tiny_data.write_coco(tmp_path / "data"))
    other = open_source(tiny_data.write_coco(tmp_path / "eval", background))
    check_data(source, other, allow=["shared_images"])
    said = capsys.readouterr().err
    assert said.startswith("warning: evaluation data: has no objects: 3 images")


def test_an_unknown_check_is_a_config_error():
    [finding] = [
        f
        for f in find(train_config("ssd", f"{ALLOW}=no_object"), for_data=False)
        if f.is_error
    ]
    assert finding.path == "options.data_loading.allow[0]"
    assert finding.hint == "did you mean 'no_objects'?"
