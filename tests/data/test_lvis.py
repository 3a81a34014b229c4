"""LVIS JSON: labeled classes of images, names from URLs, frequencies; and writing."""

import json

import numpy as np
import pytest

import tiny_data
from odapi.data.convert import Target, convert
from odapi.data.sources import open_source
from odapi.errors import DataError
from odapi.labels import label_map_of


def write(folder, change=lambda content: None):
    tiny_data.write_images(folder / "val2017")
    content = tiny_data.lvis_content()
    content["categories"].append({"id": 5, "name": "bird", "frequency": "f"})
    for image, negative in zip(content["images"], ([5], [1, 5], [2]), strict=True):
        image["neg_category_ids"] = negative
    content["images"][0]["not_exhaustive_category_ids"] = [2]
    change(content)
    file = folder / "lvis_v1_val.json"
    file.write_text(json.dumps(content))
    return file


def labels(source):
    return [
        (s["labeled_classes"].tolist(), s["not_exhaustive_classes"].tolist())
        for s in source
    ]


@pytest.mark.parametrize("kind", ["lvis:", "coco:", ""])
def test_labeled_classes_are_those_present_and_those_that_are_absent(kind, tmp_path):
    source = open_source(f"{kind}{write(tmp_path)}")
    assert [s["filename"] for s in source] == [f"val2017/{n}.jpg" for n in "abc"]
    # a has a cat and a dog, b a dog.
    assert labels(source) == [([0, 1, 4], [1]), ([0, 1, 4], []), ([1], [])]
    assert [(c.id, c.frequency, c.instance_count) for c in source.label_map] == [
        (1, "RARE", 3), (2, "RARE", 3), (5, "FREQUENT", 0),
    ]  # fmt: skip
    assert not source.problems


def test_images_without_the_field_are_annotated_with_all_classes(tmp_path):
    def change(content):
        del content["images"][1]["neg_category_ids"]

    source = open_source(f"lvis:{write(tmp_path, change)}")
    assert ["labeled_classes" in s for s in source] == [True, False, True]


def test_file_of_coco_is_refused_as_lvis(tmp_path):
    tiny_data.write_coco(tmp_path)
    with pytest.raises(DataError, match="no image has neg_category_ids"):
        open_source(f"lvis:{tmp_path / 'data.json'}")


@pytest.mark.parametrize("value", [3, "x", {"a": 1}])
def test_field_that_is_no_list_is_counted(value, tmp_path):
    def change(content):
        content["images"][2]["neg_category_ids"] = value

    source = open_source(f"lvis:{write(tmp_path, change)}")
    assert labels(source)[2] == ([], [])
    assert source.problems.count("malformed number") == 1


def test_negative_classes_of_another_label_map_are_left_out(tmp_path):
    source = open_source(f"lvis:{write(tmp_path)}", label_map_of(["dog", "cat"]))
    assert labels(source) == [([0, 1], [0]), ([0, 1], []), ([0], [])]


def test_image_without_name_and_url_is_refused(tmp_path):
    def change(content):
        content["images"][1]["coco_url"] = ""

    with pytest.raises(DataError, match="image 2 has no file_name"):
        open_source(f"lvis:{write(tmp_path, change)}")


def test_written_file_has_the_fields_of_lvis(tmp_path):
    source = open_source(tiny_data.write_voc(tmp_path / "in"))
    result = convert(source, Target("lvis", tmp_path / "out"))
    content = json.loads(result.path.read_text())
    negative = [image["neg_category_ids"] for image in content["images"]]
    assert negative == [[], [1], [1, 2]]  # Every class was annotated.
    assert content["images"][0] == {
        "id": 1, "file_name": "images/a.jpg", "height": 40, "width": 60,
        "neg_category_ids": [], "not_exhaustive_category_ids": [],
        "coco_url": "images/a.jpg",
    }  # fmt: skip
    assert content["categories"] == [
        {"id": 1, "name": "cat", "frequency": "r", "instance_count": 1,
         "image_count": 1, "synset": "", "synonyms": [], "def": ""},
        {"id": 2, "name": "dog", "frequency": "r", "instance_count": 2,
         "image_count": 2, "synset": "", "synonyms": [], "def": ""},
    ]  # fmt: skip


@pytest.mark.parametrize("to", ["lvis", "coco", "tfrecord"])
def test_labels_survive(to, tmp_path):
    source = open_source(f"lvis:{write(tmp_path / 'in')}")
    path = tmp_path / ("out.record" if to == "tfrecord" else "out")
    result = convert(source, Target(to, path))
    assert not result.losses
    # Records keep no names of classes without objects.
    again = open_source(f"{to}:{result.path}", source.label_map)
    for before, after in zip(source, again, strict=True):
        np.testing.assert_array_equal(
            after["labeled_classes"], before["labeled_classes"]
        )
        partial = after.get("not_exhaustive_classes", np.zeros(0))
        np.testing.assert_array_equal(partial, before["not_exhaustive_classes"])


def test_labels_are_lost_in_voc_and_counted(tmp_path):
    source = open_source(f"lvis:{write(tmp_path / 'in')}")
    result = convert(source, Target("voc", tmp_path / "out"))
    assert result.losses.count("labeled_classes") == 3
