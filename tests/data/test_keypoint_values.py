"""Keypoints with unusual values: the same outcome in every format."""

import json

import numpy as np
import pytest

import tiny_data
from odapi.data.keypoint_values import clean_keypoints, read_keypoints
from odapi.data.problems import Problems
from odapi.data.sources.open import open_source
from odapi.data.sources.sequence import SequenceSource
from odapi.errors import DataError

NAN = float("nan")
NAMES = ["a_left", "a_right", "tip"]
HEIGHT, WIDTH = 40, 60
SOUND = [6, 10, 2, 30, 10, 2, 12, 20, 1]


def write_coco(folder, *keypoints, names=NAMES, box=(6, 10, 30, 20)):
    """Writes one image with an object per list of keypoints."""
    folder.mkdir(exist_ok=True)
    (folder / "a.png").write_bytes(tiny_data.encoded(".png", (HEIGHT, WIDTH)))
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
        "categories": [
            {"id": 1, "name": "c1", **({"keypoints": names} if names else {})}
        ],
        "annotations": [
            {
                "id": n,
                "image_id": 1,
                "category_id": 1,
                "bbox": list(box),
                "keypoints": values,
            }
            for n, values in enumerate(keypoints, 1)
        ],
    }
    (folder / "a.json").write_text(json.dumps(content))
    return f"coco:{folder / 'a.json'}"


def write_yolo(folder, values):
    """Writes one object with keypoints in pixels."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "images" / "a.png").write_bytes(
        tiny_data.encoded(".png", (HEIGHT, WIDTH))
    )
    rows = np.array(values, float).reshape(-1, 3) / [WIDTH, HEIGHT, 1]
    numbers = " ".join(str(v) for v in [0.35, 0.5, 0.5, 0.5, *rows.reshape(-1)])
    (folder / "labels" / "a.txt").write_text(f"0 {numbers}\n")
    (folder / "data.yaml").write_text(
        f"train: images\nnames: [c1]\nkpt_shape: [{len(rows)}, 3]\n"
    )
    return f"yolo:{folder / 'data.yaml'}"


def write_tfrecord(folder, values):
    folder.mkdir(exist_ok=True)
    rows = np.array(values, float).reshape(-1, 3)
    whole = (rows[:, 2] == rows[:, 2].round()).all()
    made = tiny_data.features_of(
        "b",
        image__object__keypoint__x=(rows[:, 0] / WIDTH).tolist(),
        image__object__keypoint__y=(rows[:, 1] / HEIGHT).tolist(),
        image__object__keypoint__visibility=[
            int(v) if whole else float(v) for v in rows[:, 2]
        ],
    )
    for side, value in zip(
        ("ymin", "xmin", "ymax", "xmax"), (0.25, 0.1, 0.75, 0.6), strict=True
    ):
        made[f"image/object/bbox/{side}"] = [value]
    tiny_data.write_records(folder / "x.record", [tiny_data.example(made)])
    return f"tfrecord:{folder / 'x.record'}"


def write_flat_coco(folder, values):
    return write_coco(folder, values)


FORMATS = {"coco": write_flat_coco, "yolo": write_yolo, "tfrecord": write_tfrecord}

# Visibility as annotated, as used, and what is counted.
VISIBILITIES = [
    ([2, 1, 0], [2, 1, 0], {}),
    ([0.97, 0.5, 0.1], [2, 2, 2], {"visibility other than 0, 1, 2": "fixed"}),
    ([2, 0.3, 1], [2, 2, 1], {"visibility other than 0, 1, 2": "fixed"}),
    ([3, 2, 1], [2, 2, 1], {"visibility other than 0, 1, 2": "fixed"}),
    ([2, -1, 1], [2, 0, 1], {"unusable keypoint": "dropped"}),
    (
        [0.5, -1, 1],
        [2, 0, 1],
        {"visibility other than 0, 1, 2": "fixed", "unusable keypoint": "dropped"},
    ),
    ([2, NAN, 1], [2, 0, 1], {"unusable keypoint": "dropped"}),
]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("given", "used", "counted"), VISIBILITIES)
def test_visibility_has_one_rule_in_all_formats(kind, given, used, counted, tmp_path):
    values = list(SOUND)
    values[2::3] = given
    source = open_source(FORMATS[kind](tmp_path / "data", values))
    sample = source[0]
    assert sample["keypoint_visibility"].tolist() == [used]
    assert sample["keypoint_visibility"].dtype == np.int32
    lost = np.isnan(sample["keypoints"][0]).all(-1)
    assert lost.tolist() == [v == 0 for v in used]
    assert {p.kind: p.outcome for p in source.problems} == counted


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("position", "visibility", "counted"),
    [
        ([NAN, 10], 0, {"unusable keypoint": "dropped"}),
        ([1e300, 10], 0, {"unusable keypoint": "dropped"}),
        ([float("inf"), 10], 0, {"unusable keypoint": "dropped"}),
        # 0 to 60 is the width: by more than 10 % and more than 100 % of it.
        ([62, 20], 2, {}),
        ([69, 20], 2, {"keypoint outside the image": "kept"}),
        ([-9, 20], 2, {"keypoint outside the image": "kept"}),
        ([2500, 20], 0, {"keypoint outside the image": "dropped"}),
    ],
)
def test_position(kind, position, visibility, counted, tmp_path):
    values = [*position, 2, 12, 20, 2, 20, 20, 1]
    source = open_source(FORMATS[kind](tmp_path / "data", values))
    sample = source[0]
    assert sample["keypoint_visibility"].tolist() == [[visibility, 2, 1]]
    assert np.isnan(sample["keypoints"][0, 0]).all() == (visibility == 0)
    assert {p.kind: p.outcome for p in source.problems} == counted


def test_position_of_an_unlabeled_keypoint_does_not_matter(tmp_path):
    source = open_source(write_coco(tmp_path, [NAN, NAN, 0, -1, 9999, 0, 12, 20, 1]))
    assert source[0]["keypoint_visibility"].tolist() == [[0, 0, 1]]
    assert not source.problems


def test_null_and_text_in_coco(tmp_path):
    values = ["6", "10", "2", 30, 10, None, 12, "east", 1]
    source = open_source(write_coco(tmp_path, values))
    assert source[0]["keypoint_visibility"].tolist() == [[2, 0, 0]]
    (problem,) = source.problems
    assert (problem.kind, problem.count) == ("unusable keypoint", 1)
    assert problem.first == ["1, object 1, keypoint 2 (nan)"]


# Lists of an object of a class with three names.
FORMS = [
    (SOUND, [[6, 10], [30, 10], [12, 20]], [2, 2, 1], None),
    (
        [[6, 10, 2], [30, 10, 2], [12, 20, 1]],
        *([[6, 10], [30, 10], [12, 20]], [2, 2, 1], None),
    ),
    (
        [{"x": 6, "y": 10, "v": 2}, {"x": 30, "y": 10, "v": 2}, {"x": 12, "y": 20}],
        *([], [], "malformed keypoints"),
    ),
    (
        [{"x": x, "y": y, "v": v} for x, y, v in np.reshape(SOUND, (3, 3)).tolist()],
        *([[6, 10], [30, 10], [12, 20]], [2, 2, 1], None),
    ),
    (
        [{"x": 6, "y": 10}, {"x": 30, "y": 10}, {"x": 12, "y": 20}],
        *([[6, 10], [30, 10], [12, 20]], [2, 2, 2], "keypoints without visibility"),
    ),
    ([[SOUND]], [], [], "malformed keypoints"),
    ([SOUND], [[6, 10], [30, 10], [12, 20]], [2, 2, 1], None),
    # Pairs: the third value, 30, is no visibility.
    (
        [6, 10, 30, 10, 0, 0],
        *([[6, 10], [30, 10], [NAN, NAN]], [2, 2, 0], "keypoints without visibility"),
    ),
    (
        [[6, 10], [30, 10], [12, 20]],
        *([[6, 10], [30, 10], [12, 20]], [2, 2, 2], "keypoints without visibility"),
    ),
    ([6, 10, 2, 30, 10, 2], [], [], "malformed keypoints"),  # Two of three.
    ([*SOUND, 20, 20, 2], [], [], "malformed keypoints"),  # Four of three.
    ([6, 10, 2, 30, 10], [], [], "malformed keypoints"),
    ([[6, 10, 2], [30, 10], [12, 20, 1]], [], [], "malformed keypoints"),
    ([[6, 10, 2], 30, 10, 2, 12, 20, 1], [], [], "malformed keypoints"),
    ("6 10 2", [], [], "malformed keypoints"),
    (7, [], [], "malformed keypoints"),
    ({"a_left": [6, 10, 2]}, [], [], "malformed keypoints"),
    ([], [], [], None),
    (None, [], [], None),
]


@pytest.mark.parametrize(("values", "xy", "visibility", "counted"), FORMS)
def test_forms_of_coco_lists(values, xy, visibility, counted, tmp_path):
    # The other object is sound.
    source = open_source(write_coco(tmp_path, values, SOUND))
    sample = source[0]
    assert len(sample["boxes"]) == 2
    expected = xy or [[NAN, NAN]] * 3
    found = sample["keypoints"][0, :, ::-1] * [WIDTH, HEIGHT]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert sample["keypoint_visibility"].tolist()[0] == (visibility or [0, 0, 0])
    assert sample["keypoint_visibility"].tolist()[1] == [2, 2, 1]
    assert [p.kind for p in source.problems] == ([counted] if counted else [])


@pytest.mark.parametrize(
    ("lists", "visibility", "counted"),
    [
        # 21 keypoints of a hand as 42 numbers are not 14 triples.
        ([list(range(1, 43))], [2] * 21, "keypoints without visibility"),
        ([SOUND, SOUND, SOUND[:6]], [2, 2, 1], "malformed keypoints"),
        ([SOUND, SOUND[:4]], [2, 2, 1], "malformed keypoints"),
    ],
)
def test_coco_lists_without_names(lists, visibility, counted, tmp_path):
    source = open_source(write_coco(tmp_path, *lists, names=None))
    assert source[0]["keypoint_visibility"][0].tolist() == visibility
    (problem,) = source.problems
    assert (problem.kind, problem.count) == (counted, 1)


def test_two_keypoints_of_one_name_are_refused(tmp_path):
    spec = write_coco(tmp_path, SOUND, names=["eye", "eye", "tip"])
    with pytest.raises(DataError, match="'c1' has two keypoints with the name 'eye'"):
        open_source(spec)


def test_keypoints_far_from_their_box_are_counted(tmp_path):
    # Normalized to the image where pixels are expected: all at the corner.
    values = [0.1, 0.25, 2, 0.5, 0.25, 2, 0.2, 0.5, 1]
    inside = [30, 30, 2, 40, 30, 2, 0, 0, 1]
    source = open_source(write_coco(tmp_path, values, inside, box=(30, 20, 20, 15)))
    assert source[0]["keypoint_visibility"].tolist() == [[2, 2, 1]] * 2
    (problem,) = source.problems
    assert (problem.kind, problem.outcome, problem.count, problem.first) == (
        *("keypoints outside their box", "kept", 1),
        ["1, object 1"],
    )


def test_python_samples():
    sample = {
        "image": tiny_data.pixels(HEIGHT, WIDTH),
        "boxes": [[0.25, 0.1, 0.75, 0.6]],
        "classes": [0],
        "keypoints": [[[0.3, 0.2], [0.3, 0.4], [NAN, NAN]]],
        "keypoint_visibility": [[3, -1, 2]],
    }
    source = SequenceSource([sample], ["thing"])
    read = source[0]
    assert read["keypoint_visibility"].tolist() == [[2, 0, 0]]
    assert np.isnan(read["keypoints"][0, 1:]).all()
    assert {p.kind: p.count for p in source.problems} == {
        "visibility other than 0, 1, 2": 1,
        "unusable keypoint": 1,
    }
    assert sample["keypoint_visibility"] == [[3, -1, 2]]


def test_images_without_objects():
    points, visibility = clean_keypoints(
        np.zeros((0, 3, 2)), np.zeros((0, 3)), Problems(), str
    )
    assert points.shape == (0, 3, 2)
    assert visibility.shape == (0, 3)


def test_missing_visibility_is_2_where_the_position_is_known():
    points = np.array([[[0.5, 0.5], [NAN, 0.5]]])
    _, visibility = clean_keypoints(points, None, Problems(), str)
    assert visibility.tolist() == [[2, 0]]


def test_huge_numbers_are_no_keypoints():
    table, pairs = read_keypoints([1, 2, 2, 10**400, 2, 2], 2)
    assert not pairs
    np.testing.assert_array_equal(table, [[1, 2, 2], [NAN, 2, 2]])
