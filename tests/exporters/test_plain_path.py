"""SavedModels in folders whose names TensorFlow takes for patterns."""

import pathlib

import pytest

from odapi.exporters.saved_model import plain_path as module
from odapi.exporters.saved_model.plain_path import plain_path


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "run [1] *?"
    made.mkdir()
    (made / "saved_model.pb").write_text("graph")
    return made


def _content(path):
    return (pathlib.Path(path) / "saved_model.pb").read_text()


def test_an_ordinary_path_is_used_as_it_is(tmp_path):
    with plain_path(tmp_path / "a b") as path:
        assert path == str(tmp_path / "a b")


def test_a_path_like_a_pattern_is_reached_without_it(folder):
    with plain_path(folder) as path:
        assert not set("[]*?") & set(path)
        assert _content(path) == "graph"
    assert not pathlib.Path(path).exists() and _content(folder) == "graph"


def test_a_copy_serves_where_links_are_not_allowed(folder, monkeypatch):
    def refuse(self, target, target_is_directory=False):
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(module.pathlib.Path, "symlink_to", refuse)
    with plain_path(folder) as path:
        assert _content(path) == "graph"
    assert _content(folder) == "graph"


def test_tensorflow_loads_a_savedmodel_of_such_a_folder(tmp_path):
    tf = pytest.importorskip("tensorflow")
    module = tf.Module()
    module.value = tf.Variable(7.0)
    saved = tmp_path / "my [model]"
    tf.saved_model.save(module, str(saved))
    with plain_path(saved) as path:
        assert float(tf.saved_model.load(path).value) == 7.0
