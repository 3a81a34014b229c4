"""The list of images of a large prediction and its shards."""

import json

import pytest

import tiny_data
from odapi.errors import DataError
from odapi.tools.image_list import Entry, ImageList, read_list, read_part


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))
    tiny_data.write_images(tmp_path / "in")
    return tmp_path


@pytest.mark.parametrize(
    ("total", "shards", "expected"),
    [
        (1, 1, [(0, 1)]),
        (3, 2, [(0, 1), (1, 2)]),
        (5, 3, [(0, 1), (1, 2), (3, 2)]),
        (4, 4, [(0, 1), (1, 1), (2, 1), (3, 1)]),
    ],
)
def test_shards_are_ranges_in_order(folder, total, shards, expected):
    names = [f"{'x' * n}.jpg" for n in range(1, total + 1)]
    (folder / "list.txt").write_text("\n".join(names) + "\n\n")
    images = ImageList(str(folder / "list.txt"))
    parts = images.parts(shards)
    assert [(p.first, p.size) for p in parts] == expected
    images.write(folder)
    found = [entry for part in parts for entry in read_part(folder, part)]
    assert found == [Entry(i, name) for i, name in enumerate(names, 1)]
    assert read_list(folder) == found


def test_names_of_any_encoding_are_kept(folder):
    name = "a\udcff\n\u00e9.jpg"
    (folder / "in" / name).write_bytes(b"x")
    images = ImageList(str(folder / "in"))
    images.write(folder)
    assert str(folder / "in" / name) in [e.name for e in read_list(folder)]


def test_file_names_that_are_numbers_are_the_ids(folder):
    for name in ("7.jpg", "000012.jpg"):
        (folder / name).write_bytes(b"x")
    assert [e.id for e in ImageList(str(folder / "*.jpg"))] == [7, 12]


@pytest.mark.parametrize("kind", ["coco", "voc", "yolo", "tfrecord"])
def test_datasets_are_read_by_their_ids(folder, kind):
    spec = tiny_data.write(kind, folder / kind)
    images = ImageList(spec)
    assert images.spec == spec
    ids = ["1", "2", "3"] if kind == "coco" else ["a", "b", "c"]
    assert [str(e.id).rpartition("/")[2].partition(".")[0] for e in images] == ids
    assert images.root == ""


def test_files_of_records_are_a_dataset_without_its_prefix(folder):
    spec = tiny_data.write_tfrecord(folder / "records")
    glob = spec.removeprefix("tfrecord:").replace("data", "dat?")
    assert ImageList(glob).spec == f"tfrecord:{glob}"


def test_relative_names_belong_to_a_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    images = ImageList("in/*.jpg")
    assert images.root == str(folder)
    assert [e.name for e in images] == ["in/a.jpg", "in/b.jpg", "in/c.jpg"]
    assert ImageList(str(folder / "in")).root == ""


def test_the_digest_tells_order_and_names(folder):
    first = ImageList(str(folder / "in"))
    assert first.digest == ImageList(str(folder / "in" / "*.jpg")).digest
    (folder / "in" / "d.jpg").write_bytes(b"x")
    assert first.digest != ImageList(str(folder / "in")).digest


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("none*.jpg", "no file matches"),
        ("empty.txt", "names no image"),
        ("gone.txt", "cannot be read"),
        ("coco:gone", "gone"),
    ],
)
def test_sources_without_images_are_refused(folder, source, problem, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match=problem):
        ImageList(source)


def test_a_line_of_the_list_is_plain_json(folder, monkeypatch):
    monkeypatch.chdir(folder)
    ImageList("in/a.jpg").write(folder)
    assert json.loads((folder / "images.jsonl").read_text()) == [1, "in/a.jpg"]
