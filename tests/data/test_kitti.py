"""KITTI label files: lines, regions that do not count, levels, splits; and writing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tiny_data
from odapi.data.convert import Target, convert
from odapi.data.sources import open_source
from odapi.errors import DataError
from odapi.labels import Category, LabelMap, label_map_of
from source_views import boxes_px, problems

SPACE = "1.67 1.87 3.69 -16.53 2.39 58.49 1.57"
CAR = f"Car 0.00 0 1.85 4.00 6.00 20.00 18.00 {SPACE}"
WALKER = f"Pedestrian 0.50 1 -0.20 22.00 2.00 30.00 12.00 {SPACE}"
VAN = f"Van 0.10 2 0.30 1.00 1.00 3.00 4.00 {SPACE}"
DONT_CARE = "DontCare -1 -1 -10 28.00 10.00 31.00 20.00 -1 -1 -1 -1000 -1000 -1000 -10"


def write(folder, *lines, labels="training/label_2", images="training/image_2"):
    tiny_data.write_images(folder / images)
    (folder / labels).mkdir(parents=True)
    (folder / labels / "a.txt").write_text("\n".join(lines))
    (folder / labels / "b.txt").write_text(CAR)
    (folder / labels / "c.txt").write_text("")
    return f"kitti:{folder}"


def test_objects_and_names_are_those_of_the_original(tmp_path):
    # Lines of the case "KITTI text labels to records" of the original's converter.
    spec = write(tmp_path, CAR, WALKER, VAN, DONT_CARE)
    label_map = LabelMap((Category(1, "car"), Category(2, "pedestrian")))
    source = open_source(f"{spec}?unknown=drop", label_map)
    kept = ~source[0]["is_crowd"]
    assert source[0]["classes"][kept].tolist() == [0, 1]
    assert boxes_px(source[0])[:2] == [[6, 4, 18, 20], [2, 22, 12, 30]]
    assert source.problems.count("unknown class, dropped") == 1


def test_dont_care_is_an_ignored_object_of_every_class(tmp_path):
    source = open_source(write(tmp_path, CAR, DONT_CARE, WALKER))
    assert [c.name for c in source.label_map] == ["Car", "Pedestrian"]
    sample = source[0]
    assert sample["classes"].tolist() == [0, 0, 1, 1]
    assert sample["is_crowd"].tolist() == [False, True, True, False]
    assert sample["weights"].tolist() == [1, 0, 0, 1]
    assert boxes_px(sample)[1:3] == [[10, 28, 20, 31]] * 2
    assert source[1]["is_crowd"].tolist() == [False]
    assert len(source[2]["boxes"]) == 0


def test_dont_care_is_left_out_on_request(tmp_path):
    spec = write(tmp_path, CAR, DONT_CARE, WALKER)
    sample = open_source(f"{spec}?dontcare=drop")[0]
    assert sample["classes"].tolist() == [0, 1]
    assert "is_crowd" not in sample


@pytest.mark.parametrize(
    ("level", "expected"),
    # Heights of 45, 30, 30, 30 and 12 pixels.
    [
        ("easy", [0, 1, 1, 1, 1]),
        ("moderate", [0, 0, 1, 1, 1]),
        ("hard", [0, 0, 0, 1, 1]),
    ],
)
def test_levels_of_the_benchmark(level, expected, tmp_path):
    lines = (
        f"Car 0.15 0 0 1 1 9 46 {SPACE}", f"Car 0.30 1 0 1 1 9 31 {SPACE}",
        f"Car 0.50 2 0 1 1 9 31 {SPACE}", f"Car 0.51 0 0 1 1 9 31 {SPACE}",
        f"Car 0.00 0 0 1 1 9 13 {SPACE}",
    )  # fmt: skip
    spec = write(tmp_path, *lines)
    assert open_source(f"{spec}?level={level}")[0]["difficult"].tolist() == expected
    assert "difficult" not in open_source(spec)[0]


@pytest.mark.parametrize(
    ("row", "kind", "place"),
    [
        (f"{CAR} 0.9 7", "malformed row", "a.txt, line 2"),
        ("Car 0.00 0 1.85 4.00 6.00 20.00 18.00", "malformed row", "a.txt, line 2"),
        (f"Car 0 0 0 4 6 x 18 {SPACE}", "NaN box", "a, object 2"),
        (f"Car 0 0 0 20 6 4 18 {SPACE}", "inverted box", "a, object 2"),
        (f"Car 0 0 0 70 6 90 18 {SPACE}", "box outside the image", "a, object 2"),
        (f"Car 0 0 0 4 6 4 18 {SPACE}", "box without area", "a, object 2"),
        (f"Car 0 0 0 4 6 99 18 {SPACE}", "box beyond the image", "a, object 2"),
    ],
)
def test_bad_line_is_counted_and_the_others_are_read(row, kind, place, tmp_path):
    source = open_source(write(tmp_path, CAR, row))
    assert boxes_px(source[0])[0] == [6, 4, 18, 20]
    list(source)
    assert problems(source) == {kind: (1, place)}


def test_class_names_with_spaces_scores_and_empty_lines(tmp_path):
    lines = (f"traffic light 0 0 0 4 6 20 18 {SPACE} 0.9\r", "", f"\ufeff{CAR}"[1:])
    source = open_source(write(tmp_path, *lines))
    assert [c.name for c in source.label_map] == ["Car", "traffic light"]
    assert boxes_px(source[0])[0] == [6, 4, 18, 20]


@pytest.mark.parametrize(
    ("labels", "images", "spec"),
    [
        ("label_2", "image_2", "kitti:{}"),
        ("label_2", "image_2", "{}"),
        ("label_2", "image_2", "kitti:{}/label_2"),
        ("labels", "images", "kitti:{}"),
        ("training/label_2", "data_object_image_2/training/image_2", "kitti:{}"),
        ("night/label_2", "night/image_2", "kitti:{}?split=night"),
        ("label_2", "far", "kitti:{}?images=far"),
    ],
)
def test_layouts(labels, images, spec, tmp_path):
    write(tmp_path, CAR, labels=labels, images=images)
    source = open_source(spec.format(tmp_path))
    assert [len(s["boxes"]) for s in source] == [1, 1, 0]
    assert not source.problems


def test_list_of_a_split(tmp_path):
    spec = write(tmp_path, WALKER)
    (tmp_path / "ImageSets").mkdir()
    (tmp_path / "ImageSets" / "val.txt").write_text("c\nb\nb\nnone\n")
    source = open_source(f"{spec}?split=validation")
    assert source.image_ids == ["c", "b"]
    assert problems(source) == {
        "repeated image": (1, "b"), "missing annotation": (1, "none"),
    }  # fmt: skip
    assert [c.name for c in source.label_map] == ["Car", "Pedestrian"]


def test_missing_files_are_counted(tmp_path):
    spec = write(tmp_path, CAR)
    (tmp_path / "training/label_2/b.txt").unlink()
    (tmp_path / "training/image_2/c.jpg").unlink()
    source = open_source(spec)
    assert problems(source) == {
        "missing annotation": (1, "b.jpg"), "missing image": (1, "c"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("kitti:{}?split=test", "has no split 'test'"),
        ("kitti:{}/empty", "has no folder label_2"),
        ("kitti:{}?level=harder", "known values are easy, hard, moderate"),
        ("kitti:{}/none", "no such file or folder"),
    ],
)
def test_what_is_not_kitti_is_refused(spec, message, tmp_path):
    write(tmp_path, CAR)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        open_source(spec.format(tmp_path))


def test_written_files(tmp_path):
    source = open_source(write(tmp_path / "in", CAR, DONT_CARE, WALKER))
    result = convert(source, Target("kitti", tmp_path / "out"))
    assert (tmp_path / "out/train/label_2/a.txt").read_text() == (
        "Car 0.00 0 -10 4.00 6.00 20.00 18.00 -1 -1 -1 -1000 -1000 -1000 -10\n"
        "Pedestrian 0.00 0 -10 22.00 2.00 30.00 12.00 -1 -1 -1 -1000 -1000 -1000 -10\n"
        "DontCare -1 -1 -10 28.00 10.00 31.00 20.00 -1 -1 -1 -1000 -1000 -1000 -10\n"
    )
    assert (tmp_path / "out/train/label_2/c.txt").read_text() == ""
    assert not result.losses
    again = open_source(f"kitti:{tmp_path / 'out'}?split=train")
    for before, after in zip(source, again, strict=True):
        order = np.lexsort((before["classes"], before["weights"]))[::-1]
        other = np.lexsort((after["classes"], after["weights"]))[::-1]
        for key in ("classes", "weights", "is_crowd"):
            assert_array_equal(after[key][other], before[key][order])
        assert_allclose(after["boxes"][other], before["boxes"][order], atol=1e-6)


def test_what_kitti_has_no_place_for_is_counted(tmp_path):
    def change(content):
        content["annotations"][0]["iscrowd"] = 1
        content["categories"][0]["name"] = "traffic light"

    source = open_source(tiny_data.write_coco(tmp_path / "in", change))
    result = convert(source, Target("kitti", tmp_path / "out"))
    lost = {p.kind: p.count for p in result.losses}
    assert lost == {"is_crowd": 1, "space in a class name": 1}
    again = open_source(
        f"kitti:{tmp_path / 'out'}?split=train", label_map_of(["traffic light", "dog"])
    )
    assert again[0]["classes"].tolist() == [0, 1]
