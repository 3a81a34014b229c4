"""Mistakes in the path or the options of a dataset."""

import pytest

from odapi.data.sources import open_source
from odapi.errors import DataError


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("kitti:{}/file", "is a file, not a folder\n  hint: kitti: takes a folder"),
        ("pets:{}/file", "is a file, not a folder\n  hint: pets: takes the folder"),
        ("lvis:{}/empty", "hint: name the file, .*empty/FILE.json"),
        ("labelme:{}/half", r"1 JSON file, such as a.json \(.*not valid JSON"),
        ("coco:{}?split=a&split=b", "option 'split' is given twice"),
        ("coco:{}?splt=a", "unknown option 'splt'.*images.*\n.*did you mean 'split'"),
    ],
)
def test_messages_name_the_mistake(spec, message, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half/a.json").write_text('{"shapes": [')
    with pytest.raises(DataError, match=message):
        open_source(spec.format(tmp_path))


def test_a_folder_of_kitti_splits_names_them(tmp_path):
    for split in ("train", "val"):
        (tmp_path / split / "label_2").mkdir(parents=True)
        (tmp_path / split / "label_2/a.txt").touch()
    with pytest.raises(DataError, match=r"add \?split=train; splits are train, val"):
        open_source(f"kitti:{tmp_path}")
