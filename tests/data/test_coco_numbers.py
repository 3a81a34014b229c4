"""COCO files whose numbers and ids are written as text, or are no numbers."""

import pytest

import tiny_data
from odapi.data.convert import Target, spec_of, write_split
from odapi.data.sources.open import open_source
from odapi.errors import DataError


def texts(content):
    """Writes every number as text, as some exporters do."""
    for key in ("images", "annotations", "categories"):
        for entry in content[key]:
            for field, value in entry.items():
                if isinstance(value, list):
                    entry[field] = [str(v) for v in value]
                else:
                    entry[field] = str(value)


def floats(content):
    for entry in (*content["annotations"], *content["categories"], *content["images"]):
        for field in ("id", "image_id", "category_id"):
            if field in entry:
                entry[field] = float(entry[field])


@pytest.mark.parametrize("change", [texts, floats])
def test_numbers_written_as_text_are_numbers(change, tmp_path):
    expected = open_source(tiny_data.write_coco(tmp_path / "a"))
    source = open_source(tiny_data.write_coco(tmp_path / "b", change))
    assert source.label_map.categories == expected.label_map.categories
    assert source.image_ids == expected.image_ids
    for index in range(3):
        found, wanted = source[index], expected[index]
        for key in ("boxes", "classes", "is_crowd", "area"):
            assert found[key].tolist() == wanted[key].tolist()
    assert not source.problems


@pytest.mark.parametrize("change", [texts, floats])
def test_parts_of_such_files_have_all_annotations(change, tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path / "a", change))
    target = Target("coco", tmp_path / "b", "copy", 1)
    (tmp_path / "b").mkdir()
    written = write_split(source, {"train": [0], "val": [1, 2]}, target)
    assert [part.objects for part in written.values()] == [2, 1]
    again = open_source(spec_of(target, written["train"]))
    assert again[0]["classes"].tolist() == [0, 1]


def as_crowd(value):
    return lambda content: content["annotations"][0].update(iscrowd=value)


@pytest.mark.parametrize(
    ("value", "crowd", "counted"),
    [
        ("0", False, False),
        ("1", True, False),
        ("false", False, False),
        ("True", True, False),
        (None, False, False),
        (0.0, False, False),
        (True, True, False),
        ("maybe", False, True),
        ("", False, True),
        ([1], False, True),
    ],
)
def test_is_crowd(value, crowd, counted, tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path, as_crowd(value)))
    assert source[0]["is_crowd"].tolist() == [crowd, False]
    found = [(p.kind, p.outcome, p.first) for p in source.problems]
    place = f"a.jpg, annotation 1: iscrowd {value!r}"
    assert found == ([("malformed number", "fixed", [place])] if counted else [])


@pytest.mark.parametrize(
    ("field", "value", "area", "counted"),
    [
        ("area", "7.5", 7.5, False),
        ("area", None, 600, False),
        ("area", "", 600, True),
        ("area", "large", 600, True),
        ("area", float("nan"), 600, True),
        ("area", 1e300, 600, True),
        ("weight", "much", 600, True),
        ("track_id", "", 600, True),
    ],
)
def test_what_is_no_number_gets_its_default(field, value, area, counted, tmp_path):
    def change(content):
        content["annotations"][0][field] = value

    source = open_source(tiny_data.write_coco(tmp_path, change))
    assert source[0]["area"].tolist()[0] == area
    assert source.problems.count("malformed number") == counted
    if field != "area":
        key, default = {"weight": ("weights", 1), "track_id": ("track_ids", -1)}[field]
        assert source[0][key].tolist() == [default] * 2


def test_size_of_the_image_as_text(tmp_path):
    def change(content):
        content["images"][0] |= {"height": "80", "width": "120"}

    source = open_source(tiny_data.write_coco(tmp_path, change))
    # The boxes are those of an image of 120 x 80 pixels.
    assert source[0]["boxes"][0] * 120 == pytest.approx([15, 6, 45, 36])
    assert source.problems.count("wrong image size") == 1


@pytest.mark.parametrize("text", [False, True])
def test_category_ids_from_0(text, tmp_path):
    def change(content):
        for annotation in content["annotations"]:
            annotation["category_id"] -= 1
        for category in content["categories"]:
            category["id"] -= 1
        if text:
            texts(content)

    source = open_source(tiny_data.write_coco(tmp_path, change))
    assert [(c.id, c.name) for c in source.label_map] == [(1, "cat"), (2, "dog")]
    assert source[0]["classes"].tolist() == [0, 1]
    assert {p.kind: p.count for p in source.problems} == {"class id 0": 1}


@pytest.mark.parametrize(
    ("value", "classes", "first"),
    [
        ("cat", [0, 1], None),  # The name in place of the id.
        ("cow", [1], "a.jpg, annotation 1 (category_id 'cow')"),
        ([1], [1], "a.jpg, annotation 1 (category_id '[1]')"),
        (1.5, [1], "a.jpg, annotation 1 (category_id 1.5)"),
        (-1, [1], "a.jpg, annotation 1"),
        (None, [1], "a.jpg, annotation 1"),
    ],
)
def test_category_ids_that_are_no_numbers(value, classes, first, tmp_path):
    def change(content):
        content["annotations"][0]["category_id"] = value

    source = open_source(tiny_data.write_coco(tmp_path, change))
    assert source[0]["classes"].tolist() == classes
    found = [(p.kind, p.first) for p in source.problems]
    assert found == ([("object without class", [first])] if first else [])


def test_image_ids_with_leading_zeros_are_names(tmp_path):
    def change(content):
        for image in content["images"]:
            image["id"] = f"00{image['id']}"
        for annotation in content["annotations"]:
            annotation["image_id"] = f"00{annotation['image_id']}"

    source = open_source(tiny_data.write_coco(tmp_path, change))
    assert source.image_ids == ["001", "002", "003"]
    assert len(source[0]["boxes"]) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c["categories"][0].update(id="a"),
            r"a category needs an id and a name, got \{'id': 'a'",
        ),
        (lambda c: c["annotations"].append(7), "entry 4 of annotations is not an obj"),
        (lambda c: c["images"].append(None), "entry 4 of images is not an object"),
    ],
)
def test_entries_that_cannot_be_used_are_refused(change, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_source(tiny_data.write_coco(tmp_path, change))


@pytest.mark.parametrize("box", ["1234", {"x": 1}, [1, 2, "a", 4], 7])
def test_boxes_that_are_no_lists_of_numbers(box, tmp_path):
    def change(content):
        content["annotations"][0]["bbox"] = box

    source = open_source(tiny_data.write_coco(tmp_path, change))
    assert len(source[0]["boxes"]) == 1
    assert {p.kind: p.count for p in source.problems} == {"malformed box": 1}


def category(**changes):
    return lambda content: content["categories"][0].update(changes)


def numbered(*ids):
    """Gives the two categories and their annotations other ids."""

    def change(content):
        for entry in content["categories"]:
            entry["id"] = ids[entry["id"] - 1]
        for entry in content["annotations"]:
            entry["category_id"] = ids[entry["category_id"] - 1]

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (category(name=None), "a category needs an id and a name, got"),
        (category(name=""), "a category needs an id and a name, got"),
        (category(id=True), "a category needs an id and a name, got"),
        (numbered(-5, -4), "the id of category 'cat' is -5"),
        (numbered(-1, 0), "the id of category 'cat' is -1"),
        (numbered(1, 10**12), "id of 'dog' is 1000000000000; ids are at most"),
        (lambda c: c.update(categories=[]), "(2 objects, first in a.jpg"),
    ],
)
def test_categories_that_cannot_be_used_are_refused(change, problem, tmp_path):
    with pytest.raises(DataError) as caught:
        open_source(tiny_data.write_coco(tmp_path, change))
    assert problem in caught.value.problem


def test_without_categories_the_error_says_so(tmp_path):
    spec = tiny_data.write_coco(tmp_path, lambda c: c.update(categories=[]))
    with pytest.raises(DataError, match="it has none"):
        open_source(spec)


def test_json_that_is_nested_too_deeply_is_refused(tmp_path):
    file = tmp_path / "a.json"
    file.write_text("[" * 100_000)
    with pytest.raises(DataError, match="not valid JSON: maximum recursion depth"):
        open_source(f"coco:{file}")


@pytest.mark.parametrize("kind", ["coco", "csv", "tfrecord", "voc", "yolo"])
def test_a_path_that_the_system_refuses_is_no_traceback(kind):
    with pytest.raises(DataError):
        open_source(f"{kind}:{'a' * 5000}")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "box", [[1, "inf", 5, 5], ["1e308"] * 4, [1, 1, "-inf", "inf"]]
)
def test_infinite_boxes_are_counted_without_a_warning(box, tmp_path):
    from odapi.data.inspect import inspect_source

    spec = tiny_data.write_coco(
        tmp_path, lambda c: c["annotations"][0].update(bbox=box)
    )
    source = open_source(spec)
    inspect_source(source)
    assert source.problems.as_dict()[0]["kind"] in ("NaN box", "box outside the image")


def test_infinite_boxes_beside_objects_without_boxes_give_no_warning(tmp_path):
    def change(content):
        first, second, _ = content["annotations"]
        first["bbox"] = [0, 0, 1e308, 1e308]
        del second["bbox"], second["area"]
        second["segmentation"] = [[30, 0, 60, 0, 60, 20, 30, 20]]

    source = open_source(tiny_data.write_coco(tmp_path, change))
    assert source[0]["area"].tolist() == [600.0, 600.0]  # Warnings are errors here.
