"""Result files have the image ids of the dataset: numbers in COCO, else texts."""

import json

import pytest

from odapi.data.convert import Target, convert
from odapi.data.sources.open import open_source
from odapi.data.sources.own_ids import own_image_ids
from odapi.data.sources.relabel import relabel
from odapi.data.sources.subset import Subset
from odapi.labels import label_map_of
from tiny_data import NAMES, SIZES, encoded, voc_xml, write_coco

OLD = ("00004", "7", "0012")  # Names of images; only one is a plain number.


def write_voc(folder):
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    for seed, (name, old) in enumerate(zip(OLD, SIZES, strict=True)):
        (folder / "JPEGImages" / f"{name}.jpg").write_bytes(
            encoded(size=SIZES[old], seed=seed)
        )
        text = voc_xml(old, filename=f"{name}.jpg")
        (folder / "Annotations" / f"{name}.xml").write_text(text)
    return f"voc:{folder}"


def write_numbers(folder, ids):
    def change(content):
        new = dict(zip((1, 2, 3), ids, strict=True))
        for image in content["images"]:
            image["id"] = new[image["id"]]
        for annotation in content["annotations"]:
            annotation["image_id"] = new[annotation["image_id"]]

    return write_coco(folder, change)


@pytest.mark.parametrize("ids", [[4, 7, 12], ["00004", "street", "0012"]])
def test_ids_of_coco_keep_their_type(tmp_path, ids):
    source = open_source(write_numbers(tmp_path, ids))
    assert own_image_ids(source) == ids
    assert own_image_ids(Subset(source, [2, 0])) == [ids[2], ids[0]]
    other = relabel(source, label_map_of([*reversed(NAMES)]))
    assert own_image_ids(other) == ids


def test_ids_of_voc_are_names(tmp_path):
    source = open_source(write_voc(tmp_path / "voc"))
    assert sorted(own_image_ids(source)) == sorted(OLD)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [([4, 7, 12], [4, 7, 12]), (["00004", 7, 12], ["00004", "7", "12"])],
)
def test_ids_of_records_are_numbers_if_all_are(tmp_path, ids, expected):
    source = open_source(write_numbers(tmp_path / "coco", ids))
    convert(source, Target("tfrecord", tmp_path / "out.record"))
    records = open_source(f"tfrecord:{tmp_path / 'out.record'}")
    assert own_image_ids(records) == expected


def test_a_converted_file_has_the_ids_again(tmp_path):
    source = open_source(write_numbers(tmp_path / "coco", [4, 7, 12]))
    convert(source, Target("coco", tmp_path / "out"))
    content = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert [image["id"] for image in content["images"]] == [4, 7, 12]
