"""YOLO lines: boxes, polygons, keypoints, and what is neither."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tiny_data
from odapi.build.keypoint_config import keypoint_config, keypoint_config_text
from odapi.data.sources.open import open_source
from odapi.errors import DataError
from odapi.labels import Category, Keypoint, LabelMap

BOX = "0.4 0.4375 0.4 0.375"
VISIBLE = f"0 {BOX} 0.25 0.3125 2 0.55 0.3125 2 0.4 0.5625 1 0 0 0"
PLAIN = f"0 {BOX} 0.25 0.3125 0.55 0.3125 0.4 0.5625 0.3 0.5"
NINE = [PLAIN.replace("0.5625", f"0.562{i}") for i in range(9)]
POLYGON = "0 0.1 0.25 0.6 0.25 0.6 0.75 0.1 0.75"


def dataset(folder, *lines, about="names: [cat, dog]"):
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.png").write_bytes(tiny_data.encoded(".png", (80, 100)))
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text("\n".join(lines))
    (folder / "data.yaml").write_text(f"train: images\n{about}\n")
    return f"yolo:{folder}"


def found(source):
    return [(p.kind, p.count) for p in source.problems]


@pytest.mark.parametrize(
    ("lines", "shape"),
    [
        ([VISIBLE], "16 numbers .* a box and 4 keypoints"),
        ([PLAIN], "12 numbers .* a box and 4 keypoints"),
        ([f"0 {BOX} " + "0.4 0.4 2 " * 17], "55 numbers .* 17 keypoints"),
        ([f"0 {BOX} " + "0.4 0.4 0 " * 17], "55 numbers .* 17 keypoints"),
        # A visibility of 2 is no coordinate, wherever the points are.
        ([f"0 {BOX} 0.9 0.9 2 0.1 0.1 2"] * 3, "10 numbers .* 2 keypoints"),
        ([VISIBLE, f"1 {BOX}", VISIBLE.replace("0.55", "0.5")], "16 numbers"),
        (NINE + [PLAIN.replace("0.55", "0.99")], "12 numbers"),  # One is outside.
        # As a polygon: edges that cross, a size far from the points, a concave corner.
        ([f"0 {BOX} 0.25 0.3 0.55 0.5"], "8 numbers .* 2 keypoints"),
        (["0 0.1 0.8 0.1 0.1 0.08 0.78 0.12 0.82"], "8 numbers .* 2 keypoints"),
        (["0 0.8 0.8 0.3 0.3 0.75 0.8 0.85 0.75"], "8 numbers .* 2 keypoints"),
        (["0 0.8 0.8 0.1 0.1 0.79 0.81"], "6 numbers .* 1 keypoint\\b"),
    ],
)
def test_keypoints_without_kpt_shape_are_refused(lines, shape, tmp_path):
    spec = dataset(tmp_path, *lines)
    with pytest.raises(DataError, match=shape) as error:
        open_source(spec)
    assert "write kpt_shape: [" in error.value.hint
    assert "lines=polygons" in error.value.hint


def test_lines_that_look_like_keypoints_can_be_polygons(tmp_path):
    source = open_source(dataset(tmp_path, PLAIN) + "?lines=polygons")
    assert source[0]["masks"].shape == (1, 80, 100)
    with pytest.raises(DataError, match="known values are polygons"):
        open_source(f"yolo:{tmp_path}?lines=keypoints")


@pytest.mark.parametrize(
    "lines",
    [
        [POLYGON],
        ["0 0 0 1 0 1 1 0 1"],  # The whole image.
        [PLAIN, "0 0.4 0.4 0.5 0.4 0.5 0.5"],  # Of different lengths.
        ["0 0.9 0.1 0.95 0.1 0.95 0.2"],
        # Small and near the center, where the first four numbers are a box as well.
        ["0 0.4 0.4 0.6 0.4 0.6 0.55 0.4 0.55", "0 0.4 0.6 0.5 0.6 0.5 0.45 0.4 0.45"],
        ["0 0.4 0.4 0.6 0.4 0.6 0.55 0.4 0.55 0.4 0.4"],  # Closed.
        ["0 0.4 0.42 0.58 0.4 0.6 0.55 0.42 0.57"],  # A rotated rectangle.
        ["0 0.4 0.4 0.5 0.5 0.45 0.6"],
        ["0 0.4 0.4 0.5 0.4 0.58 0.5 0.5 0.6 0.4 0.6 0.35 0.5"],
    ],
)
def test_polygons_stay_polygons(lines, tmp_path):
    source = open_source(dataset(tmp_path, *lines))
    assert len(source[0]["masks"]) == len(lines)
    assert all(mask.any() for mask in source[0]["masks"])
    assert not source.problems


@pytest.mark.parametrize(
    ("line", "kind", "reason", "objects"),
    [
        (f"{POLYGON} 0.9", "malformed mask", "9 numbers, but a polygon has pairs", 1),
        ("0 0.1 0.2 0.3", "malformed box", "3 numbers, a box has 4", 0),
        ("0", "malformed box", "0 numbers, a box has 4", 0),
        ("0 0.1 x 0.3 0.4", "malformed box", "'x' is no number", 0),
        ("0 0,1 0.2 0.3 0.4", "malformed box", "'0,1' is no number", 0),
        ("cat 0.1 0.2 0.3 0.4", "malformed box", "'cat' is no class number", 0),
        ("nan 0.1 0.2 0.3 0.4", "malformed box", "'nan' is no class number", 0),
        ("inf 0.1 0.2 0.3 0.4", "malformed box", "'inf' is no class number", 0),
        (
            "0 10 20 30 20 30 40 10 40",
            "malformed box",
            "8 numbers, neither a box nor a polygon, whose coordinates are 0 to 1; "
            "keypoints need kpt_shape",
            0,
        ),
    ],
)
def test_malformed_lines_say_what_they_are(line, kind, reason, objects, tmp_path):
    source = open_source(dataset(tmp_path, line))
    assert len(source[0]["boxes"]) == objects
    (problem,) = source.problems
    assert (problem.kind, problem.first) == (kind, [f"a.txt, line 1 ({reason})"])


def test_a_class_number_that_is_damaged_is_an_unknown_class(tmp_path):
    line = f"99999999999 {BOX}"
    with pytest.raises(DataError, match="number 99999999999, counted from 0"):
        open_source(dataset(tmp_path, line, about="nc: 2"))


def test_the_box_of_a_polygon_with_a_score_is_that_of_the_polygon(tmp_path):
    sample = open_source(dataset(tmp_path, f"{POLYGON} 0.9"))[0]
    assert_allclose(sample["boxes"], [[0.25, 0.1, 0.75, 0.6]])


POSE = "kpt_shape: [3, 3]\nnames: [plate]"
THREE = f"0 {BOX} 0.25 0.3125 2 0.55 0.3125 2 0.4 0.5625 1"


SAYS_9 = "numbers of keypoints, kpt_shape says 9"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"0 {BOX} 0.25 0.3125 2 0.55 0.3125 2", f"6 {SAYS_9}"),
        (f"0 {BOX} 0.25 0.3125 0.55 0.3125 0.4 0.5", f"6 {SAYS_9}"),
        (f"{THREE} 0.9", f"10 {SAYS_9}"),
        (THREE.replace("0.55", "x"), "no number"),
    ],
)
def test_a_wrong_number_of_keypoints_keeps_the_box(line, reason, tmp_path):
    source = open_source(dataset(tmp_path, THREE, line, about=POSE))
    sample = source[0]
    assert_allclose(sample["boxes"][1], [0.25, 0.2, 0.625, 0.6], rtol=1e-6)
    assert sample["keypoint_visibility"].tolist() == [[2, 2, 1], [0, 0, 0]]
    assert np.isnan(sample["keypoints"][1]).all()
    (problem,) = source.problems
    assert problem.kind == "malformed keypoints"
    assert problem.first == [f"a.txt, line 2 ({reason})"]


@pytest.mark.parametrize(
    ("line", "visibility", "expected"),
    [
        (f"0 {BOX}", [0, 0, 0], []),
        (f"0 {BOX} 0.9", [0, 0, 0], []),  # With a confidence.
        (THREE.replace("0.3125 2 0.55", "0.3125 0.7 0.55"), [2, 2, 1],
         [("visibility other than 0, 1, 2", 1)]),
        (THREE.replace("0.55", "nan"), [2, 0, 1], [("unusable keypoint", 1)]),
    ],
)  # fmt: skip
def test_visibility_follows_the_rule_of_all_formats(
    line, visibility, expected, tmp_path
):
    source = open_source(dataset(tmp_path, line, about=POSE))
    assert source[0]["keypoint_visibility"].tolist() == [visibility]
    assert found(source) == expected


def test_pairs_are_visible_except_at_zero(tmp_path):
    line = f"0 {BOX} 0.25 0.3125 0 0 0.4 0.5625"
    spec = dataset(tmp_path, line, about="kpt_shape: [3, 2]\nnames: [plate]")
    assert open_source(spec)[0]["keypoint_visibility"].tolist() == [[2, 0, 2]]


def keypoints_of(source):
    return [[(k.id, k.name) for k in c.keypoints] for c in source.label_map]


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ("", [[(0, "keypoint 0"), (1, "keypoint 1"), (2, "keypoint 2")]]),
        ("kpt_names: [a, b, c]", [[(0, "a"), (1, "b"), (2, "c")]]),
        ("kpt_names: {0: [a, b, c]}", [[(0, "a"), (1, "b"), (2, "c")]]),
        ("kpt_names:\n- [a, b, c]", [[(0, "a"), (1, "b"), (2, "c")]]),
    ],
)
def test_keypoint_names(about, expected, tmp_path):
    source = open_source(dataset(tmp_path, THREE, about=f"{POSE}\n{about}"))
    assert keypoints_of(source) == expected
    assert not source.problems


def test_each_class_has_its_own_keypoints(tmp_path):
    names = "kpt_names: {0: [a, b], 1: [a], 2: []}"
    about = f"kpt_shape: [2, 3]\nnames: [cat, dog, box]\n{names}"
    lines = [f"0 {BOX} 0.3 0.4 2 0.5 0.5 1", f"1 {BOX} 0.3 0.4 2 0 0 0"]
    source = open_source(dataset(tmp_path, *lines, f"2 {BOX} 0 0 0 0 0 0", about=about))
    assert keypoints_of(source) == [[(0, "a"), (1, "b")], [(2, "a")], []]
    visibility = [[2, 1, 0], [0, 0, 2], [0, 0, 0]]
    assert source[0]["keypoint_visibility"].tolist() == visibility
    assert not source.problems


def test_labeled_keypoints_without_a_name_are_counted(tmp_path):
    about = "kpt_shape: [2, 3]\nnames: [cat]\nkpt_names: {0: [a]}"
    line = f"0 {BOX} 0.3 0.4 2 0.5 0.5 1"
    source = open_source(dataset(tmp_path, line, about=about))
    assert source[0]["keypoint_visibility"].tolist() == [[2]]
    assert found(source) == [("malformed keypoints", 1)]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ("kpt_names: {0: [a, b, c, d]}", "kpt_names of class 0 must be up to 3"),
        ("kpt_names: [a, a, b]", "kpt_names of all classes must be up to 3 different"),
        ("kpt_names: {plate: [a, b, c]}", "kpt_names must be lists of names by class"),
        ("kpt_names: a", "kpt_names must be lists"),
        ("flip_idx: [1, 0]", r"flip_idx must have each number from 0 to 2 once"),
        ("flip_idx: [0, 0, 1]", r"flip_idx must have each number .* got \['0', '0'"),
        ("flip_idx: left", "flip_idx must have"),
    ],
)
def test_malformed_descriptions_of_keypoints(about, message, tmp_path):
    spec = dataset(tmp_path, THREE, about=f"{POSE}\n{about}")
    with pytest.raises(DataError, match=rf"data\.yaml:4: {message}"):
        open_source(spec)


def label_map(*names):
    points = tuple(Keypoint(i, n) for i, n in enumerate(names))
    return LabelMap((Category(1, "plate", keypoints=points),))


@pytest.mark.parametrize(
    ("about", "given", "visibility", "problems"),
    [
        ("", ("p", "q", "r"), [2, 2, 1], []),  # By place.
        ("", ("p", "q"), [0, 0], [("malformed keypoints", 1)]),
        ("kpt_names: [a, b, c]", ("c", "a", "b"), [1, 2, 2], []),  # By name.
        ("kpt_names: [a, b, c]", ("a", "b"), [2, 2], [("unknown keypoint", 1)]),
        ("kpt_names: [a, b, c]", (), [2, 2, 1], []),
    ],
)
def test_keypoints_of_a_label_map(about, given, visibility, problems, tmp_path):
    spec = dataset(tmp_path, THREE, about=f"{POSE}\n{about}")
    source = open_source(spec, label_map(*given))
    assert source[0]["keypoint_visibility"].tolist() == [visibility]
    assert found(source) == problems


def test_flip_idx_is_the_permutation_of_flips(tmp_path):
    about = f"{POSE}\nkpt_names: [tip, port, starboard]\nflip_idx: [0, 2, 1]"
    source = open_source(dataset(tmp_path, THREE, about=about))
    assert "flip exchanges no keypoints" not in keypoint_config_text(source)
    config = keypoint_config(source)
    (step,) = config.train_config.data_augmentation_options
    assert step.random_horizontal_flip.keypoint_flip_permutation == [0, 2, 1]
    task = config.model.center_net.keypoint_estimation_task[0]
    assert set(task.keypoint_label_to_std) == {"tip", "port", "starboard"}
