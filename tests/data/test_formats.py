"""Properties of each format alone: layouts, names, splits, options."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tiny_data
from odapi.data.convert import Target, convert, spec_of
from odapi.data.sources import open_source
from odapi.data.sources.open import Spec, parse_spec
from odapi.errors import DataError
from odapi.labels import label_map_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("coco:a/b.json", Spec("coco", "a/b.json", {})),
        ("voc:d?split=val", Spec("voc", "d", {"split": "val"})),
        (
            "coco:a.json?images=i/j&unknown=drop",
            Spec("coco", "a.json", {"images": "i/j", "unknown": "drop"}),
        ),
        (
            "tfrecord:t-?????-of-00010",
            Spec("tfrecord", "t-?????-of-00010", {}),
        ),
        (
            "tfrecord:t-?????-of-00010?unknown=drop",
            Spec("tfrecord", "t-?????-of-00010", {"unknown": "drop"}),
        ),
        ("x/train.record", Spec("tfrecord", "x/train.record", {})),
        ("x/train.json", Spec("coco", "x/train.json", {})),
        ("x/train_labels.csv", Spec("csv", "x/train_labels.csv", {})),
        ("x/data.yaml?split=val", Spec("yolo", "x/data.yaml", {"split": "val"})),
        (r"C:\data\a.json", Spec("coco", r"C:\data\a.json", {})),
        (r"voc:C:\data\a", Spec("voc", r"C:\data\a", {})),
    ],
)
def test_specs(text, expected):
    assert parse_spec(text) == expected


def test_hidden_files_do_not_tell_the_kind(tmp_path):
    tiny_data.write("yolo", tmp_path)
    (tmp_path / ".idea").mkdir()
    (tmp_path / ".idea" / "workspace.xml").write_text("<project/>")
    assert parse_spec(str(tmp_path)).kind == "yolo"


@pytest.mark.parametrize("kind", sorted(tiny_data.WRITERS))
def test_kind_of_a_folder_is_seen_from_what_is_in_it(kind, tmp_path):
    tiny_data.write(kind, tmp_path)
    assert parse_spec(str(tmp_path)).kind == {"lvis": "coco"}.get(kind, kind)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("voz:x", "known values are .*coco, csv, .*tfrecord, voc, yolo"),
        ("voc:x?splt=train", "did you mean 'split'"),
        ("coco:x?unknown=keep", "known values are drop"),
        ("nowhere", "path does not exist"),
        ("nowhere", "csv:nowhere"),
        ("csv:nowhere.csv", "no such file"),
        ("voc:nowhere", "no such folder"),
        ("coco:nowhere.json", "no such file"),
        ("yolo:nowhere", "no such file"),
    ],
)
def test_what_is_wrong_with_a_spec_is_told(spec, message):
    with pytest.raises(DataError, match=message):
        open_source(spec)


# --- COCO


def test_coco_reads_everything(tmp_path):
    def change(content):
        content["categories"][0]["keypoints"] = ["nose", "tail"]
        content["categories"][0]["skeleton"] = [[2, 1]]
        content["annotations"][0] |= {
            "iscrowd": 1,
            "area": 321.5,
            "keypoints": [12, 14, 2, 0, 0, 0],
            "segmentation": [[6, 10, 36, 10, 36, 30, 6, 30]],
        }

    source = open_source(tiny_data.write_coco(tmp_path, change))
    sample = source[0]
    assert sample["is_crowd"].tolist() == [True, False]
    assert sample["area"].tolist() == [321.5, 600]
    assert sample["keypoint_visibility"].tolist() == [[2, 0], [0, 0]]
    assert_allclose(sample["keypoints"][0, 0], [14 / 40, 12 / 60], rtol=1e-6)
    assert np.isnan(sample["keypoints"][0, 1]).all()
    expected = np.zeros((2, 40, 60), np.uint8)
    expected[0, 10:30, 6:36] = 1
    np.testing.assert_array_equal(sample["masks"], expected)
    assert source[2]["keypoints"].shape == (0, 2, 2)
    cat = source.label_map.by_id[1]
    assert [k.name for k in cat.keypoints] == ["nose", "tail"]
    assert cat.skeleton == ((1, 0),)


def test_coco_keeps_gaps_in_ids(tmp_path):
    def change(content):
        content["categories"][1]["id"] = 90
        for annotation in content["annotations"]:
            annotation["category_id"] = {1: 1, 2: 90}[annotation["category_id"]]

    source = open_source(tiny_data.write_coco(tmp_path, change))
    assert source.label_map.num_classes == 90
    assert source[0]["classes"].tolist() == [0, 89]
    # By name, whatever the ids are.
    source = open_source(f"coco:{tmp_path}", label_map_of(["dog", "cat"]))
    assert source[0]["classes"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("json_at", "images_at", "file_name"),
    [
        ("data.json", ".", "{}"),
        ("data.json", "images", "{}"),
        ("annotations/instances_train2017.json", "train2017", "{}"),
        ("annotations/instances_train2017.json", "images/train2017", "{}"),
        ("annotations/train.json", "images", "{}"),
        ("train/_annotations.coco.json", "train", "{}"),
        ("data.json", "train", "train/{}"),
        ("data.json", "images", "/home/somebody/images/{}"),
        ("data.json", "images", r"C:\images\{}"),
    ],
)
def test_coco_finds_images(json_at, images_at, file_name, tmp_path):
    tiny_data.write_images(tmp_path / images_at)
    content = tiny_data.coco_content()
    for image in content["images"]:
        image["file_name"] = file_name.format(image["file_name"])
    file = tmp_path / json_at
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    assert len(list(open_source(f"coco:{file}"))) == 3


def test_coco_takes_the_folder_that_is_given(tmp_path):
    tiny_data.write_images(tmp_path / "far" / "away")
    file = tmp_path / "x.json"
    file.write_text(json.dumps(tiny_data.coco_content()))
    spec = f"coco:{file}?images={tmp_path / 'far' / 'away'}"
    assert len(list(open_source(spec))) == 3
    assert len(list(open_source(f"coco:{file}?images=far/away"))) == 3
    with pytest.raises(DataError, match="searched"):
        open_source(f"coco:{file}")


def test_coco_folder_with_several_files_needs_a_split(tmp_path):
    tiny_data.write_images(tmp_path / "images")
    (tmp_path / "annotations").mkdir()
    for name in ("instances_train", "instances_val", "captions_train"):
        text = json.dumps(tiny_data.coco_content())
        (tmp_path / "annotations" / f"{name}.json").write_text(text)
    with pytest.raises(DataError, match="instances_val"):
        open_source(f"coco:{tmp_path}")
    source = open_source(f"coco:{tmp_path}?split=val")
    assert source.name.endswith("instances_val.json")
    source = open_source(f"coco:{tmp_path}?split=train")
    assert source.name.endswith("instances_train.json")


def test_coco_without_annotations_is_a_list_of_images(tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path, lambda c: c.pop("annotations")))
    assert [len(s["boxes"]) for s in source] == [0, 0, 0]


def test_coco_real_files(shared):
    folder = shared / "data" / "coco_mini"
    source = open_source(f"coco:{folder}?split=train")
    assert len(source) == 52
    assert len(source.label_map) == 80
    assert source.label_map.num_classes == 90
    assert sum(len(source.annotations(i)["boxes"]) for i in range(52)) == 541
    duck = open_source(f"coco:{shared / 'data' / 'ducky'}")
    assert len(list(duck)) == 5


# --- VOC


def test_voc_splits_are_lists_and_share_a_label_map(tmp_path):
    tiny_data.write_voc(tmp_path)
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("b 1\nc -1\n\n")
    source = open_source(f"voc:{tmp_path}?split=val")
    assert source.image_ids == ["b", "c"]
    # A cat is only in the image `a`.
    assert [c.name for c in source.label_map] == ["cat", "dog"]
    with pytest.raises(DataError, match="it has val"):
        open_source(f"voc:{tmp_path}?split=train")


def test_voc_name_in_a_list_without_xml_is_counted(tmp_path):
    tiny_data.write_voc(tmp_path)
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_text("b\nb\nz\n")
    source = open_source(f"voc:{tmp_path}?split=val")
    assert source.image_ids == ["b"]
    assert source.problems.count("missing annotation") == 1
    assert source.problems.count("repeated image") == 1


def test_voc_flat_folder_as_labelimg_leaves_it(tmp_path):
    tiny_data.write_images(tmp_path)
    for name in "ab":
        (tmp_path / f"{name}.xml").write_text(tiny_data.voc_xml(name))
    source = open_source(f"voc:{tmp_path}")
    assert source.image_ids == ["a", "b"]
    assert source.problems.as_dict()[0]["first"] == ["c.jpg"]


def test_voc_splits_may_be_folders(tmp_path):
    for split, name in (("train", "a"), ("valid", "b")):
        tiny_data.write_images(tmp_path / split)
        (tmp_path / split / f"{name}.xml").write_text(tiny_data.voc_xml(name))
    source = open_source(f"voc:{tmp_path}?split=valid")
    assert source.image_ids == ["b"]
    assert [c.name for c in source.label_map] == ["cat", "dog"]
    assert len(open_source(f"voc:{tmp_path}")) == 2


def test_voc_same_name_in_two_folders(tmp_path):
    for folder, objects in (("one", [(0, (0, 0, 9, 9))]), ("two", [])):
        tiny_data.write_images(tmp_path / folder)
        text = tiny_data.voc_xml("a", objects=objects)
        (tmp_path / folder / "a.xml").write_text(text)
    source = open_source(f"voc:{tmp_path}")
    assert source.image_ids == ["one/a", "two/a"]
    assert not source.problems.count("duplicate id")
    assert [len(s["boxes"]) for s in source] == [1, 0]
    assert source.path(0).parent.name == "one"
    assert source.path(1).parent.name == "two"


@pytest.mark.parametrize("filename", ["", "a", "other.jpg", "a.png", "x/y/a.jpg"])
def test_voc_finds_images_by_the_name_of_the_xml_file(filename, tmp_path):
    spec = tiny_data.write_voc(tmp_path)
    text = tiny_data.voc_xml("a", filename="@").replace("@", filename)
    (tmp_path / "Annotations" / "a.xml").write_text(text)
    assert open_source(spec).path(0).name == "a.jpg"


def test_voc_parts_and_difficult(tmp_path):
    spec = tiny_data.write_voc(tmp_path)
    text = tiny_data.voc_xml("a").replace(
        "</bndbox></object>",
        "</bndbox><difficult>1</difficult><part><name>head</name><bndbox/></part>"
        "</object>",
        1,
    )
    (tmp_path / "Annotations" / "a.xml").write_text(text)
    source = open_source(spec)
    assert source[0]["difficult"].tolist() == [True, False]
    assert [c.name for c in source.label_map] == ["cat", "dog"]


def test_voc_real_files(shared):
    source = open_source(f"voc:{shared / 'data' / 'bccd'}?split=train")
    assert len(source) == 205
    assert [c.name for c in source.label_map] == ["Platelets", "RBC", "WBC"]
    for i in range(len(source)):
        source.annotations(i)
    # One of the boxes in BloodImage_00343.xml has no area.
    assert source.problems.as_dict() == [
        {
            "kind": "box without area",
            "outcome": "dropped",
            "first": ["BloodImage_00343, object 4"],
            "count": 1,
        }
    ]


# --- YOLO


def yolo(folder, yaml=None, where="images", lines=None):
    tiny_data.write_images(folder / where)
    labels = folder / where.replace("images", "labels")
    labels.mkdir(parents=True, exist_ok=True)
    for name in "ab":
        text = tiny_data.yolo_lines(name) if lines is None else lines
        (labels / f"{name}.txt").write_text(text)
    if yaml is not None:
        (folder / "data.yaml").write_text(yaml)


NAMED = "names:\n  0: cat\n  1: dog\n"


@pytest.mark.parametrize(
    ("yaml", "where"),
    [
        (f"train: images/train\n{NAMED}", "images/train"),
        (f"path: .\ntrain: [images/train]\n{NAMED}", "images/train"),
        ("train: ../train/images\nnc: 2\nnames: ['cat', 'dog']\n", "train/images"),
        (f"path: ../data\ntrain: images # all\n{NAMED}", "images"),
    ],
)
def test_yolo_layouts(yaml, where, tmp_path):
    yolo(tmp_path / "data", yaml, where)
    source = open_source(f"yolo:{tmp_path / 'data'}?split=train")
    assert [len(s["boxes"]) for s in source] == [2, 1, 0]
    assert [c.name for c in source.label_map] == ["cat", "dog"]


def test_yolo_list_of_images(tmp_path):
    yolo(tmp_path, f"train: train.txt\n{NAMED}")
    (tmp_path / "train.txt").write_text("./images/b.jpg\nimages/c.jpg\nimages/z.jpg\n")
    source = open_source(f"yolo:{tmp_path}?split=train")
    assert source.image_ids == ["b", "c"]
    assert source.problems.count("missing image") == 1


def test_yolo_without_yaml(tmp_path):
    yolo(tmp_path, where="images/val")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    source = open_source(f"yolo:{tmp_path}?split=val")
    assert [c.name for c in source.label_map] == ["cat", "dog"]
    (tmp_path / "classes.txt").unlink()
    source = open_source(f"yolo:{tmp_path}?split=val")
    assert [c.name for c in source.label_map] == ["class 0", "class 1"]
    assert source[0]["classes"].tolist() == [0, 1]


def test_yolo_images_and_labels_in_one_folder(tmp_path):
    tiny_data.write_images(tmp_path)
    (tmp_path / "a.txt").write_text(tiny_data.yolo_lines("a"))
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    source = open_source(f"yolo:{tmp_path}")
    assert [len(s["boxes"]) for s in source] == [2, 0, 0]


def test_yolo_polygons_are_masks(tmp_path):
    line = "1 0.1 0.25 0.6 0.25 0.6 0.75 0.1 0.75\n"
    yolo(tmp_path, f"train: images\n{NAMED}", lines=line)
    sample = open_source(f"yolo:{tmp_path}")[0]
    assert_allclose(sample["boxes"], [[0.25, 0.1, 0.75, 0.6]])
    expected = np.zeros((1, 40, 60), np.uint8)
    expected[0, 10:30, 6:36] = 1
    np.testing.assert_array_equal(sample["masks"], expected)


def test_yolo_keypoints(tmp_path):
    yaml = f"train: images\nkpt_shape: [2, 3]\n{NAMED}"
    yolo(tmp_path, yaml, lines="0 0.5 0.5 0.2 0.4 0.1 0.2 2 0 0 0\n")
    sample = open_source(f"yolo:{tmp_path}")[0]
    assert_allclose(sample["boxes"], [[0.3, 0.4, 0.7, 0.6]], rtol=1e-6)
    # Each class has slots of its own.
    assert sample["keypoint_visibility"].tolist() == [[2, 0, 0, 0]]
    assert_allclose(sample["keypoints"][0, 0], [0.2, 0.1])


@pytest.mark.parametrize("line", ["0 0.5 0.5", "x 0 0 1 1", "0 a b c d", "0"])
def test_yolo_line_that_is_no_box_is_counted(line, tmp_path):
    yolo(tmp_path, f"train: images\n{NAMED}", lines=line)
    source = open_source(f"yolo:{tmp_path}")
    assert [len(s["boxes"]) for s in source] == [0, 0, 0]
    assert source.problems.count("malformed box") == 2


def test_yolo_number_without_a_name_is_refused(tmp_path):
    yolo(tmp_path, f"train: images\n{NAMED}", lines="7 0.5 0.5 0.1 0.1")
    with pytest.raises(DataError, match="number 7, counted from 0"):
        open_source(f"yolo:{tmp_path}")


@pytest.mark.parametrize("kind", ["coco", "tfrecord", "voc", "yolo"])
@pytest.mark.parametrize("name", [".a.jpg", "a\n.jpg", "\ta.jpg", "d:a.jpg", "..jpg"])
def test_odd_names_of_images_are_read_back(kind, name, tmp_path):
    spec = tiny_data.write_coco(
        tmp_path / "in", lambda c: c["images"][0].update(file_name=name)
    )
    folder = tmp_path / "in" / "images"
    (folder / "a.jpg").rename(folder / name)
    out = tmp_path / "out" / ("a.record" if kind == "tfrecord" else "")
    target = Target(kind, out)
    again = open_source(spec_of(target, convert(open_source(spec), target)))
    assert sum(len(again[i]["boxes"]) for i in range(len(again))) == 3
    assert not again.problems
