"""Class hierarchies of label maps and Open Images, and objects that they repeat."""

import json

import numpy as np
import pytest

import tiny_data
from odapi.build.source import build_eval_source, build_train_source
from odapi.config.check import find
from odapi.config.label_map import label_map_text
from odapi.config.load import load_config
from odapi.data.label_hierarchy import hierarchy_of, load_hierarchy, with_hierarchy
from odapi.data.sources.expanded import Expanded
from odapi.data.sources.sequence import SequenceSource
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.data.tfrecord.records import write_record
from odapi.errors import DataError
from odapi.labels import Category, LabelMap, label_map_of

# Of the original's test of TfExampleDecoder with expand_hierarchy_labels.
PEOPLE = LabelMap(
    (
        Category(1, "cat", ancestor_ids=(2,)),
        Category(2, "animal", descendant_ids=(1,)),
        Category(3, "man", ancestor_ids=(5,)),
        Category(4, "woman", ancestor_ids=(5,)),
        Category(5, "person", descendant_ids=(3, 4)),
    )
)
# Of the original's test of OIDHierarchicalLabelsExpansion; "a" is the root.
TREE = {
    "LabelName": "a",
    "Subcategory": [
        {"LabelName": "b"},
        {
            "LabelName": "c",
            "Subcategory": [
                {"LabelName": "d"},
                {"LabelName": "e"},
                {"LabelName": "f", "Subcategory": [{"LabelName": "d"}]},
            ],
            "Part": [{"LabelName": "p"}],
        },
        {"LabelName": "f", "Subcategory": [{"LabelName": "d"}]},
    ],
}


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))


def write_tree(folder, tree=TREE):
    path = folder / "tree.json"
    path.write_text(json.dumps(tree))
    return path


def test_lookups_are_those_of_the_original():
    # The original's test of get_label_map_hierarchy_lut, without identity.
    items = (
        Category(1, "label_1", descendant_ids=(2,)),
        Category(2, "label_2", ancestor_ids=(1, 3)),
        Category(3, "label_3"),
        Category(4, "label_4"),
        Category(5, "label_5", ancestor_ids=(1,), descendant_ids=(1, 2)),
    )
    found = hierarchy_of(LabelMap(items))
    assert [sorted(found.ancestors[i]) for i in range(5)] == [[], [0, 2], [], [], [0]]
    assert [sorted(found.descendants[i]) for i in range(5)] == [[1], [], [], [], [0, 1]]
    assert found.with_ancestors([1, 3]) == {0, 1, 2, 3}
    assert found.with_descendants([]) == set()


def test_a_file_gives_the_ancestors_that_the_original_expands_to(tmp_path):
    assert load_hierarchy(write_tree(tmp_path)) == {
        "b": frozenset(), "c": frozenset(), "d": frozenset("cf"), "e": frozenset("c"),
        "f": frozenset("c"),
    }  # fmt: skip
    label_map = with_hierarchy(label_map_of(list("bcdef")), tmp_path / "tree.json")
    assert [c.ancestor_ids for c in label_map] == [(), (), (2, 5), (2,), (2,)]
    assert [c.descendant_ids for c in label_map] == [(), (3, 4, 5), (), (), (3,)]


def test_classes_are_found_in_a_file_by_display_name(tmp_path):
    items = (Category(1, "x", "d"), Category(4, "c"), Category(9, "unknown"))
    label_map = with_hierarchy(LabelMap(items), write_tree(tmp_path))
    assert [c.ancestor_ids for c in label_map] == [(4,), (), ()]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is not a JSON file"),
        ("[1]", "an entry below the root has no text 'LabelName'"),
        ('{"LabelName": "a", "Subcategory": [{"LabelName": "b"}, {}]}',
         "an entry below a has no text"),
        ('{"LabelName": "a", "Subcategory": "b"}', "'Subcategory' of 'a' is not a"),
        ('{"LabelName": "a"}', "has none of the classes of"),
    ],
)  # fmt: skip
def test_files_that_are_refused(tmp_path, content, problem):
    (tmp_path / "tree.json").write_text(content)
    with pytest.raises(DataError, match=problem):
        with_hierarchy(label_map_of(["b", "c"]), tmp_path / "tree.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        load_hierarchy(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (Category(1, "a"), "no item has ancestor_ids or descendant_ids"),
        (Category(1, "a", ancestor_ids=(7,)), "id 7, which no item has"),
    ],
)
def test_label_maps_that_are_refused(item, problem):
    with pytest.raises(DataError, match=problem):
        hierarchy_of(LabelMap((item,)))


def record(folder, **changes):
    """A file with the record of the original's test, in pixels of 10 x 10."""
    features = {
        "image/encoded": [tiny_data.encoded(".jpg", (10, 10))],
        "image/source_id": ["0"],
        "image/object/class/text": ["cat", "cat"],
        "image/object/bbox/ymin": [0.0, 0.4],
        "image/object/bbox/xmin": [0.1, 0.5],
        "image/object/bbox/ymax": [0.2, 0.6],
        "image/object/bbox/xmax": [0.3, 0.7],
        "image/object/group_of": [0, 1],
        "image/class/text": ["cat", "person"],
        "image/class/confidence": [1.0, 0.0],
    } | {key.replace("__", "/"): value for key, value in changes.items()}
    with open(folder / "a.tfrecord", "wb") as file:
        write_record(file, tiny_data.example(features))
    return folder / "a.tfrecord"


def test_objects_and_image_labels_expand_as_in_the_original(tmp_path):
    source = open_tfrecord(record(tmp_path), PEOPLE)
    expanded = Expanded(source, hierarchy_of(PEOPLE))
    # groundtruth_classes [1, 2, 1, 2], group_of [False, False, True, True],
    # image_classes [1, 2, 3, 4, 5] with the confidences [1, 1, 0, 0, 0].
    for sample in (expanded[0], expanded.annotations(0), expanded.raw(0).objects):
        assert sample["classes"].tolist() == [0, 1, 0, 1]
        assert sample["group_of"].tolist() == [False, False, True, True]
        np.testing.assert_allclose(
            sample["boxes"],
            [[0, 0.1, 0.2, 0.3]] * 2 + [[0.4, 0.5, 0.6, 0.7]] * 2,
            atol=1e-6,
        )
        assert sample["labeled_classes"].tolist() == [0, 1, 2, 3, 4]
        assert sample["absent_classes"].tolist() == [2, 3, 4]
    # The source itself keeps its annotations.
    assert source[0]["classes"].tolist() == [0, 0]
    assert source[0]["absent_classes"].tolist() == [4]


def test_a_class_without_exhaustive_annotation_has_such_ancestors(tmp_path):
    changes = {"image__not_exhaustive_category_ids": [3]}
    source = open_tfrecord(record(tmp_path, **changes), PEOPLE)
    sample = Expanded(source, hierarchy_of(PEOPLE))[0]
    assert sample["not_exhaustive_classes"].tolist() == [2, 4]


def test_masks_are_repeated_with_their_objects():
    masks = np.zeros((2, 8, 8), np.uint8)
    masks[0, 1], masks[1, 2] = 1, 1
    sample = {
        "image": np.zeros((8, 8, 3), np.uint8),
        "boxes": np.array([[0.125, 0, 0.25, 1], [0.25, 0, 0.375, 1]], np.float32),
        "classes": np.array([2, 1]),
        "masks": masks,
    }
    source = SequenceSource([sample], PEOPLE)
    expanded = Expanded(source.with_keys(["masks"]), hierarchy_of(PEOPLE))
    assert expanded[0]["classes"].tolist() == [2, 4, 1]
    rows = [mask.any(1).nonzero()[0].tolist() for mask in expanded[0]["masks"]]
    assert rows == [[1], [1], [2]]
    assert len(expanded.raw(0).mask_of) == 3


def test_an_image_without_objects_stays_without():
    empty = {
        "image": np.zeros((8, 8, 3), np.uint8),
        "boxes": np.zeros((0, 4)),
        "classes": np.zeros(0, int),
    }
    sample = Expanded(SequenceSource([empty], PEOPLE), hierarchy_of(PEOPLE))[0]
    assert sample["boxes"].shape == (0, 4)
    assert "labeled_classes" not in sample


def config(folder, label_map, more="", evaluation="", num_classes=5):
    path = folder / "map.pbtxt"
    path.write_text(label_map_text(label_map))
    reader = f'''label_map_path: "{path}"
        tf_record_input_reader {{ input_path: "{record(folder)}" }}'''
    return load_config(f"""
    model {{ ssd {{ num_classes: {num_classes} }} }}
    train_input_reader {{ {reader} expand_labels_hierarchy: true }}
    eval_input_reader {{ {reader} {evaluation} }}
    [odapi.options] {{ {more} }}
    """)


def errors(given, name):
    return [str(f) for f in find(given) if f.is_error and f.path.endswith(name)]


def test_readers_of_a_config_expand_labels(tmp_path):
    given = config(tmp_path, PEOPLE)
    assert not errors(given, "hierarchy")
    assert build_train_source(given)[0]["classes"].tolist() == [0, 1, 0, 1]
    # Evaluation data follow the training data, unless their reader says otherwise.
    assert build_eval_source(given)[0]["classes"].tolist() == [0, 1, 0, 1]
    given = config(tmp_path, PEOPLE, evaluation="expand_labels_hierarchy: false")
    assert build_eval_source(given)[0]["classes"].tolist() == [0, 0]


def test_the_hierarchy_of_a_config_may_be_a_file(tmp_path):
    children = [{"LabelName": "cat"}]
    tree = {"LabelName": "animal", "Subcategory": children}
    path = write_tree(tmp_path, {"LabelName": "entity", "Subcategory": [tree]})
    classes = label_map_of(["cat", "animal", "man", "woman", "person"])
    given = config(tmp_path, classes, f"data_loading {{ label_hierarchy: '{path}' }}")
    assert not errors(given, "hierarchy")
    assert build_train_source(given)[0]["classes"].tolist() == [0, 1, 0, 1]


def test_a_config_without_a_hierarchy_is_refused(tmp_path):
    given = config(tmp_path, label_map_of(["cat", "person"]), num_classes=2)
    assert len(errors(given, "expand_labels_hierarchy")) == 2
    with pytest.raises(DataError, match="which expand_labels_hierarchy needs"):
        build_train_source(given)
    missing = config(tmp_path, PEOPLE, "data_loading { label_hierarchy: 'no.json' }")
    assert "'no.json' does not exist" in errors(missing, "label_hierarchy")[0]


def test_merged_classes_are_not_expanded(tmp_path):
    given = config(tmp_path, PEOPLE, "sampling { single_class: true }", num_classes=1)
    assert len(errors(given, "sampling.single_class")) == 2
