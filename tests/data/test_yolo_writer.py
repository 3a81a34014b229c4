"""YOLO writer: polygons and keypoints are read back as they were."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from typer.testing import CliRunner

import tiny_data
from odapi.cli.main import app
from odapi.data.convert import Target, convert, spec_of, write_split
from odapi.data.sources.open import open_source
from odapi.data.sources.yolo_yaml import read_data_file
from odapi.errors import DataError

RECTANGLE = [[20, 10, 40, 10, 40, 30, 20, 30]]
PARTS = [[2, 2, 8, 2, 8, 8, 2, 8], [20, 20, 30, 22, 25, 33]]


def masks(content):
    first, second, _ = content["annotations"]
    first |= {"bbox": [20, 10, 20, 20], "segmentation": RECTANGLE}
    second |= {"bbox": [2, 2, 28, 30], "segmentation": PARTS}


def keypoints(content):
    cat, dog = content["categories"]
    cat["keypoints"], dog["keypoints"] = ["left_ear", "right_ear", "nose"], ["tail"]
    first, second, third = content["annotations"]
    first["keypoints"] = [6, 20, 2, 12, 20, 1, 0, 0, 0]
    second["keypoints"] = [30, 20, 2]
    third["keypoints"] = [0, 0, 0]


def both(content):
    masks(content)
    keypoints(content)


def written(folder, change, **options):
    source = open_source(tiny_data.write_coco(folder / "in", change))
    target = Target("yolo", folder / "out", **options)
    result = convert(source, target)
    losses = {p.kind: p.count for p in result.losses}
    return source, open_source(f"yolo:{folder / 'out'}"), losses


def described(folder):
    return read_data_file(folder / "out" / "data.yaml").values


def test_polygons(tmp_path):
    source, again, losses = written(tmp_path, masks)
    assert losses == {"area": 2}
    assert not again.problems
    before, after = source[0], again[0]
    assert_array_equal(after["masks"], before["masks"])
    assert_allclose(after["boxes"], before["boxes"], atol=1e-6)
    # An object without a mask stays a box.
    assert_allclose(again[1]["boxes"], source[1]["boxes"], atol=1e-6)
    assert not np.asarray(again[1]["masks"]).any()


def test_a_rectangle_alone_is_no_box_with_keypoints(tmp_path):
    def one(content):
        masks(content)
        del content["annotations"][1:]

    source, again, _ = written(tmp_path, one)
    line = (tmp_path / "out/labels/train/a.txt").read_text()
    assert line == "0 0.3333333 0.25 0.6666667 0.25 0.6666667 0.75 0.3333333 0.75\n"
    assert_array_equal(again[0]["masks"], source[0]["masks"])


def test_a_box_that_is_not_that_of_its_mask_is_counted(tmp_path):
    def wide(content):
        masks(content)
        content["annotations"][0]["bbox"] = [15, 10, 30, 20]

    _, again, losses = written(tmp_path, wide)
    assert losses["box other than that of its mask"] == 1
    assert_allclose(again[0]["boxes"][0], [0.25, 1 / 3, 0.75, 2 / 3], atol=1e-6)


def test_keypoints(tmp_path):
    source, again, losses = written(tmp_path, keypoints)
    assert losses == {}
    assert not again.problems
    assert described(tmp_path) == {
        "train": "images/train",
        "names": {"0": "cat", "1": "dog"},
        "kpt_shape": ["3", "3"],
        "kpt_names": {"0": ["left_ear", "right_ear", "nose"], "1": ["tail"]},
    }
    for before, after in zip(source.label_map, again.label_map, strict=True):
        assert after.keypoints == before.keypoints
    for i in range(3):
        for key in ("boxes", "keypoints", "keypoint_visibility"):
            assert_allclose(again[i][key], source[i][key], atol=1e-6)


def test_flip_idx_is_written_and_read(tmp_path):
    def one_class(content):
        keypoints(content)
        content["categories"][1].pop("keypoints")
        content["annotations"][1].pop("keypoints")
        content["annotations"][2].pop("keypoints")

    _, again, _ = written(tmp_path, one_class)
    assert described(tmp_path)["flip_idx"] == ["1", "0", "2"]
    assert [c.flip for c in again.label_map] == [(1, 0, 2), ()]


def test_an_unknown_order_of_flips_is_not_written(tmp_path):
    def unsided(content):
        keypoints(content)
        content["categories"][0]["keypoints"] = ["beak", "crest", "tail"]
        content["categories"][1]["keypoints"] = []

    written(tmp_path, unsided)
    assert "flip_idx" not in described(tmp_path)


def test_keypoints_without_names(tmp_path):
    def unnamed(content):
        keypoints(content)
        for category in content["categories"]:
            category.pop("keypoints")
        for annotation in content["annotations"][1:]:
            annotation.pop("keypoints")

    source, again, _ = written(tmp_path, unnamed)
    assert "kpt_names" not in described(tmp_path)
    visibility = again[0]["keypoint_visibility"][0]
    assert visibility[:3].tolist() == source[0]["keypoint_visibility"][0].tolist()


@pytest.mark.parametrize(
    ("lines", "has", "lost"),
    [
        ("", {"keypoints", "keypoint_visibility"}, {"masks": 2}),
        ("keypoints", {"keypoints", "keypoint_visibility"}, {"masks": 2}),
        ("polygons", {"masks"}, {"keypoints": 2}),
        ("boxes", set(), {"keypoints": 2, "masks": 2}),
    ],
)
def test_one_kind_of_lines(lines, has, lost, tmp_path):
    _, again, losses = written(tmp_path, both, lines=lines)
    assert again.keys == has
    assert losses == lost | {"area": 2}


def test_splits_have_the_lines_that_are_asked_for(tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path / "in", both))
    target = Target("yolo", tmp_path / "out", lines="polygons")
    write_split(source, {"train": [0, 2], "val": [1]}, target)
    assert open_source(f"yolo:{tmp_path / 'out'}?split=train").keys == {"masks"}
    assert described(tmp_path)["val"] == "images/val"


def test_lines_that_cannot_be_written(tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path / "in"))
    for lines, missing in (("polygons", "masks"), ("keypoints", "keypoints")):
        target = Target("yolo", tmp_path / "out", lines=lines)
        with pytest.raises(DataError, match=f"--lines: the dataset has no {missing}"):
            convert(source, target)
    with pytest.raises(DataError, match="--lines: unknown value 'masks'"):
        Target("yolo", tmp_path, lines="masks")
    with pytest.raises(DataError, match="--lines: is for --to yolo, got --to coco"):
        Target("coco", tmp_path, lines="polygons")


def test_command_names_the_other_kind_of_lines(tmp_path):
    spec = tiny_data.write_coco(tmp_path / "in", both)
    command = ["data", "convert", spec, "--to", "yolo", "--output"]
    done = CliRunner().invoke(app, [*command, str(tmp_path / "out")])
    assert "--lines polygons writes the masks" in done.stdout
    command = [*command, str(tmp_path / "other"), "--lines", "polygons"]
    done = CliRunner().invoke(app, command)
    assert "--lines keypoints writes the keypoints" in done.stdout
    assert (tmp_path / "other/data.yaml").read_text().endswith("lines: polygons\n")


def test_real_masks_and_keypoints_survive(shared, tmp_path):
    folder = shared / "data/coco_mini/annotations"
    source = open_source(f"coco:{folder / 'person_keypoints_val2017.json'}")
    for lines, key in (("polygons", "masks"), ("keypoints", "keypoints")):
        convert(source, Target("yolo", tmp_path / lines, lines=lines))
        again = open_source(f"yolo:{tmp_path / lines}")
        found = {s["filename"]: s for s in again}
        assert len(found) == len(source)
        for sample in source:
            other = found[sample["filename"]]
            if key == "masks":
                assert_array_equal(other[key], sample[key])
            else:
                assert_allclose(other[key], sample[key], atol=1e-6)
                visible = "keypoint_visibility"
                assert_array_equal(other[visible], sample[visible])


@pytest.mark.parametrize("suffix", [".ppm", ".jp2"])
def test_rare_image_formats_are_read_back(suffix, tmp_path):
    folder = tmp_path / "a"
    tiny_data.write_images(folder / "images")
    file = folder / "images" / f"a{suffix}"
    (folder / "images" / "a.jpg").unlink()
    file.write_bytes(tiny_data.encoded(suffix))
    content = tiny_data.coco_content()
    content["images"][0]["file_name"] = file.name
    (folder / "a.json").write_text(json.dumps(content))
    source = open_source(f"coco:{folder / 'a.json'}")
    target = Target("yolo", tmp_path / "b")
    again = open_source(spec_of(target, convert(source, target)))
    assert len(again) == 3
    assert not again.problems
