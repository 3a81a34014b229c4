"""Oxford-IIIT pets: class names, head boxes, trimaps, lists; and writing."""

import random

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tiny_data
from odapi.data.convert import Target, convert, write_split
from odapi.data.sources import open_source
from odapi.data.sources.pets import class_of
from odapi.errors import DataError
from odapi.labels import Category, LabelMap
from source_views import boxes_px, problems

STEMS = {"great_dane_12": (24, 32), "Abyssinian_3": (20, 20), "beagle_7": (30, 40)}


def xml(box, name="cat"):
    sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    bndbox = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return (
        f"<annotation><filename>x.jpg</filename><object><name>{name}</name>"
        f"<pose>Frontal</pose><truncated>0</truncated><difficult>0</difficult>"
        f"<bndbox>{bndbox}</bndbox></object></annotation>"
    )


def write(folder):
    """Writes three images; the last one has no XML file."""
    (folder / "images").mkdir(parents=True)
    for name in ("xmls", "trimaps"):
        (folder / "annotations" / name).mkdir(parents=True)
    for seed, (stem, size) in enumerate(STEMS.items()):
        data = tiny_data.encoded(".jpg", size, seed)
        (folder / "images" / f"{stem}.jpg").write_bytes(data)
        trimap = np.full(size, 2, np.uint8)
        trimap[4:14, 8:20] = 3  # The border, one or two pixels wide.
        trimap[5:13, 10:18] = 1
        cv2.imwrite(str(folder / "annotations/trimaps" / f"{stem}.png"), trimap)
    files = {"great_dane_12": (9, 5, 16, 12), "Abyssinian_3": (3, 2, 9, 10)}
    for stem, box in files.items():
        (folder / "annotations/xmls" / f"{stem}.xml").write_text(xml(box))
    lines = "great_dane_12 5 2 3\nAbyssinian_3 1 1 1\nbeagle_7 3 2 2\n"
    (folder / "annotations/trainval.txt").write_text(f"#Image ids\n{lines}")
    return f"pets:{folder}"


# Case "Class name from a pet file name" of the original.
@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("great_dane_12", "great_dane"),
        ("Abyssinian_3", "Abyssinian"),
        ("american_pit_bull_terrier_105", "american_pit_bull_terrier"),
        ("cat", ""),
        ("_1", ""),
    ],
)
def test_class_names(stem, name):
    assert class_of(stem) == name


def test_head_boxes_are_those_of_the_original(tmp_path):
    # Case "Pets: face boxes from the xml" of the original's converter.
    label_map = LabelMap((Category(1, "Abyssinian"), Category(5, "great_dane")))
    source = open_source(f"{write(tmp_path)}?split=trainval", label_map)
    assert source.image_ids == ["great_dane_12", "Abyssinian_3"]
    assert [s["classes"].tolist() for s in source] == [[4], [0]]
    expected = [0.20833333, 0.28125, 0.5, 0.5]
    assert_allclose(source[0]["boxes"], [expected], rtol=1e-6)
    assert problems(source) == {"missing annotation": (1, "beagle_7")}


def test_bodies_have_boxes_and_masks_of_the_trimaps(tmp_path):
    source = open_source(f"{write(tmp_path)}?boxes=body&split=trainval")
    assert [(c.id, c.name) for c in source.label_map] == [
        (1, "Abyssinian"), (3, "beagle"), (5, "great_dane"),
    ]  # fmt: skip
    sample = source[0]
    # The original ends boxes at the last pixel, 13 and 19, instead of behind it.
    assert boxes_px(sample) == [[4, 8, 14, 20]]
    expected = np.zeros((24, 32), np.uint8)
    expected[4:14, 8:20] = 1
    assert_array_equal(sample["masks"][0], expected)


def test_train_and_val_are_the_parts_of_the_original(tmp_path):
    spec = write(tmp_path)
    names = list(STEMS)
    random.Random(42).shuffle(names)
    train = open_source(f"{spec}?boxes=body&split=train").image_ids
    val = open_source(f"{spec}?boxes=body&split=val").image_ids
    assert [train, val] == [names[:2], names[2:]]


def test_classes_without_a_list_are_in_alphabetical_order(tmp_path):
    spec = write(tmp_path)
    (tmp_path / "annotations/trainval.txt").unlink()
    names = [c.name for c in open_source(f"{spec}?boxes=body").label_map]
    assert names == ["Abyssinian", "beagle", "great_dane"]


def test_what_cannot_be_used_is_counted(tmp_path):
    spec = write(tmp_path)
    folder = tmp_path / "annotations"
    (folder / "xmls/beagle_7.xml").write_text("<annotation>")
    (folder / "xmls/gone_1.xml").write_text(xml((1, 1, 9, 9)))
    (folder / "xmls/dog.xml").write_text(xml((1, 1, 9, 9)))
    (tmp_path / "images/dog.jpg").write_bytes(tiny_data.encoded())
    (folder / "test.txt").write_text("dog 1 1 1\nbeagle_7\nAbyssinian_3\ngone_1\ndog\n")
    source = open_source(f"{spec}?split=test&missing=skip")
    assert {p.kind: p.count for p in source.problems} == {
        "unreadable annotation": 1, "missing image": 1, "object without class": 1,
        "repeated image": 1,
    }  # fmt: skip
    assert [len(s["boxes"]) for s in source] == [0, 1]


def test_damaged_trimap_is_counted(tmp_path):
    spec = write(tmp_path)
    (tmp_path / "annotations/trimaps/beagle_7.png").write_bytes(b"x")
    source = open_source(f"{spec}?boxes=body")
    assert [len(s["boxes"]) for s in source] == [1, 0, 1]
    assert source.problems.count("malformed mask") == 1


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pets:{}?split=night", "has no split 'night'; it has trainval"),
        ("pets:{}?boxes=tail", "known values are body, head"),
        ("pets:{}/images", "has no XML files in annotations/xmls"),
        ("pets:{}/none", "no such file or folder"),
    ],
)
def test_what_is_not_pets_is_refused(spec, message, tmp_path):
    write(tmp_path)
    with pytest.raises(DataError, match=message):
        open_source(spec.format(tmp_path))


def test_folder_is_recognized_by_its_list(tmp_path):
    write(tmp_path)
    assert len(open_source(str(tmp_path))) == 2
    # The same folders with the classes in the XML files are Pascal VOC.
    (tmp_path / "annotations/trainval.txt").write_text("great_dane_12\n")
    assert [c.name for c in open_source(str(tmp_path)).label_map] == ["cat"]


def test_written_files(tmp_path):
    def change(content):
        content["annotations"][2]["segmentation"] = [[10, 15, 30, 15, 30, 45, 10, 45]]

    source = open_source(tiny_data.write_coco(tmp_path / "in", change))
    parts = {"train": [0, 2], "val": [1]}
    written = write_split(source, parts, Target("pets", tmp_path / "out"))
    assert {p.kind: p.count for p in written["train"].losses} == {
        "object of another class": 1, "image without objects": 1,
    }  # fmt: skip
    assert not written["val"].losses
    folder = tmp_path / "out/annotations"
    assert (folder / "train.txt").read_text() == "cat_1 1 1 1\n"
    assert (folder / "val.txt").read_text() == "dog_1 2 1 1\n"
    train = open_source(f"pets:{tmp_path / 'out'}?split=train")
    assert boxes_px(train[0]) == [[10, 6, 30, 36]]
    assert [c.name for c in train.label_map] == ["cat", "dog"]
    val = open_source(f"pets:{tmp_path / 'out'}?split=val&boxes=body")
    assert boxes_px(val[0]) == [[15, 10, 45, 30]]
    assert_array_equal(val[0]["masks"][0], source[1]["masks"][0])


def test_numbers_go_on_in_the_next_split(tmp_path):
    source = open_source(tiny_data.write_voc(tmp_path / "in"))
    for split in ("train", "test"):
        convert(source, Target("pets", tmp_path / "out", split=split))
    names = sorted(p.name for p in (tmp_path / "out/images").iterdir())
    assert names == ["cat_1.jpg", "cat_2.jpg", "dog_1.jpg", "dog_2.jpg"]
