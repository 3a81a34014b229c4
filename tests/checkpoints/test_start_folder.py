"""Relative data paths of a run are found from other folders."""

import json
import shutil

import pytest

from odapi.checkpoints.start_folder import (
    start_facts,
    use_start_folder,
    with_start_folder,
)
from odapi.config.load import Config, load_config, options
from odapi.errors import DataError

TEXT = """
train_input_reader {
  label_map_path: "data/classes.pbtxt"
  tf_record_input_reader { input_path: "data/train-*" input_path: "data/gone" }
}
eval_input_reader { label_map_path: "/absolute" }
[odapi.options] { train_data: "data" eval_data: "coco:data/val.json?images=data" }
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose run was trained in it; the current folder is another."""
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project / "data").mkdir(parents=True)
    for name in ("classes.pbtxt", "train-0", "val.json"):
        (project / "data" / name).touch()
    step = project / "runs" / "a" / "checkpoints" / "step-00000001"
    step.mkdir(parents=True)
    monkeypatch.chdir(project)
    facts = start_facts(project / "runs" / "a")
    (step / "training_state.json").write_text(json.dumps(facts))
    monkeypatch.chdir(elsewhere)
    return project


def paths(project):
    config = load_config(TEXT)
    use_start_folder(config, project / "runs/a/checkpoints/step-00000001")
    reader, ours = config.train_input_reader, options(config)
    return [
        reader.label_map_path,
        *reader.tf_record_input_reader.input_path,
        config.eval_input_reader[0].label_map_path,
        ours.train_data,
        ours.eval_data,
    ]


def found_in(folder):
    return [
        f"{folder}/data/classes.pbtxt",
        f"{folder}/data/train-*",
        "data/gone",
        "/absolute",
        f"{folder}/data",
        f"coco:{folder}/data/val.json?images=data",
    ]


def test_paths_are_found_where_the_training_was_started(project):
    assert paths(project) == found_in(project)


def test_paths_of_a_moved_project_are_found(project, tmp_path):
    moved = tmp_path / "moved" / "far"
    shutil.move(project, moved)
    assert paths(moved) == found_in(moved)


def test_a_copied_run_finds_the_data_of_the_original(project, tmp_path):
    shutil.copytree(project / "runs", tmp_path / "copy" / "runs")
    assert paths(tmp_path / "copy") == found_in(project)


def test_nothing_changes_in_the_folder_where_the_training_was_started(
    project, monkeypatch
):
    monkeypatch.chdir(project)
    config = load_config(TEXT)
    use_start_folder(config, project / "runs/a/checkpoints/step-00000001")
    assert config == load_config(TEXT)


def test_a_checkpoint_without_a_start_folder_changes_nothing(project):
    (project / "runs/a/checkpoints/step-00000001/training_state.json").write_text("{}")
    assert paths(project)[0] == "data/classes.pbtxt"
    config = Config()
    use_start_folder(config, project)
    assert config == Config()


def test_data_that_are_nowhere_are_an_error_that_says_how_to_name_others(
    project, tmp_path
):
    step = project / "runs/a/checkpoints/step-00000001"
    error = with_start_folder(DataError("data/no.json", "no such file or folder"), step)
    assert str(error) == (
        "data/no.json: no such file or folder\n  hint: the path is that of the run's "
        "config, which begins where training was started; looked in "
        f"{project}, {tmp_path / 'elsewhere'}. Name the data: --eval-data SPEC, such "
        "as coco:PATH"
    )


@pytest.mark.parametrize("place", ["/gone/val.json", "coco:/gone/val.json"])
def test_an_absolute_path_keeps_its_error(project, place):
    error = DataError(place, "no such file or folder", "check it")
    assert with_start_folder(error, project) is error
