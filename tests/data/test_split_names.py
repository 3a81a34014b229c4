"""Splits by name: synonyms, files and folders of COCO, CSV and VOC datasets."""

import pytest

import tiny_data
from odapi.data.sources import open_source
from odapi.data.sources.split_names import files_of_split
from odapi.errors import DataError


@pytest.mark.parametrize(
    ("files", "split", "expected"),
    [
        (["annotations/instances_val2017.json"], "val", [0]),
        (["annotations/instances_val2017.json"], "val2017", [0]),
        (["instances_Train.json"], "train", [0]),
        (["instances_train.json"], "Train", [0]),
        (["valid/_annotations.coco.json"], "val", [0]),
        (["val/a.json", "valid/a.json"], "valid", [1]),
        (["validation.json"], "valid", [0]),
        (["trainval.json"], "val", []),  # These are training images, too.
        (["trainval.json", "train.json"], "train", [1]),
        (["trainval.json"], "trainval", [0]),
        (["latest.json", "test.json"], "test", [1]),
        (["fold_1.json", "fold_10.json"], "fold_1", [0]),
        (["a.json", "annotations/b.json", "train/c.json"], "", [0, 1]),
        (["a.json"], "train", []),
    ],
)
def test_files_of_a_split(files, split, expected, tmp_path):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = files_of_split(tmp_path, ".json", split)
    assert found == [tmp_path / files[i] for i in expected]


def coco(folder):
    tiny_data.write_coco(folder / "valid")
    (folder / "valid" / "data.json").rename(folder / "valid" / "_annotations.coco.json")
    return f"coco:{folder}"


def csv(folder):
    tiny_data.write_csv(folder / "valid")
    return f"csv:{folder}"


def voc(folder):
    tiny_data.write_images(folder / "valid")
    for name in tiny_data.SIZES:
        (folder / "valid" / f"{name}.xml").write_text(tiny_data.voc_xml(name))
    return f"voc:{folder}"


@pytest.mark.parametrize("write", [coco, csv, voc])
def test_valid_and_val_are_the_same_split(write, tmp_path):
    spec = write(tmp_path)
    for split in ("valid", "val", "validation"):
        assert len(open_source(f"{spec}?split={split}")) == 3
    with pytest.raises(DataError):
        open_source(f"{spec}?split=test")


@pytest.mark.parametrize("write", [coco, csv])
@pytest.mark.parametrize("option", ["", "?split=test"])
def test_the_files_that_are_there_are_named(write, option, tmp_path):
    with pytest.raises(DataError, match="; there are valid/"):
        open_source(write(tmp_path) + option)
