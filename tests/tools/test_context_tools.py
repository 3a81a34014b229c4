"""The steps of Context R-CNN's data pipelines, on one record or one group."""

import datetime
import json
import pickle
import subprocess
import sys

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

import tiny_data
from odapi.data.image.shrink import shrunk_jpeg
from odapi.data.tfrecord.protos import example_pb2
from odapi.errors import DataError, MissingPackageError, OutputError
from odapi.tools import records
from odapi.tools import tool_run as run
from odapi.tools.camera_traps import ImageExample, read_metadata
from odapi.tools.detections import AddBoxes, SeveralClassesError
from odapi.tools.embeddings import Embed, embed_box, embed_date, embedded_rows
from odapi.tools.memory_bank import AddContext, GroupKey
from odapi.tools.tool_run import read_ids

DATE = "2010-08-07 01:04:14"


def record(name="a", boxes=(), **changes):
    """A tf.Example of a camera trap; names have __ in the place of /."""
    features = {
        "image/encoded": [tiny_data.encoded(".jpg", (40, 60))],
        "image/height": [40],
        "image/width": [60],
        "image/source_id": [name],
        "image/location": ["E03"],
        "image/date_captured": [DATE],
        "image/seq_frame_num": [0],
    }
    for place, side in enumerate(("ymin", "xmin", "ymax", "xmax")):
        if boxes:
            features[f"image/object/bbox/{side}"] = [b[place] for b in boxes]
    features |= {k.replace("__", "/"): v for k, v in changes.items()}
    return tiny_data.example({k: v for k, v in features.items() if v is not None})


def two_objects(model, kind):
    """A model: finds an object of score 0.95 and one of 0.4, wherever it looks."""

    def find(record):
        return {
            "boxes": np.array([[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1]]),
            "scores": np.array([0.95, 0.4]),
            "features": np.arange(8.0).reshape(2, 2, 1, 2),
        }

    return find


def nothing(model, kind):
    def find(record):
        return {
            "boxes": np.zeros((0, 4)),
            "scores": np.zeros(0),
            "features": np.zeros((0, 2, 1, 2)),
        }

    return find


def test_date_and_place_are_numbers_of_about_one():
    date = datetime.datetime(2010, 8, 7, 1, 4, 14)
    # (2010 - 1990) / 40, 7 / 12, 6 / 31, 1 / 24, 4 / 60
    expected = [0.5, 0.5833333, 0.1935484, 0.0416667, 0.0666667]
    assert_allclose(embed_date(date), expected, rtol=1e-5)
    found = embed_box(np.array([0.1, 0.2, 0.5, 0.8]))
    assert_allclose(found, [0.5, 0.3, 0.6, 0.4], rtol=1e-6)


@pytest.mark.parametrize(
    ("count", "top", "bottom", "expected"),
    [(0, 1, 1, []), (1, 2, 0, [0]), (5, 2, 2, [0, 1, 4, 3]), (3, 0, 1, [2])],
)
def test_which_detections_are_embedded(count, top, bottom, expected):
    assert embedded_rows(count, top, bottom) == expected


def test_an_embedding_is_the_mean_of_a_box_its_place_and_the_date():
    made = records.parse(Embed("m", load=two_objects)(record()))
    row = records.values(made, "image/embedding")
    # The mean of [0, 1] and [2, 3]; the box's centre and size; the date.
    assert_allclose(row[:6], [1, 2, 0.4, 0.3, 0.4, 0.4], rtol=1e-6)
    assert_allclose(row[6:], embed_date(records.date_captured(made)), rtol=1e-6)
    assert_allclose(records.values(made, "image/embedding_score"), [0.95])
    assert records.values(made, "image/embedding_length") == [11]
    assert records.values(made, "image/embedding_count") == [1]
    # 14828 days, 1 hour, 4 minutes, 14 seconds; in float32.
    unix = records.values(made, "image/unix_time")
    assert_allclose(unix, [14828 * 86400 + 3854], rtol=1e-7)


def test_an_image_in_which_nothing_is_found_has_no_embedding():
    made = records.parse(Embed("m", load=nothing)(record()))
    assert records.values(made, "image/embedding") == []
    assert records.values(made, "image/embedding_count") == [0]
    assert records.values(made, "image/embedding_length") == [11]


@pytest.mark.parametrize("date", [None, ["7 August 2010"]])
def test_an_image_without_a_date_cannot_be_embedded(date):
    with pytest.raises(ValueError, match="does not match format"):
        Embed("m", load=two_objects)(record(image__date_captured=date))


OBJECT = {"image__object__class__label": [29], "image__object__class__text": ["hippo"]}
WHOLE = {"image__class__label": [29], "image__class__text": ["hippo"]}
EMPTY = {"image__class__label": [0], "image__class__text": ["empty"]}


@pytest.mark.parametrize(
    ("labels", "min_score", "count"),
    [
        (OBJECT, 0.9, 1),
        (WHOLE, 0.9, 1),
        (WHOLE, 0.4, 2),
        (WHOLE, 0.96, 0),
        (EMPTY, 0.4, 0),  # Nothing is there: no box can be right.
        ({}, 0.4, 0),
        ({**WHOLE, "image__object__class__label": [29, 29]}, 0.4, 2),
    ],
)
def test_boxes_get_the_class_of_the_image(labels, min_score, count):
    made = AddBoxes("m", min_score, two_objects)(record(**labels))
    made = records.parse(made)
    assert len(records.values(made, "image/object/bbox/ymin")) == count
    assert records.values(made, "image/object/class/label") == [29] * count
    assert len(records.values(made, "image/object/class/score")) == count
    if count:
        side = records.values(made, "image/object/bbox/xmax")[0]
        assert_allclose(side, 0.6, rtol=1e-6)


def test_boxes_that_are_there_stay():
    given = record(boxes=[(0.0, 0.0, 0.5, 0.5)], **OBJECT)
    assert AddBoxes("m", 0.1, two_objects)(given) == given


def test_of_several_classes_none_can_be_told():
    labels = {"image__object__class__label": [1, 2]}
    with pytest.raises(SeveralClassesError, match=r"classes \[1, 2\]"):
        AddBoxes("m", 0.1, two_objects)(record(**labels))


@pytest.mark.parametrize(
    ("horizon", "key"),
    [
        ("", "E03"),
        ("year", "E03/2010"),
        ("month", "E03/2010/8"),
        ("week", "E03/2010/8/1"),  # 7 // 7
        ("day", "E03/2010/8/7"),
        ("hour", "E03/2010/8/7/1"),
        ("minute", "E03/2010/8/7/1/4"),
    ],
)
def test_images_of_a_place_and_time_share_a_key(horizon, key):
    assert GroupKey(horizon=horizon, max_side=0)(record())[0] == key


def test_images_are_made_smaller_never_larger():
    made = records.parse(GroupKey(max_side=30)(record())[1])
    size = [records.values(made, f"image/{k}")[0] for k in ("height", "width")]
    assert size == [20, 30]
    data = records.values(made, "image/encoded")[0]
    assert cv2.imdecode(np.frombuffer(data, np.uint8), 1).shape == (20, 30, 3)
    given = tiny_data.encoded(".jpg", (40, 60))
    assert shrunk_jpeg(given, 60) == (given, (40, 60))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"feature": "image/place"}, "sequence_key: unknown value 'image/place'"),
        ({"horizon": "decade"}, "time_horizon: unknown value 'decade'"),
    ],
)
def test_what_images_cannot_be_grouped_by_is_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        GroupKey(**arguments)


def group(count=4):
    """Images 0 to count - 1, in the wrong order; each has the embedding [n, n]."""
    made = [
        record(
            f"i{n}",
            boxes=[(0.0, 0.0, 1.0, 1.0)] if n % 2 else (),
            image__embedding=[float(n)] * 2,
            image__embedding_score=[n / 10],
            image__embedding_length=[2],
            image__seq_frame_num=[10 - n],
            image__object__class__label=[5] if n % 2 else None,
            image__object__class__text=["zebra"] if n % 2 else None,
        )
        for n in range(count)
    ]
    return "E03", made[::-1]


def banks(made):
    """Image id, rows and own row of each tf.Example."""
    return [
        (
            records.text(e, "image/source_id"),
            records.values(e, "image/context_features")[::2],
            records.values(e, "context_features_idx"),
        )
        for e in map(records.parse, made)
    ]


@pytest.mark.parametrize(
    ("arguments", "rows", "own"),
    [
        ({}, [0, 1, 2, 3], [0, 1, 2, 3]),
        ({"feature": "image/seq_id"}, [3, 2, 1, 0], [3, 2, 1, 0]),
        ({"every": 3}, [0, 3], [0, 2001, 2001, 1]),
        ({"min_score": 0.2}, [2, 3], [2001, 2001, 0, 1]),
        ({"with_objects": True}, [1, 3], [2001, 0, 2001, 1]),
        ({"min_score": 0.9}, [], [2001] * 4),
        ({"sort_by_id": False}, [0, 1, 2, 3], [0, 1, 2, 3]),
    ],
)
def test_a_bank_has_the_rows_that_are_asked_for(arguments, rows, own):
    made = banks(AddContext(**arguments)(group()))
    assert sorted(made) == [(f"i{n}", rows, [own[n]]) for n in range(4)]


def test_large_groups_are_divided_and_nothing_is_lost():
    made = banks(AddContext(max_images=3)(group()))
    first = [(f"i{n}", [0, 1, 2], [n]) for n in range(3)]
    assert made == [*first, ("i3", [3], [0])]


def test_only_some_images_are_written_but_banks_are_of_all():
    made = banks(AddContext(keep=frozenset(["i2"]))(group()))
    assert made == [("i2", [0, 1, 2, 3], [2])]
    assert list(AddContext(keep=frozenset())(group())) == []


def test_ids_and_length_belong_to_a_bank():
    (first, *_) = map(records.parse, AddContext(keep_ids=True)(group()))
    ids = records.values(first, "image/context_features_image_id_list")
    assert ids == [b"i0", b"i1", b"i2", b"i3"]
    assert records.values(first, "image/context_feature_length") == [2]


def test_without_banks_images_are_only_grouped():
    (first, *_) = map(records.parse, AddContext(add=False)(group()))
    assert records.values(first, "image/context_features") == []
    assert records.values(first, "image/context_feature_length") == []


def test_a_group_becomes_sequences():
    context = AddContext(output="tf_sequence_example", clip=3)
    made = [example_pb2.SequenceExample.FromString(data) for data in context(group())]
    frames = [m.feature_lists.feature_list["image/encoded"].feature for m in made]
    assert [len(f) for f in frames] == [3, 1]
    shared = made[1].context.feature
    assert shared["clip/media_id"].bytes_list.value[0] == b"E03_1"
    assert shared["image/context_features"].float_list.value[::2] == [0, 1, 2, 3]
    lists = made[0].feature_lists.feature_list
    ids = [f.bytes_list.value[0] for f in lists["image/source_id"].feature]
    assert ids == [b"i0", b"i1", b"i2"]
    sides = [list(f.float_list.value) for f in lists["region/bbox/ymax"].feature]
    assert sides == [[], [1.0], []]
    flags = [f.int64_list.value[0] for f in lists["region/is_annotated"].feature]
    assert flags == [1, 1, 1]


def traps(tmp_path, **changes):
    tiny_data.write_images(tmp_path)
    image = {
        "id": "s/a", "file_name": "elsewhere/a.jpg", "height": 40, "width": 60,
        "location": "E03", "date_captured": DATE, "seq_id": "q", "seq_num_frames": 2,
        "frame_num": 1,
    }  # fmt: skip
    boxed = {"image_id": "s/a", "category_id": 29, "bbox": [6, 10, 30, 20]}
    content = {
        "images": [image],
        "annotations": [boxed],
        "categories": [{"id": 0, "name": "empty"}, {"id": 29, "name": "hippo"}],
    }
    path = tmp_path / "traps.json"
    path.write_text(json.dumps(content | changes))
    found = read_metadata(str(path))
    make = ImageExample(str(tmp_path), found.categories)
    entry = found.images[0], found.annotations.get("s/a", [])
    return records.parse(pickle.loads(pickle.dumps(make))(entry))


def test_camera_traps_become_examples(tmp_path):
    made = traps(tmp_path)
    sides = [
        records.values(made, f"image/object/bbox/{s}")[0]
        for s in ("ymin", "xmin", "ymax", "xmax")
    ]
    assert_allclose(sides, [0.25, 0.1, 0.75, 0.6], rtol=1e-6)
    expected = {
        "image/source_id": [b"s/a"], "image/location": [b"E03"],
        "image/date_captured": [DATE.encode()], "image/seq_id": [b"q"],
        "image/seq_num_frames": [2], "image/seq_frame_num": [1],
        "image/height": [40], "image/width": [60], "image/class/label": [29],
        "image/object/class/label": [29], "image/object/class/text": [b"hippo"],
        "image/object/area": [300.0],
    }  # fmt: skip
    assert {name: records.values(made, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("annotations", "classes"),
    [
        ([], [b"empty"]),
        ([{"image_id": "s/a", "category_id": 29}], [b"hippo"]),
        (
            [{"image_id": "s/a", "category_id": n} for n in (29, 0)],
            [b"hippo", b"empty"],
        ),
        # Beyond the image, and without area: no box, but the class is known.
        ([{"image_id": "s/a", "category_id": 29, "bbox": [40, 0, 21, 5]}], [b"hippo"]),
        ([{"image_id": "s/a", "category_id": 29, "bbox": [4, 0, 0, 5]}], [b"hippo"]),
    ],
)
def test_images_without_boxes_have_a_class(annotations, classes, tmp_path):
    made = traps(tmp_path, annotations=annotations)
    assert records.values(made, "image/class/text") == classes
    assert records.values(made, "image/object/bbox/ymin") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": [{"id": 1}]}, "image 1 has no file_name"),
        (
            {"annotations": [{"image_id": 1, "category_id": 7}]},
            "have the unknown category 7",
        ),
    ],
)
def test_metadata_that_cannot_be_used_are_refused(changes, message, tmp_path):
    with pytest.raises(DataError, match=message):
        traps(tmp_path, **changes)


def test_a_file_that_is_missing_or_damaged_is_named(tmp_path):
    make = ImageExample(str(tmp_path), {})
    with pytest.raises(DataError, match=r"b\.jpg: cannot be read"):
        make(({"id": 1, "file_name": "b.jpg"}, []))
    (tmp_path / "c.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"c\.jpg"):
        make(({"id": 1, "file_name": "c.jpg"}, []))


def test_the_images_to_keep_are_a_json_list(tmp_path):
    path = tmp_path / "ids.json"
    path.write_text('["a", 7]')
    assert read_ids(str(path)) == {"a", "7"}
    assert read_ids("All") is None
    path.write_text('{"a": 1}')
    with pytest.raises(DataError, match="must be a JSON list"):
        read_ids(str(path))


def test_without_beam_the_line_that_installs_it_is_shown():
    code = (
        "import sys; sys.modules['apache_beam'] = None\n"
        "from odapi.errors import MissingPackageError\n"
        "from odapi.tools.beam import need_beam\n"
        "try:\n    need_beam()\n"
        "except MissingPackageError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert 'pip install "odapi[beam]"' in done.stdout
    assert issubclass(MissingPackageError, ImportError)


@pytest.mark.parametrize(
    "call",
    [
        lambda out: run.create_camera_traps("gone.json", ".", out),
        lambda out: run.generate_detections("gone", out, "model"),
        lambda out: run.generate_embeddings("gone", out, "model"),
        lambda out: run.add_context("gone", out, GroupKey(), AddContext()),
    ],
)
def test_records_are_not_replaced_and_impossible_prefixes_come_first(call, tmp_path):
    (tmp_path / "traps-00000-of-00002").touch()
    with pytest.raises(OutputError) as caught:
        call(str(tmp_path / "traps"))
    assert str(caught.value) == (
        f"{tmp_path}/traps: has files already: traps-00000-of-00002\n"
        f"  hint: choose a new name, such as {tmp_path}/traps-2"
    )
    with pytest.raises(OutputError, match="traps-00000-of-00002 is a file"):
        call(str(tmp_path / "traps-00000-of-00002" / "a"))
