"""Keypoints have the place of their name in the label map, in every format."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tiny_data
from odapi.build.keypoint_names import with_keypoints
from odapi.build.source import build_train_source
from odapi.config.label_map import label_map_text, save_label_map
from odapi.config.load import load_config
from odapi.data.convert import Target, convert, spec_of
from odapi.data.sources.open import open_source
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.errors import DataError
from odapi.labels import Category, Keypoint, LabelMap

NAN = float("nan")
CAT, DOG = (0, 1, 2), (3,)


def label_map(cat=("nose", "left_ear", "right_ear"), dog=("tail",)):
    points = [Keypoint(i, n) for i, n in enumerate((*cat, *dog))]
    return LabelMap(
        (
            Category(1, "cat", keypoints=tuple(points[: len(cat)])),
            Category(2, "dog", keypoints=tuple(points[len(cat) :])),
        )
    )


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))


def cats_and_dogs(content):
    """The cat's points are at x = 6, 12; the dogs' tails at 30 and 10."""
    content["categories"][0]["keypoints"] = ["right_ear", "nose"]
    content["categories"][1]["keypoints"] = ["tail"]
    content["annotations"][0]["keypoints"] = [6, 20, 2, 12, 20, 1]
    content["annotations"][1]["keypoints"] = [30, 20, 2]
    content["annotations"][2]["keypoints"] = [10, 30, 2]


def test_coco_by_name(tmp_path):
    spec = tiny_data.write_coco(tmp_path, cats_and_dogs)
    source = open_source(spec, label_map())
    assert source.num_keypoints == 4
    sample = source[0]
    x = sample["keypoints"][..., 1] * 60
    assert_allclose(x, [[12, NAN, 6, NAN], [NAN, NAN, NAN, 30]], rtol=1e-6)
    assert sample["keypoint_visibility"].tolist() == [[1, 0, 2, 0], [0, 0, 0, 2]]
    assert_allclose(source[1]["keypoints"][0, :, 1] * 40, [NAN] * 3 + [10], rtol=1e-6)


def test_classes_of_one_coco_file_have_places_of_their_own(tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path, cats_and_dogs))
    assert source.num_keypoints == 3
    x = source[0]["keypoints"][..., 1] * 60
    assert_allclose(x, [[6, 12, NAN], [NAN, NAN, 30]], rtol=1e-6)


def test_a_label_map_without_keypoints_leaves_them_as_they_are(tmp_path):
    bare = LabelMap((Category(1, "cat"), Category(2, "dog")))
    source = open_source(tiny_data.write_coco(tmp_path, cats_and_dogs), bare)
    x = source[0]["keypoints"][..., 1] * 60
    assert_allclose(x, [[6, 12], [30, NAN]], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "expected", "problem"),
    [
        # Without names, as many as the class has are those of the class.
        ({"cat": ("a", "b")}, [6, 12, NAN], None),
        ({"cat": ("a",)}, [NAN, NAN], "malformed keypoints"),
    ],
)
def test_coco_without_names(tmp_path, change, expected, problem):
    def unnamed(content):
        cats_and_dogs(content)
        for category in content["categories"]:
            category.pop("keypoints")

    source = open_source(tiny_data.write_coco(tmp_path, unnamed), label_map(**change))
    assert_allclose(source[0]["keypoints"][0, :, 1] * 60, expected, rtol=1e-6)
    assert (problem is not None) == bool(source.problems.count("malformed keypoints"))


def test_names_that_the_label_map_does_not_have_are_counted(tmp_path):
    spec = tiny_data.write_coco(tmp_path, cats_and_dogs)
    source = open_source(spec, label_map(cat=("nose",)))
    assert source.problems.count("unknown keypoint") == 1
    assert_allclose(source[0]["keypoints"][0, :, 1] * 60, [12, NAN], rtol=1e-6)


def test_a_class_without_keypoints_in_the_label_map_has_none(tmp_path):
    spec = tiny_data.write_coco(tmp_path, cats_and_dogs)
    source = open_source(spec, label_map(dog=()))
    assert not source.problems.count("unknown keypoint")
    assert np.isnan(source[0]["keypoints"][1]).all()
    assert source[0]["keypoint_visibility"][1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", ["coco", "tfrecord"])
def test_keypoints_of_classes_survive_conversion(tmp_path, kind):
    source = open_source(tiny_data.write_coco(tmp_path / "a", cats_and_dogs))
    target = Target(kind, tmp_path / "b", "copy", 1)
    spec = spec_of(target, convert(source, target))
    again = open_source(spec, source.label_map)
    for index in range(3):
        for key in ("keypoints", "keypoint_visibility"):
            assert_allclose(again[index][key], source[index][key], atol=1e-4)


def write_records_with_names(folder, names, **more):
    fields = {
        "image__object__keypoint__x": [0.1, 0.2, 0.3, 0.4],
        "image__object__keypoint__y": [0.5, 0.6, 0.7, 0.8],
        "image__object__keypoint__visibility": [2, 1, 2, 0],
        "image__object__keypoint__text": names,
    }
    made = tiny_data.features_of("a", **fields | more)
    path = folder / "named.record"
    tiny_data.write_records(path, [tiny_data.example(made)])
    return path


def test_records_by_name(tmp_path):
    # The second point of the dog has no name.
    path = write_records_with_names(tmp_path, ["right_ear", "nose", "tail", ""])
    source = open_tfrecord(path, label_map())
    sample = source[0]
    x = sample["keypoints"][..., 1]
    assert_allclose(x, [[0.2, NAN, 0.1, NAN], [NAN, NAN, NAN, 0.3]], rtol=1e-6)
    assert sample["keypoint_visibility"].tolist() == [[1, 0, 2, 0], [0, 0, 0, 2]]


def test_records_without_names_stay_in_their_order(tmp_path):
    path = write_records_with_names(tmp_path, [])
    source = open_tfrecord(path, label_map())
    assert_allclose(source[0]["keypoints"][..., 1], [[0.1, 0.2], [0.3, NAN]])
    assert source.label_map.num_keypoints == 4


def test_a_label_map_made_of_records_names_their_keypoints(tmp_path):
    path = write_records_with_names(tmp_path, ["right_ear", "nose", "tail", ""])
    source = open_tfrecord(path)
    names = {c.name: [(k.id, k.name) for k in c.keypoints] for c in source.label_map}
    assert names == {"cat": [(0, "right_ear"), (1, "nose")], "dog": [(2, "tail")]}
    x = source[0]["keypoints"][..., 1]
    assert_allclose(x, [[0.1, 0.2, NAN], [NAN, NAN, 0.3]], rtol=1e-6)


@pytest.mark.parametrize("to", ["coco", "tfrecord"])
def test_names_are_kept_on_the_way_there_and_back(tmp_path, to):
    """COCO to TFRecord to another format, without a label map."""

    def same_names(content):
        cats_and_dogs(content)
        for category in content["categories"]:
            category["keypoints"] = ["a_left", "tip"]
        for annotation in content["annotations"]:
            annotation["keypoints"] = [6, 20, 2, 12, 20, 1]

    source = open_source(tiny_data.write_coco(tmp_path / "a", same_names))
    record = Target("tfrecord", tmp_path / "b" / "x.record", "copy", 1)
    again = open_source(spec_of(record, convert(source, record)))
    target = Target(to, tmp_path / "c" / "d", "copy", 1)
    last = open_source(spec_of(target, convert(again, target)))
    named = [[k.name for k in c.keypoints] for c in last.label_map]
    assert named == [["a_left", "tip"]] * 2
    for index in range(3):
        for key in ("keypoints", "keypoint_visibility"):
            assert_allclose(last[index][key], source[index][key], atol=1e-4)


def test_names_need_a_label_map_with_keypoints(tmp_path):
    path = write_records_with_names(tmp_path, [])
    with pytest.raises(DataError, match="no class has keypoints"):
        open_tfrecord(path).find_keypoints_by_name()


def test_depths_of_records_move_with_their_keypoints(tmp_path):
    path = write_records_with_names(
        tmp_path,
        ["right_ear", "nose", "tail", ""],
        image__object__keypoint__z=[1.0, 2.0, 3.0, 4.0],
    )
    text = f"""
    model {{ center_net {{ num_classes: 2 }} }}
    train_input_reader {{
      num_keypoints: 4 use_keypoint_label_map: true load_keypoint_depth_features: true
      label_map_path: "{tmp_path / "map.pbtxt"}"
      tf_record_input_reader {{ input_path: "{path}" }}
    }}
    """
    save_label_map(label_map(), tmp_path / "map.pbtxt")
    sample = build_train_source(load_config(text))[0]
    assert_allclose(sample["keypoint_depths"], [[2, NAN, 1, NAN], [NAN, NAN, NAN, 3]])
    weights = sample["keypoint_depth_weights"]
    assert weights.tolist() == [[1, 0, 1, 0], [0, 0, 0, 1]]


def config_with_task(tmp_path, spec, keypoints, reader=""):
    (tmp_path / "keypoints.pbtxt").write_text(label_map_text(keypoints))
    return load_config(
        f"""
        model {{ center_net {{
          num_classes: 2
          keypoint_label_map_path: "{tmp_path / "keypoints.pbtxt"}"
          keypoint_estimation_task {{ task_name: "cat" keypoint_class_name: "cat" }}
        }} }}
        train_input_reader {{ num_keypoints: 3 {reader} }}
        [odapi.options] {{ train_data: "{spec}" }}
        """
    )


def test_the_model_says_which_keypoint_is_which(tmp_path):
    spec = tiny_data.write_coco(tmp_path, cats_and_dogs)
    source = build_train_source(config_with_task(tmp_path, spec, label_map(dog=())))
    # Their order in the file is another, and so is the label map's place of names.
    assert_allclose(source[0]["keypoints"][0, :, 1] * 60, [12, NAN, 6], rtol=1e-6)
    names = [k.name for k in source.label_map.by_id[1].keypoints]
    assert names == ["nose", "left_ear", "right_ear"]
    assert source.label_map.by_id[2].keypoints == ()


def test_ids_of_the_two_label_maps_must_agree():
    other = LabelMap((Category(2, "cat", keypoints=(Keypoint(0, "nose"),)),))
    with pytest.raises(DataError, match="'cat' has id 2; it has id 1"):
        with_keypoints(label_map(), other)


def test_two_keypoints_of_one_name_are_refused():
    with pytest.raises(DataError, match="'cat' has two keypoints with the name 'ear'"):
        label_map(cat=("nose", "ear", "ear"))


@pytest.mark.parametrize("ids", [(0, 0), (-1, 0)])
def test_keypoint_ids_count_over_all_classes(ids):
    with pytest.raises(DataError, match="negative or appears twice"):
        LabelMap(
            tuple(
                Category(n, f"c{n}", keypoints=(Keypoint(i, "p"),))
                for n, i in enumerate(ids, 1)
            )
        )
