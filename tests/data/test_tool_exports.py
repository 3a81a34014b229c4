"""Exports of Label Studio and Roboflow, in the exact layouts of these tools."""

import json

import numpy as np
import pytest

import tiny_data
from odapi.data.sources import open_source

HASH = "3d57d2f3-"  # Of an upload to Label Studio.
ROBOFLOW = "_jpg.rf.0b1c2d3e4f5061728394a5b6c7d8e9f0"


def put_images(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (stem, size) in enumerate(tiny_data.SIZES.items()):
        data = tiny_data.encoded(".jpg", size, seed)
        (folder / f"{name(stem)}.jpg").write_bytes(data)


def boxes_px(source):
    found = {}
    for sample in source:
        height, width, _ = sample["image"].shape
        boxes = np.round(sample["boxes"] * [height, width, height, width], 2)
        stem = sample["filename"].replace("\\", "/").rsplit("/", 1)[-1]
        stem = stem.removeprefix(HASH)[0]
        found[stem] = list(zip(sample["classes"].tolist(), boxes.tolist(), strict=True))
    return found


EXPECTED = {
    "a": [(0, [10, 6, 30, 36]), (1, [0, 30, 20, 60])],
    "b": [(1, [15, 10, 45, 30])],
    "c": [],
}


@pytest.mark.parametrize(
    "prefix", ["images/", "images\\", "/data/upload/1/", "../../media/upload/1/"]
)
def test_coco_of_label_studio(prefix, tmp_path):
    put_images(tmp_path / "images", lambda stem: HASH + stem)
    content = tiny_data.coco_content()
    for image in content["images"]:
        image["id"] -= 1
        image["file_name"] = f"{prefix}{HASH}{image['file_name']}"
    for annotation in content["annotations"]:
        for key in ("id", "image_id", "category_id"):
            annotation[key] -= 1
        annotation["bbox"] = [float(side) for side in annotation["bbox"]]
        annotation |= {"segmentation": [], "ignore": 0}
    for category in content["categories"]:
        category["id"] -= 1
    content["info"] = {
        "year": 2024, "version": "1.0", "description": "", "url": "",
        "contributor": "Label Studio", "date_created": "2024-05-01 10:00:00.000000",
    }  # fmt: skip
    (tmp_path / "result.json").write_text(json.dumps(content))
    source = open_source(str(tmp_path))
    assert boxes_px(source) == EXPECTED
    assert [(c.id, c.name) for c in source.label_map] == [(1, "cat"), (2, "dog")]
    assert {p.kind for p in source.problems} == {"class id 0"}


def test_yolo_of_label_studio(tmp_path):
    put_images(tmp_path / "images", lambda stem: HASH + stem)
    (tmp_path / "labels").mkdir()
    for stem in tiny_data.SIZES:
        file = tmp_path / "labels" / f"{HASH}{stem}.txt"
        file.write_text(tiny_data.yolo_lines(stem))
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    categories = [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]
    info = {"year": 2024, "version": "1.0", "contributor": "Label Studio"}
    notes = json.dumps({"categories": categories, "info": info}, indent=2)
    (tmp_path / "notes.json").write_text(notes)
    source = open_source(str(tmp_path))
    assert boxes_px(source) == EXPECTED
    assert [c.name for c in source.label_map] == ["cat", "dog"]
    assert not source.problems


@pytest.mark.parametrize("suffix", ["", ".jpg"])
def test_voc_of_label_studio(suffix, tmp_path):
    put_images(tmp_path / "images", lambda stem: HASH + stem)
    (tmp_path / "Annotations").mkdir()
    for stem in tiny_data.SIZES:
        text = tiny_data.voc_xml(stem, filename=f"{HASH}{stem}{suffix}")
        text = text.replace("<filename>", "<folder>images</folder><filename>")
        (tmp_path / "Annotations" / f"{HASH}{stem}.xml").write_text(text)
    source = open_source(str(tmp_path))
    assert boxes_px(source) == EXPECTED
    assert not source.problems


def write_readme(folder):
    for name in ("README.dataset.txt", "README.roboflow.txt"):
        (folder / name).write_text("animals > v1\nhttps://universe.roboflow.com\n")


def test_coco_of_roboflow(tmp_path):
    write_readme(tmp_path)
    for split in ("train", "valid"):
        put_images(tmp_path / split, lambda stem: stem + ROBOFLOW)
        content = tiny_data.coco_content()
        for image in content["images"]:
            stem = image["file_name"][0]
            image |= {
                "id": image["id"] - 1, "file_name": f"{stem}{ROBOFLOW}.jpg",
                "license": 1, "date_captured": "2024-05-01T10:00:00+00:00",
                "extra": {"name": f"{stem}.jpg"},
            }  # fmt: skip
        for annotation in content["annotations"]:
            annotation |= {"image_id": annotation["image_id"] - 1, "segmentation": []}
        for category in content["categories"]:
            category["supercategory"] = "animals"
        root = {"id": 0, "name": "animals", "supercategory": "none"}
        content["categories"].insert(0, root)
        file = tmp_path / split / "_annotations.coco.json"
        file.write_text(json.dumps(content))
    for spec in (f"{tmp_path}?split=valid", f"coco:{tmp_path / 'valid'}"):
        source = open_source(spec)
        assert boxes_px(source) == EXPECTED
        # The root of the categories has no objects.
        assert [(c.id, c.name) for c in source.label_map] == [(1, "cat"), (2, "dog")]
        assert not source.problems


def test_voc_of_roboflow(tmp_path):
    write_readme(tmp_path)
    for split in ("train", "valid"):
        put_images(tmp_path / split, lambda stem: stem + ROBOFLOW)
        for stem in tiny_data.SIZES:
            name = stem + ROBOFLOW
            text = tiny_data.voc_xml(stem, filename=f"{name}.jpg")
            path = f"<path>{name}.jpg</path><source><database>roboflow.com</database>"
            text = text.replace("<size>", f"{path}</source><size>")
            (tmp_path / split / f"{name}.xml").write_text(text)
    source = open_source(f"{tmp_path}?split=train")
    assert boxes_px(source) == EXPECTED
    assert not source.problems


def test_yolo_of_roboflow(tmp_path):
    write_readme(tmp_path)
    for split in ("train", "valid"):
        put_images(tmp_path / split / "images", lambda stem: stem + ROBOFLOW)
        (tmp_path / split / "labels").mkdir()
        for stem in tiny_data.SIZES:
            file = tmp_path / split / "labels" / f"{stem}{ROBOFLOW}.txt"
            file.write_text(tiny_data.yolo_lines(stem).rstrip("\n"))
    (tmp_path / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\n"
        "names: ['cat', 'dog']\n\nroboflow:\n  workspace: zoo\n  project: animals\n"
        "  version: 1\n  license: CC BY 4.0\n  url: https://universe.roboflow.com\n"
    )
    for spec in (f"{tmp_path}?split=valid", f"yolo:{tmp_path / 'data.yaml'}?split=val"):
        source = open_source(spec)
        assert boxes_px(source) == EXPECTED
        assert [c.name for c in source.label_map] == ["cat", "dog"]
    whole = open_source(str(tmp_path))
    assert len(whole) == 6
    assert {p.kind for p in whole.problems} <= {"missing split", "duplicate id"}
