"""Configs with Windows paths, read on another system."""

import os

import pytest

from odapi.config.check import find
from odapi.config.load import load_config
from odapi.config.windows_paths import is_windows_path
from odapi.errors import ConfigError

pytestmark = pytest.mark.skipif(
    os.sep != "/", reason="paths of Windows are right there"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a dataset; configs lie in the folder `configs`."""
    for name in ("data/train.record", "data/new-0.record", "configs/names/map.pbtxt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "written, read",
    [
        (r"data\train.record", "data/train.record"),  # A tab, as an escape.
        (r"data\\train.record", "data/train.record"),
        (r"C:\Users\me\work\data\train.record", "data/train.record"),
        ("C:/Users/me/work/data/train.record", "data/train.record"),
        (r"d:\\work\\data\\new-*.record", "data/new-*.record"),
        ("data/train.record", "data/train.record"),
        (r"C:\gone\else.record", r"C:\gone\else.record"),
    ],
)
def test_paths_are_found_where_they_are(folder, written, read):
    file = folder / "configs" / "pipeline.config"
    text = f'tf_record_input_reader {{ input_path: "{written}" }}'
    file.write_text(f"train_input_reader {{ {text} }}")
    loaded = load_config(file)
    assert loaded.train_input_reader.tf_record_input_reader.input_path == [read]


def test_paths_are_searched_from_the_folder_of_the_config_too(folder):
    file = folder / "configs" / "pipeline.config"
    file.write_text(r"train_input_reader { label_map_path: 'E:\x\names\map.pbtxt' }")
    found = load_config(file).train_input_reader.label_map_path
    assert found == str(folder / "configs" / "names" / "map.pbtxt")


def test_what_is_not_here_is_explained(folder):
    text = r'model { ssd { } } train_input_reader { label_map_path: "C:\gone\m.pbtxt" }'
    found = {f.path: f for f in find(load_config(text))}
    finding = found["train_input_reader.label_map_path"]
    assert finding.problem == r"'C:\\gone\\m.pbtxt' does not exist"
    assert finding.hint == (
        "this is a Windows path, and no end of it exists here; set it to the path on "
        "this machine, with / between folders"
    )
    with pytest.raises(ConfigError, match="is an escape, not a folder"):
        load_config(r'train_input_reader { label_map_path: "C:\gone\new.pbtxt" }')


@pytest.mark.parametrize(
    "path, expected",
    [("a/b", False), ("C:x", False), ("C:/x", True), (r"a\b", True), ("", False)],
)
def test_kinds_of_paths(path, expected):
    assert is_windows_path(path) is expected
