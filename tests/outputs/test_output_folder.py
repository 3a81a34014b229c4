"""The rule of output folders: new, empty, or written by odapi for the same purpose."""

import os

import pytest

from odapi.errors import OutputError
from odapi.inference.csv_file import check_csv_file
from odapi.outputs import writable
from odapi.outputs.file import check_new_file
from odapi.outputs.folder import OutputFolder, check_folder, new_place
from odapi.outputs.kinds import (
    CHECKPOINT,
    DATASET,
    EVALUATION,
    EXPORT,
    IMPORT,
    PREDICTIONS,
    RUN,
)


def lay_out(folder, files):
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def tree(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def write(folder, kind, files):
    output = OutputFolder(folder, kind)
    output.begin()
    lay_out(folder, files)
    output.finish([folder / name for name in files])


@pytest.mark.parametrize("kind", [RUN, EXPORT, CHECKPOINT, PREDICTIONS, DATASET])
def test_a_check_leaves_no_trace(tmp_path, kind):
    check_folder(tmp_path / "a" / "b", kind)
    check_folder(tmp_path, kind)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", [EXPORT, PREDICTIONS, DATASET, RUN])
def test_hidden_files_and_those_of_the_system_are_no_content(tmp_path, kind):
    lay_out(tmp_path, [".gitignore", ".DS_Store", "Thumbs.db", "desktop.ini"])
    check_folder(tmp_path, kind)


@pytest.mark.parametrize("kind", [EXPORT, RUN, CHECKPOINT])
def test_folders_without_files_are_no_content(tmp_path, kind):
    (tmp_path / "train" / "a").mkdir(parents=True)
    check_folder(tmp_path, kind)
    (tmp_path / "train" / "a" / "link").symlink_to("nowhere")
    with pytest.raises(OutputError, match=r"did not write: train/\n"):
        check_folder(tmp_path, kind)


def test_a_folder_that_is_replaced_as_a_whole_may_hold_no_hidden_file(tmp_path):
    lay_out(tmp_path, [".git/HEAD"])
    with pytest.raises(OutputError, match=r"did not write: \.git/\n"):
        check_folder(tmp_path, CHECKPOINT)


def test_a_run_begins_beside_a_config_and_a_label_map(tmp_path):
    lay_out(tmp_path, ["pipeline.config", "label_map.pbtxt"])
    check_folder(tmp_path, RUN)
    lay_out(tmp_path, ["train.record"])
    with pytest.raises(OutputError) as caught:
        check_folder(tmp_path, RUN)
    assert caught.value.problem == "has files that odapi did not write: train.record"


def test_an_earlier_output_is_replaced_and_its_other_files_deleted(tmp_path):
    write(tmp_path, PREDICTIONS, ["detections.json", "images/a.jpg", "images/b.jpg"])
    lay_out(tmp_path, ["notes.txt", "images.zip"])
    write(tmp_path, PREDICTIONS, ["detections.json", "images/b.jpg"])
    assert tree(tmp_path) == [
        ".odapi", "detections.json", "images", "images.zip", "images/b.jpg",
        "notes.txt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name, content, problem",
    [
        (
            "images/mine.jpg",
            "mine",
            "has files that odapi did not write: images/mine.jpg",
        ),
        (
            "detections.json",
            "detections.jsom",  # Of the same size.
            "has files that were changed since odapi wrote them: detections.json",
        ),
    ],
)
def test_files_of_the_user_in_an_earlier_output(tmp_path, name, content, problem):
    folder = tmp_path / "found"
    write(folder, PREDICTIONS, ["detections.json", "images/a.jpg"])
    (folder / name).write_text(content)
    with pytest.raises(OutputError) as caught:
        check_folder(folder, PREDICTIONS)
    assert str(caught.value) == (
        f"{folder}: {problem}\n  hint: choose a new folder, such as {folder}-2"
    )


def test_an_interrupted_output_is_replaced_but_for_files_of_other_kinds(tmp_path):
    OutputFolder(tmp_path, PREDICTIONS).begin()
    lay_out(tmp_path, ["images/a.jpg", "images/.writing-b.jpg-1-0"])
    check_folder(tmp_path, PREDICTIONS)
    lay_out(tmp_path, ["images/notes.txt"])
    with pytest.raises(OutputError, match=r"did not write: images/notes\.txt"):
        check_folder(tmp_path, PREDICTIONS)


@pytest.mark.parametrize(
    "written, kind, problem",
    [
        (
            EXPORT,
            EVALUATION,
            "is an export that odapi wrote; the output of an evaluation needs its own "
            "folder",
        ),
        (RUN, EXPORT, "is a training run that odapi wrote; an export needs its own "
                      "folder"),
        (IMPORT, RUN, "is an imported checkpoint that odapi wrote; a training run "
                      "needs its own folder"),
        (DATASET, DATASET, "is a dataset that odapi wrote, which is kept"),
    ],
)  # fmt: skip
def test_folders_of_other_purposes(tmp_path, written, kind, problem):
    write(tmp_path, written, ["metrics.json"])
    with pytest.raises(OutputError) as caught:
        check_folder(tmp_path, kind)
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    "files, kind, problem",
    [
        (["checkpoints/step-00000001/weights.h5"], RUN, ""),
        (["checkpoint/weights.h5", "saved_model/variables/a"], EXPORT, ""),
        (["weights.h5", "pipeline.config", "training_state.json"], CHECKPOINT, ""),
        (
            ["weights.h5", "training_state.h5"],
            CHECKPOINT,
            "is a checkpoint of a training run that odapi wrote; a checkpoint needs "
            "its own folder",
        ),
        (
            ["weights.h5", "notes.txt"],
            CHECKPOINT,
            "has files that odapi did not write: notes.txt",
        ),
    ],
)
def test_folders_of_versions_without_marker_files(tmp_path, files, kind, problem):
    lay_out(tmp_path, files)
    if not problem:
        check_folder(tmp_path, kind)
        return
    with pytest.raises(OutputError) as caught:
        check_folder(tmp_path, kind)
    assert caught.value.problem == problem


@pytest.mark.parametrize("content", ["", "[]", '{"kind": 1}', "{"])
def test_a_damaged_marker_proves_nothing(tmp_path, content):
    lay_out(tmp_path, ["metrics.json"])
    (tmp_path / ".odapi").write_text(content)
    with pytest.raises(OutputError, match=r"did not write: metrics\.json"):
        check_folder(tmp_path, EVALUATION)


@pytest.mark.parametrize(
    "path, problem",
    [
        ("file", "is a file; an export is a folder"),
        ("link", "is a broken link; an export is a folder"),
        ("file/a/b", "cannot be written: {}/file is a file"),
        ("n" * 300, "cannot be written: File name too long"),
        ("n" * 250 + "/a" * 1900, "cannot be written: File name too long"),
        ("a\0b", "cannot be written: the path is invalid: embedded null byte"),
        ("/proc/odapi", "cannot be written: No such file or directory"),
    ],
)
def test_impossible_paths(tmp_path, path, problem):
    lay_out(tmp_path, ["file"])
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(OutputError) as caught:
        check_folder(tmp_path / path, EXPORT)
    assert caught.value.problem == problem.format(tmp_path)
    assert "\0" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


@pytest.mark.parametrize("place", ["a", "a/b/c"])
def test_read_only_folders(tmp_path, monkeypatch, place):
    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system", args[0])

    monkeypatch.setattr(writable.pathlib.Path, "mkdir", refuse)
    monkeypatch.setattr(writable, "open", refuse, raising=False)
    with pytest.raises(OutputError) as caught:
        check_folder(tmp_path / place, EXPORT)
    assert str(caught.value) == (
        f"{tmp_path / place}: cannot be written: Read-only file system\n"
        "  hint: choose a folder that exists or can be made, and that you may write to"
    )


@pytest.mark.parametrize(
    "path, new",
    [
        ("a", "a-2"),
        ("b", "b-3"),
        ("v1.0", "v1.0-2"),
        (".", "odapi"),
        ("..", "../odapi"),
    ],
)
def test_new_places(tmp_path, monkeypatch, path, new):
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path, ["b-2"])
    assert new_place(path).as_posix() == new


@pytest.mark.parametrize("check", [check_new_file, lambda p: check_folder(p, EXPORT)])
def test_names_that_only_shells_expand(tmp_path, monkeypatch, check):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    with pytest.raises(OutputError) as caught:
        check("~/a/b.json")
    assert str(caught.value) == (
        "~/a/b.json: '~' is not expanded in output paths\n"
        "  hint: write /home/me/a/b.json"
    )
    with pytest.raises(OutputError) as caught:
        check("-")
    assert str(caught.value) == (
        "-: outputs are not written to standard output\n"
        "  hint: choose a file name; --json prints results"
    )
    assert not list(tmp_path.iterdir())


def test_pipes_and_devices_are_no_output_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", "/dev/null"):
        with pytest.raises(OutputError) as caught:
            check_csv_file(place)
        assert str(caught.value) == (
            f"{place}: is a device, pipe or socket; a file is needed\n"
            "  hint: choose a new file name"
        )
