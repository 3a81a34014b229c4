"""Atomic writes: the old content or the new one, never a part of it."""

import errno
import json
import os
import stat

import pytest

from odapi import files
from odapi.errors import CheckpointError, DataError


@pytest.mark.parametrize(
    "name, expected",
    [
        ("a.jpg", True),
        ("a.JPG", True),
        ("a.jpe", True),
        ("folder/a.b.jfif", True),
        ("a.tiff", True),
        ("a.txt", False),
        (".jpg", False),  # A hidden file without a suffix.
        ("a.jpg.part", False),
        ("jpg", False),
    ],
)
def test_image_files_by_their_suffix(name, expected):
    assert files.is_image_file(name) is expected


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("old", [None, "old"])
def test_a_file_appears_when_the_block_ends(tmp_path, durable, old):
    path = tmp_path / "new folder" / "a.txt"
    if old:
        files.write_text(path, old)
    with files.atomic_open(path, "w", durable) as file:
        file.write("line\n")
        assert (path.read_text() if path.exists() else None) == old
    assert path.read_bytes() == b"line\n"
    assert os.listdir(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_the_block_keeps_the_old_content(tmp_path, error):
    path = files.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(error), files.atomic_open(path) as file:
        file.write(b"new")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_two_writers_of_one_file_do_not_share_a_temporary_file(tmp_path):
    path = tmp_path / "a"
    with files.atomic_open(path, "w") as first:
        with files.atomic_open(path, "w") as second:
            second.write("second")
        first.write("first")
    assert path.read_text() == "first"


def test_new_files_have_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        path = files.write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [DataError, CheckpointError])
def test_a_file_that_cannot_be_written(tmp_path, monkeypatch, error):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = files.write_text(tmp_path / "a", "old")
    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(error, match=r"a: cannot be written: No space left on device$"):
        files.write_text(path, "new", error=error)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_json_is_utf8_and_keeps_file_names_that_are_not(tmp_path):
    content = {"name": "Ä", "file": os.fsdecode(b"\xff.jpg"), "n": [1, 2.5, None]}
    path = files.write_json(tmp_path / "a.json", content)
    assert path.read_bytes().startswith(b'{\n  "name": "\xc3\x84",\n')
    assert path.read_bytes().endswith(b"\n}\n")
    assert files.read_json(path) == json.loads(path.read_text()) == content


@pytest.mark.parametrize(
    "data, message",
    [
        (None, "cannot be read: No such file or directory"),
        (b"{", "cannot be read: not valid JSON: Expecting"),
        (b"\xff", "cannot be read: not valid JSON: 'utf-8' codec"),
    ],
)
def test_json_that_cannot_be_read(tmp_path, data, message):
    path = tmp_path / "a.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CheckpointError, match=f"{message}(.*\n)+.*hint: train again"):
        files.read_json(path, CheckpointError, "train again")
    assert files.read_json_object(path) == {}


@pytest.mark.parametrize(
    "data, expected", [("[1]", {}), ("3", {}), ('{"a": 1}', {"a": 1})]
)
def test_json_objects(tmp_path, data, expected):
    (tmp_path / "a").write_text(data)
    assert files.read_json_object(tmp_path / "a") == expected


def test_a_folder_appears_when_the_block_ends(tmp_path):
    for content in ("old", "new"):
        with files.atomic_folder(tmp_path / "folder") as folder:
            (folder / content).write_text(content)
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == ["new"]


def test_an_error_in_the_block_keeps_the_old_folder(tmp_path):
    with files.atomic_folder(tmp_path / "folder") as folder:
        (folder / "old").write_text("")
    with pytest.raises(OSError), files.atomic_folder(tmp_path / "folder") as folder:
        raise OSError
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == ["old"]


def test_leftovers_of_killed_processes_are_removed(tmp_path):
    mine = [".writing-a-1-0", ".writing-b-1-0", ".replaced-a", ".replaced-b"]
    for name in [*mine, "a", "a.old"]:  # The last one is the user's.
        (tmp_path / name).mkdir()
    files.remove_unfinished(tmp_path, "a")
    assert sorted(os.listdir(tmp_path)) == [
        ".replaced-b", ".writing-b-1-0", "a", "a.old"
    ]  # fmt: skip
    files.remove_unfinished(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a", "a.old", "b"]


def test_a_file_system_that_cannot_sync_folders(tmp_path, monkeypatch):
    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(files.os, "fsync", fsync)
    with files.atomic_folder(tmp_path / "folder") as folder:
        (folder / "a").write_text("")
    assert os.listdir(tmp_path / "folder") == ["a"]


def test_long_names_and_names_that_are_not_unicode(tmp_path):
    file = tmp_path / ("é" * 125 + ".json")  # The longest name that systems allow.
    assert files.write_text(file, "bad\udcff") == file
    assert file.read_bytes() == b"bad\\udcff"
    with files.atomic_open(file, "w") as opened:
        opened.write("\udcff")
    assert file.read_bytes() == b"\\udcff"
    assert list(tmp_path.iterdir()) == [file]
    cut = [files.shortened("é" * n) for n in (300, 301)]
    assert cut[0] != cut[1] and all(len(os.fsencode(name)) <= 200 for name in cut)


def test_patterns_longer_than_any_path_match_nothing(tmp_path):
    (tmp_path / "a").touch()
    assert files.matching_paths(f"{tmp_path}/[a-b]") == [f"{tmp_path}/a"]
    # Python takes 14 s to translate it.
    assert files.matching_paths(f"{tmp_path}/" + "[" * 20000) == []
