"""CSV with one box per row, written."""

import pytest
from numpy.testing import assert_allclose

import tiny_data
from odapi.data.convert import Target, convert, spec_of, write_split
from odapi.data.sources import open_source
from odapi.errors import OdapiError


def test_written_file(tmp_path):
    def change(content):
        content["categories"][1]["name"] = "dog, small"
        content["annotations"][2]["bbox"] = [10.25, 15, 20, 30]

    source = open_source(tiny_data.write_coco(tmp_path / "in", change))
    target = Target("csv", tmp_path / "out")
    result = convert(source, target)
    assert spec_of(target, result) == f"csv:{tmp_path / 'out' / 'annotations.csv'}"
    assert result.path.read_text() == (
        "filename,width,height,class,xmin,ymin,xmax,ymax\n"
        "a.jpg,60,40,cat,6,10,36,30\n"
        'a.jpg,60,40,"dog, small",30,0,60,20\n'
        'b.jpg,40,60,"dog, small",10.25,15,30.25,45\n'
        "c.jpg,60,40,,,,,\n"
    )
    again = open_source(spec_of(target, result))
    assert [c.name for c in again.label_map] == ["cat", "dog, small"]
    for before, after in zip(source, again, strict=True):
        assert_allclose(after["boxes"], before["boxes"], atol=1e-6)
    assert not again.problems


def test_images_by_their_paths(tmp_path):
    source = open_source(tiny_data.write_voc(tmp_path / "in"))
    result = convert(source, Target("csv", tmp_path / "x.csv", "refer"))
    again = open_source(f"csv:{result.path}")
    assert [again.path(i) for i in range(3)] == [source.path(i) for i in range(3)]
    with pytest.raises(OdapiError, match="exists"):
        convert(source, Target("csv", tmp_path / "x.csv", "refer"))


def test_splits_share_a_folder_of_images(tmp_path):
    source = open_source(tiny_data.write_voc(tmp_path / "in"))
    parts = {"train": [0, 2], "val": [1]}
    write_split(source, parts, Target("csv", tmp_path / "out"))
    counts = [len(open_source(f"csv:{tmp_path / 'out'}?split={s}")) for s in parts]
    assert counts == [2, 1]


def test_what_csv_has_no_place_for_is_counted(tmp_path):
    def change(content):
        content["annotations"][0] |= {"iscrowd": 1, "difficult": 1}
        content["annotations"][1]["segmentation"] = [[30, 0, 60, 0, 60, 20]]

    source = open_source(tiny_data.write_coco(tmp_path / "in", change))
    result = convert(source, Target("csv", tmp_path / "out"))
    lost = {p.kind: p.count for p in result.losses}
    assert lost == {"masks": 1, "is_crowd": 1, "difficult": 1}
