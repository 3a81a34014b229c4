"""Label maps: real ones load, broken ones name the line."""

import pytest

from odapi.config.label_map import load_label_map, parse_label_map, save_label_map
from odapi.errors import DataError
from odapi.labels import Category, Keypoint, LabelMap, label_map_of

FULL = """
item: {
  id: 2
  name: '/m/01'
  display_name: "Person"
  keypoints { id: 0 label: "nose" }
  keypoints { id: 1 label: "tail" }
  ancestor_ids: 5 ancestor_ids: 6
  descendant_ids: [7]
  frequency: RARE
  instance_count: 12
},
item { id: 9 name: "caf\\303\\251" }
"""


def test_all_fields_are_read_and_written(tmp_path):
    expected = (
        Category(
            id=2,
            name="/m/01",
            display_name="Person",
            keypoints=(Keypoint(0, "nose"), Keypoint(1, "tail")),
            ancestor_ids=(5, 6),
            descendant_ids=(7,),
            frequency="RARE",
            instance_count=12,
        ),
        Category(id=9, name="café"),
    )
    label_map = parse_label_map(FULL)
    assert label_map.categories == expected
    save_label_map(label_map, tmp_path / "new/map.pbtxt")
    assert load_label_map(tmp_path / "new/map.pbtxt").categories == expected


# Items as in FEATURES.md, section 11c; highest ids as in the files.
@pytest.mark.parametrize(
    ("name", "items", "highest"),
    [
        ("label_maps/face_person_with_keypoints_label_map.pbtxt", 2, 2),
        ("label_maps/kitti_label_map.pbtxt", 2, 2),
        ("label_maps/mscoco_label_map.pbtxt", 80, 90),
        ("label_maps/oid_v4_label_map.pbtxt", 601, 601),
        ("label_maps/pascal_label_map.pbtxt", 20, 20),
        ("label_maps/pet_label_map.pbtxt", 37, 37),
        ("label_maps/snapshot_serengeti_label_map.pbtxt", 48, 48),
        ("data/records/hand_signs.pbtxt", 5, 5),
    ],
)
def test_real_label_maps_load_and_survive_saving(
    shared, tmp_path, name, items, highest
):
    label_map = load_label_map(shared / name)
    assert (len(label_map), label_map.num_classes) == (items, highest)
    save_label_map(label_map, tmp_path / "map.pbtxt")
    assert load_label_map(tmp_path / "map.pbtxt").categories == label_map.categories


def test_the_background_with_id_0_is_dropped():
    text = "item { id: 0 name: 'background' } item { id: 1 name: 'dog' }"
    assert [c.name for c in parse_label_map(text)] == ["dog"]


def test_an_item_with_a_display_name_only_takes_it_as_name():
    (category,) = parse_label_map("item { id: 1 display_name: 'dog' }")
    assert (category.name, category.display_name) == ("dog", "")


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        (
            "item { id: 1 name: 'a' }\nitem { id: 0 name: 'b' }",
            ":2",
            "item 'b' has id 0",
        ),
        ("item { id: -1 name: 'b' }", ":1", "ids count from 1"),
        ("\nitem { name: 'b' }", ":2", "item 'b' has no id"),
        ("\n\nitem {\n  id: 1\n}", ":3", "item 1 has no name"),
        (
            "item { id: 1 name: 'a' }\nitem {\n  id: 1 name: 'b' }",
            ":2",
            "id 1 is already that of the item on line 1",
        ),
        (
            "item { id: 1 name: 'a' }\nitem { id: 2 name: 'a' }",
            ":2",
            "name 'a' is already that of the item on line 1",
        ),
        ("item { id: 1 name: 'a' } item { id: 1 name: 'b' }", ":1", "is already"),
        ("item {\n  id: 1\n  nam: 'a' }", ":3:3", "did you mean 'name'?"),
        ("item { id: 1\n  name: dog }", ":2:9", 'put quotes around it: name: "dog"'),
        ("items { id: 1 }", ":1:1", "did you mean 'item'?"),
        ("item { id: 1 name: \u2018dog\u2019 }", ":1:20", "curly quote"),
        ("item { id: 1 name: 'a' frequency: RAR }", ":1:35", "did you mean 'RARE'?"),
        ("item { id: 1 name: 'a'", ":1:20", "the text ends inside 'item'"),
        ("model { ssd { } }", ":1:1", "looks like a pipeline config"),
        ("# nothing\n", "", "has no items"),
        ("item { id: 0 name: 'background' }", "", "has no items"),
    ],
)
def test_broken_label_maps_name_file_and_line(tmp_path, text, place, problem):
    path = tmp_path / "map.pbtxt"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError) as error:
        load_label_map(path)
    assert str(error.value).startswith(f"{path}{place}: ")
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("categories", "problem"),
    [
        (
            (Category(1, "cat"), Category(3, "cat")),
            "name 'cat' appears twice, with the ids 1 and 3",
        ),
        (
            (Category(2, "cat"), Category(2, "dog")),
            "id 2 appears twice, with the names 'cat' and 'dog'",
        ),
    ],
)
def test_same_name_or_id_is_refused_with_the_next_step(categories, problem):
    with pytest.raises(DataError, match=problem) as caught:
        LabelMap(categories, "categories of x.json")
    assert caught.value.place == "categories of x.json"
    assert "rename one" in caught.value.hint


def test_a_missing_label_map_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_label_map(tmp_path / "map.pbtxt")


def test_an_empty_map_is_written_too(tmp_path):
    save_label_map(LabelMap(()), tmp_path / "map.pbtxt")
    assert (tmp_path / "map.pbtxt").read_text() == ""


@pytest.mark.parametrize(
    ("names", "shown"),
    [([1, 2], "1"), (["cat", None], "None"), ("cat", "'cat'"), ([b"cat"], "b'cat'")],
)
def test_class_names_are_a_list_of_texts(names, shown):
    with pytest.raises(DataError) as caught:
        label_map_of(names, "classes of x")
    assert caught.value.problem == f"class names are a list of texts, got {shown}"


@pytest.mark.parametrize("class_id", [2**31, 10**12])
def test_ids_fit_into_the_integers_of_models(class_id):
    assert LabelMap((Category(2**31 - 1, "cat"),)).num_classes == 2**31 - 1
    with pytest.raises(DataError, match=f"id of 'cat' is {class_id}; ids are at most"):
        LabelMap((Category(class_id, "cat"),))
