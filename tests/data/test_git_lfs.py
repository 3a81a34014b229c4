"""Pointers of Git LFS in place of files: each reader names them and the command."""

import pytest

import tiny_data
from odapi.config.label_map import load_label_map
from odapi.config.load import load_config
from odapi.data.sources import open_source
from odapi.errors import OdapiError

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:" + b"0" * 64 + b"\nsize 123456\n"
)

FILES = {
    "coco": ("data.json", ""),
    "csv": ("train_labels.csv", ""),
    "tfrecord": ("data.record", ""),
    "voc": ("ImageSets/Main/train.txt", "?split=train"),
}


@pytest.mark.parametrize("kind", FILES)
def test_annotations(kind, tmp_path):
    name, options = FILES[kind]
    spec = tiny_data.write(kind, tmp_path)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(POINTER)
    with pytest.raises(OdapiError, match="Git LFS pointer") as caught:
        open_source(spec + options)
    assert caught.value.place == str(tmp_path / name)
    assert "git lfs pull" in caught.value.hint


@pytest.mark.parametrize(
    ("load", "name"), [(load_label_map, "map.pbtxt"), (load_config, "x.config")]
)
def test_texts(load, name, tmp_path):
    (tmp_path / name).write_bytes(POINTER)
    with pytest.raises(OdapiError, match=r"Git LFS pointer.*\n.*git lfs pull"):
        load(tmp_path / name)


def test_xml_files(tmp_path):
    spec = tiny_data.write_voc(tmp_path)
    (tmp_path / "Annotations" / "a.xml").write_bytes(POINTER)
    (problem,) = open_source(spec).problems
    assert problem.kind == "unreadable annotation"
    assert "Git LFS pointer" in problem.first[0]
    assert "git lfs pull" in problem.first[0]
    for name in "bc":
        (tmp_path / "Annotations" / f"{name}.xml").write_bytes(POINTER)
    with pytest.raises(OdapiError, match="git lfs pull"):
        open_source(spec)


@pytest.mark.parametrize("kind", ["coco", "csv", "voc", "yolo"])
def test_image_is_counted_with_the_reason(kind, tmp_path):
    spec = tiny_data.write(kind, tmp_path)
    next(tmp_path.rglob("a.jpg")).write_bytes(POINTER)
    for read in ("__getitem__", "annotations", "encoded_sample"):
        source = open_source(spec)
        with pytest.raises(OdapiError, match="Git LFS pointer"):
            getattr(source, read)(0)
        (problem,) = source.problems
        assert problem.kind == "corrupt image"
        assert "is a Git LFS pointer, not the image" in problem.first[0]
        assert "git lfs pull" in problem.first[0]
