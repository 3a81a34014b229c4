"""tf.Example: every key that matters, held against TensorFlow's own reader."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tiny_data
from odapi.data.image.header import Header
from odapi.data.mask_encoding import encode_png_mask
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.data.tfrecord.example import parse_example, read_example
from odapi.data.tfrecord.example_writer import example_of
from odapi.data.tfrecord.feature_values import ExampleError
from odapi.errors import DataError
from odapi.labels import Category, Keypoint, LabelMap, label_map_of
from requirement import require

MASKS = np.zeros((2, 40, 60), np.uint8)
MASKS[0, 5:20, 6:30] = 1
MASKS[1, 0:20, 30:] = 1

# Feature of a record with two objects, key of the sample, expected value.
KEYS = [
    ("is_crowd", [0, 1], "is_crowd", [False, True]),
    ("difficult", [1, 0], "difficult", [True, False]),
    ("group_of", [0, 1], "group_of", [False, True]),
    ("area", [300.0, 12.5], "area", [300.0, 12.5]),
    ("weight", [0.5, 2.0], "weights", [0.5, 2.0]),
    ("track__label", [7, 9], "track_ids", [7, 9]),
    (
        *("class__multiclass_scores", [0.1, 0.9, 0.5, 0.3, 0.2, 0.5]),
        *("multiclass_scores", [[0.1, 0.9, 0.5], [0.3, 0.2, 0.5]]),
    ),
]


def opened(tmp_path, *features, label_map=None):
    path = tmp_path / "x.record"
    tiny_data.write_records(path, [tiny_data.example(f) for f in features])
    return open_tfrecord(path, label_map)


def features(**changes):
    changes = {f"image__object__{k}": v for k, v in changes.items()}
    return tiny_data.features_of("a", **changes)


@pytest.mark.parametrize(("feature", "values", "key", "expected"), KEYS)
def test_each_key(feature, values, key, expected, tmp_path):
    sample = opened(tmp_path, features(**{feature: values}))[0]
    assert_allclose(sample[key], expected)
    assert len(sample[key]) == 2


@pytest.mark.parametrize(("feature", "values", "key", "expected"), KEYS[:-1])
def test_images_without_a_key_get_a_default(feature, values, key, expected, tmp_path):
    source = opened(tmp_path, features(**{feature: values}), tiny_data.features_of("b"))
    default = {"area": [600.0], "weights": [1.0], "track_ids": [-1]}
    assert_allclose(source[1][key], default.get(key, [False]), rtol=1e-5)
    assert source[1][key].dtype == source[0][key].dtype


@pytest.mark.parametrize("form", ["numbers", "png"])
def test_masks(form, tmp_path):
    values = (
        MASKS.reshape(-1).astype(float).tolist()
        if form == "numbers"
        else [encode_png_mask(m) for m in MASKS]
    )
    source = opened(tmp_path, features(mask=values), tiny_data.features_of("c"))
    assert_array_equal(source[0]["masks"], MASKS)
    assert source[1]["masks"].shape == (0, 40, 60)


def test_keypoints_that_are_not_labeled_are_nan(tmp_path):
    given = features(
        keypoint__y=[0.1, 0.2, 0.3, 0.4],
        keypoint__x=[0.5, 0.6, 0.7, 0.8],
        keypoint__visibility=[2, 1, 0, 2],
    )
    sample = opened(tmp_path, given)[0]
    nan = float("nan")
    assert_allclose(
        sample["keypoints"], [[[0.1, 0.5], [0.2, 0.6]], [[nan, nan], [0.4, 0.8]]]
    )
    assert sample["keypoint_visibility"].tolist() == [[2, 1], [0, 2]]


def test_keypoints_without_visibility_are_visible(tmp_path):
    given = features(keypoint__y=[0.1, 0.2], keypoint__x=[0.5, float("nan")])
    sample = opened(tmp_path, given)[0]
    assert sample["keypoint_visibility"].tolist() == [[2], [0]]


NOT_NUMBERS = "is not a list of numbers"


@pytest.mark.parametrize(
    ("feature", "values", "reason"),
    [
        (
            "object/track/label",
            [2**31, 0],
            "image/object/track/label has a number beyond int32",
        ),
        (
            "object/class/label",
            ["one", "two"],
            f"image/object/class/label {NOT_NUMBERS}",
        ),
        ("object/bbox/ymin", ["a", "b"], f"image/object/bbox/ymin {NOT_NUMBERS}"),
        ("encoded", [0.5], "image/encoded is not bytes"),
        ("encoded", [1 << 40], "image/encoded is not bytes"),
        ("height", [float("inf")], "image/height is not a number"),
        ("height", [float("nan")], "image/height is not a number"),
        ("height", ["tall"], "image/height is not a number"),
    ],
)
def test_numbers_that_do_not_fit_lose_their_record_only(
    feature, values, reason, tmp_path
):
    wrong = tiny_data.features_of("a") | {f"image/{feature}": values}
    source = opened(tmp_path, tiny_data.features_of("b"), wrong)
    assert source.image_ids == ["b"]
    assert source.problems.as_dict() == [
        {
            "kind": "corrupt record",
            "outcome": "skipped",
            "first": [f"x.record: record 1, {reason}"],
            "count": 1,
        }
    ]


def test_class_name_wins_over_id(tmp_path):
    given = features(class__text=["dog", "cat"], class__label=[1, 2])
    source = opened(tmp_path, given, label_map=label_map_of(["cat", "dog"]))
    assert source[0]["classes"].tolist() == [1, 0]


def test_names_in_other_encodings_stay_apart(tmp_path):
    given = features(class__text=[b"caf\xe9", b"caf\xe8"], class__label=[1, 2])
    source = opened(tmp_path, given)
    assert [c.name for c in source.label_map] == [r"caf\xe9", r"caf\xe8"]


def test_display_name_is_a_name_too(tmp_path):
    label_map = LabelMap(
        (Category(1, "/m/01yrx", "cat"), Category(5, "/m/0bt9lr", "dog"))
    )
    source = opened(tmp_path, features(), label_map=label_map)
    assert source[0]["classes"].tolist() == [0, 4]


def test_ids_serve_where_there_are_no_names(tmp_path):
    source = opened(
        tmp_path, features(class__text=[]), label_map=label_map_of(["cat", "dog"])
    )
    assert source[0]["classes"].tolist() == [0, 1]


def test_ambiguous_ids_number_the_names_anew(tmp_path):
    given = features(class__text=["dog", "cat"], class__label=[1, 1])
    source = opened(tmp_path, given)
    assert [(c.id, c.name) for c in source.label_map] == [(1, "cat"), (2, "dog")]
    assert source[0]["classes"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("source_id", "filename", "expected"),
    [("17", "a.jpg", "17"), ("", "a.jpg", "a.jpg"), ("", "", "x.record:0")],
)
def test_image_id(source_id, filename, expected, tmp_path):
    given = tiny_data.features_of(
        "a", image__source_id=[source_id], image__filename=[filename]
    )
    assert opened(tmp_path, given).image_ids == [expected]


@pytest.mark.parametrize("named", ["jpg", "jpeg", "JPEG", "png", "nonsense", ""])
def test_bytes_decide_on_the_format(named, tmp_path):
    png = tiny_data.encoded(".png")
    given = tiny_data.features_of("a", image__format=[named], image__encoded=[png])
    sample = opened(tmp_path, given)[0]
    assert_array_equal(sample["image"], tiny_data.pixels(40, 60))


@pytest.mark.parametrize("size", [0, 1])
def test_size_that_was_not_filled_in_is_unknown(size, tmp_path):
    given = tiny_data.features_of("a", image__height=[size], image__width=[size])
    source = opened(tmp_path, given)
    assert source[0]["image"].shape == (40, 60, 3)
    assert not source.problems


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"is_crowd": [1]}, "image/object/is_crowd: 1 value for 2"),
        ({"class__text": ["cat"]}, "image/object/class/text: 1 value for 2"),
        ({"bbox__ymin": [0.1]}, "box coordinates differ in number: 1 ymin, 2 xmin"),
        ({"bbox__ymin": ["a", "b"]}, "is not a list of numbers"),
    ],
)
def test_features_that_do_not_fit_are_told(change, message):
    with pytest.raises(ExampleError, match=message):
        read_example(parse_example(tiny_data.example(features(**change))))


# The boxes hold all keypoints.
WHOLE = {
    "bbox__ymin": [0.0] * 2,
    "bbox__xmin": [0.0] * 2,
    "bbox__ymax": [1.0] * 2,
    "bbox__xmax": [1.0] * 2,
}
POINTS = WHOLE | {"keypoint__x": [0.1] * 4, "keypoint__y": [0.2] * 4}


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"mask": [1.0, 0.0]}, "malformed mask", "image/object/mask: 2 values for 2 x"),
        ({"mask": [b"one"]}, "malformed mask", "image/object/mask: 1 value for 2 obj"),
        ({"keypoint__x": [0.1]}, "malformed keypoints", "1 x and 0 y of keypoints"),
        (
            POINTS | {"keypoint__visibility": [2] * 3},
            *("malformed keypoints", "visibility: 3 values for 4"),
        ),
        (
            POINTS | {"keypoint__text": ["a", "b"]},
            *("malformed keypoints", "text: 2 values for 4"),
        ),
        (
            {"keypoint__x": [0.1] * 3, "keypoint__y": [0.2] * 3},
            *("malformed keypoints", "keypoint/x: 3 values for 2 objects"),
        ),
        (
            POINTS | {"keypoint__x": ["a"] * 4},
            *("malformed keypoints", "x is not a list of numbers"),
        ),
        (
            POINTS | {"keypoint__text": ["a", "a", "a", "b"]},
            *("malformed keypoints", "object 1: two with the name 'a'"),
        ),
        (  # Three of the first object, one of the second: no border can be known.
            POINTS | {"keypoint__text": ["a", "b", "c", "a"]},
            *("malformed keypoints", "text: names repeat after 3, not 2"),
        ),
    ],
)
def test_boxes_are_kept_where_masks_or_keypoints_do_not_fit(
    change, kind, message, tmp_path
):
    source = opened(tmp_path, features(**change))
    sample = source[0]
    assert len(sample["boxes"]) == 2
    if "keypoints" in sample and "two with" not in message:
        assert np.isnan(sample["keypoints"]).all()
    (problem,) = source.problems
    assert (problem.kind, problem.outcome, problem.count) == (kind, "dropped", 1)
    assert problem.first[0].startswith("a: ")
    assert message in problem.first[0]


@pytest.mark.parametrize(
    ("numbers", "names", "x"),
    [
        # Numbers of stored keypoints.
        ([3, 1], [], [[0.1, 0.2, 0.3], [0.4, np.nan, np.nan]]),
        ([0, 4], [], [[np.nan] * 4, [0.1, 0.2, 0.3, 0.4]]),
        ([3, 1], ["a", "b", "c", "a"], [[0.1, 0.2, 0.3], [0.4, np.nan, np.nan]]),
        # Numbers of labeled keypoints, as the original's tools write them.
        ([2, 1], [], [[0.1, 0.2], [0.3, 0.4]]),
        ([], ["a", "b", "a", "b"], [[0.1, 0.2], [0.3, 0.4]]),
    ],
)
def test_keypoints_stay_with_their_object(numbers, names, x, tmp_path):
    lists = {
        "keypoint__x": [0.1, 0.2, 0.3, 0.4],
        "keypoint__y": [0.2] * 4,
        "keypoint__num": numbers,
        "keypoint__text": names,
        "class__text": ["cat", "cat"],
        "class__label": [1, 1],
    }
    source = opened(tmp_path, features(**WHOLE | lists))
    assert_allclose(source[0]["keypoints"][..., 1], x, rtol=1e-6)
    assert not source.problems


def test_a_file_without_a_usable_record_tells_the_first_reason(tmp_path):
    record = features(is_crowd=[1])
    message = "no usable record; the first problem: x.record: record 0, image/object/is"
    with pytest.raises(DataError, match=message):
        opened(tmp_path, record, record)


def sample_with_everything():
    return {
        "image_id": "a",
        "filename": "a.png",
        "encoded": tiny_data.encoded(".png"),
        "header": Header("png", (40, 60)),
        "size": (40, 60),
        "boxes": np.array([[0.1, 0.2, 0.5, 0.6], [0, 0.5, 0.5, 1]], np.float32),
        "classes": np.array([0, 2], np.int32),
        "is_crowd": np.array([False, True]),
        "difficult": np.array([True, False]),
        "group_of": np.array([False, True]),
        "area": np.array([300, 12.5], np.float32),
        "weights": np.array([0.5, 1], np.float32),
        "track_ids": np.array([3, 4], np.int32),
        "multiclass_scores": np.array([[0.5, 0.25], [0.75, 0]], np.float32),
        "masks": MASKS,
        "keypoints": np.array(
            [[[0.5, 0.25], [np.nan, np.nan]], [[np.nan, np.nan]] * 2], np.float32
        ),
        "keypoint_visibility": np.array([[2, 0], [0, 0]], np.int32),
    }


LABEL_MAP = LabelMap(
    (
        Category(1, "cat", keypoints=(Keypoint(0, "nose"),)),
        Category(3, "dög", keypoints=(Keypoint(1, "nose"),)),
    )
)


def test_what_is_written_is_read_again(tmp_path):
    sample = sample_with_everything()
    path = tmp_path / "x.record"
    tiny_data.write_records(path, [example_of(sample, LABEL_MAP)])
    found = open_tfrecord(path, LABEL_MAP)[0]
    assert_array_equal(found.pop("image"), tiny_data.pixels(40, 60))
    for key, value in found.items():
        assert_array_equal(value, sample[key], err_msg=key)
        if key in ("boxes", "classes", "area", "keypoints"):
            assert value.dtype == sample[key].dtype
    missing = sample.keys() - found.keys()
    assert missing == {"encoded", "header", "size"}


def test_tensorflow_reads_the_example_that_we_write():
    tf = require("tensorflow")
    sample = sample_with_everything()
    parsed = tf.io.parse_single_example(
        example_of(sample, LABEL_MAP),
        {
            "image/encoded": tf.io.FixedLenFeature([], tf.string),
            "image/format": tf.io.FixedLenFeature([], tf.string),
            "image/height": tf.io.FixedLenFeature([], tf.int64),
            "image/object/bbox/xmax": tf.io.VarLenFeature(tf.float32),
            "image/object/class/text": tf.io.VarLenFeature(tf.string),
            "image/object/class/label": tf.io.VarLenFeature(tf.int64),
            "image/object/is_crowd": tf.io.VarLenFeature(tf.int64),
            "image/object/area": tf.io.VarLenFeature(tf.float32),
            "image/object/mask": tf.io.VarLenFeature(tf.string),
            "image/object/keypoint/visibility": tf.io.VarLenFeature(tf.int64),
        },
    )
    values = {
        k: (v.values if isinstance(v, tf.SparseTensor) else v).numpy()
        for k, v in parsed.items()
    }
    assert values["image/encoded"] == sample["encoded"]
    assert values["image/format"] == b"png"
    assert values["image/height"] == 40
    assert_array_equal(values["image/object/bbox/xmax"], sample["boxes"][:, 3])
    assert values["image/object/class/text"].tolist() == [b"cat", "dög".encode()]
    assert values["image/object/class/label"].tolist() == [1, 3]
    assert values["image/object/is_crowd"].tolist() == [0, 1]
    assert values["image/object/area"].tolist() == [300, 12.5]
    assert values["image/object/keypoint/visibility"].tolist() == [2, 0, 0, 0]
    masks = [tf.io.decode_png(m).numpy()[..., 0] for m in values["image/object/mask"]]
    assert_array_equal(masks, MASKS)


def test_we_read_the_example_that_tensorflow_writes(tmp_path):
    tf = require("tensorflow")
    message = tf.train.Example.FromString(tiny_data.records()[0])
    path = str(tmp_path / "tf.record")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions("GZIP")) as writer:
        writer.write(message.SerializeToString())
    sample = open_tfrecord(path)[0]
    assert sample["classes"].tolist() == [0, 1]
    assert sample["image"].shape == (40, 60, 3)


def test_a_users_own_record_and_label_map_work_as_they_are(shared):
    from odapi.config.label_map import load_label_map

    folder = shared / "data" / "records"
    label_map = load_label_map(folder / "hand_signs.pbtxt")
    for labels in (label_map, None):
        source = open_tfrecord(folder / "hand_signs.record", labels)
        samples = list(source)
        assert len(samples) == 15
        assert [c.name for c in source.label_map] == [
            *("hello", "iloveyou", "no", "thanks", "yes")
        ]
        counts = np.bincount([s["classes"][0] for s in samples])
        assert counts.tolist() == [3, 3, 3, 3, 3]
        assert not source.problems


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, None),
        ({"image__class__text": [b"dog"]}, [0, 1]),
        ({"image__class__label": [2, 9], "image__neg_category_ids": [3]}, [0, 1, 2]),
    ],
)
def test_classes_that_were_looked_for(tmp_path, labels, expected):
    label_map = label_map_of(["cat", "dog", "owl"])
    given = tiny_data.features_of("a", **labels) | {
        "image/object/class/text": [b"cat"] * 2,
        "image/object/class/label": [1] * 2,
    }
    sample = opened(tmp_path, given, label_map=label_map)[0]
    found = sample.get("labeled_classes")
    assert (None if found is None else found.tolist()) == expected
