import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tiny_data
from odapi.data.clean import clean_boxes, reference_size, same_shape
from odapi.data.image.header import Header
from odapi.data.problems import Problems
from odapi.data.sources import open_source

SIZE = (100, 200)
NAN = float("nan")

# Box, what becomes of it (None: dropped), and the kinds of problems counted.
CASES = {
    "sound": ([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4], []),
    "whole image": ([0, 0, 1, 1], [0, 0, 1, 1], []),
    "half a pixel beyond": ([-0.004, 0, 1.004, 1], [0, 0, 1, 1], []),
    "beyond": ([-0.1, 0.5, 0.5, 1.5], [0, 0.5, 0.5, 1], ["box beyond the image"]),
    "inverted y": ([0.3, 0.2, 0.1, 0.4], [0.1, 0.2, 0.3, 0.4], ["inverted box"]),
    "inverted x": ([0.1, 0.4, 0.3, 0.2], [0.1, 0.2, 0.3, 0.4], ["inverted box"]),
    "inverted and beyond": (
        [1.5, 0, 0.5, 1],
        [0.5, 0, 1, 1],
        ["inverted box", "box beyond the image"],
    ),
    "outside, below": ([1.1, 0, 1.2, 1], None, ["box outside the image"]),
    "outside, left": ([0, -0.5, 1, -0.1], None, ["box outside the image"]),
    "touching from outside": ([0, 1.0, 1, 1.5], None, ["box outside the image"]),
    "no height": ([0.5, 0.1, 0.5, 0.2], None, ["box without area"]),
    "a point": ([0.5, 0.5, 0.5, 0.5], None, ["box without area"]),
    "NaN": ([NAN, 0, 1, 1], None, ["NaN box"]),
    "infinite": ([0, 0, float("inf"), 1], None, ["NaN box"]),
    "area lost in float32": ([0.5, 0, 0.5 + 1e-12, 1], None, ["box without area"]),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_box(name):
    box, expected, kinds = CASES[name]
    problems = Problems()
    boxes, keep = clean_boxes(np.array([box]), SIZE, problems, lambda i: f"object {i}")
    assert keep.tolist() == [expected is not None]
    assert boxes.dtype == np.float32
    if expected is not None:
        assert_allclose(boxes[0], expected, rtol=1e-6)
    assert sorted(p.kind for p in problems) == sorted(kinds)
    assert all(p.first == ["object 0"] for p in problems)


def test_no_boxes():
    boxes, keep = clean_boxes(np.zeros((0, 4)), SIZE, Problems(), str)
    assert (boxes.shape, keep.shape) == ((0, 4), (0,))


def test_sound_boxes_beside_others_are_not_touched():
    given = np.array([[0.1, 0.1, 0.2, 0.2], [NAN] * 4, [0.3, 0.3, 0.9, 0.9]])
    boxes, keep = clean_boxes(given, SIZE, Problems(), str)
    assert keep.tolist() == [True, False, True]
    assert_allclose(boxes[keep], given[[0, 2]].astype(np.float32))


def test_the_argument_is_not_changed():
    given = np.array([[-0.5, 0.4, 0.3, 0.2]])
    before = given.copy()
    clean_boxes(given, SIZE, Problems(), str)
    assert (given == before).all()


# (stored size, orientation), annotated size -> turned?, size boxes refer to, kinds.
SIZES = {
    "as annotated": ((40, 60), 1, (40, 60), True, (40, 60), []),
    "not annotated": ((40, 60), 1, None, True, (40, 60), []),
    "turned, annotated as shown": (
        *((40, 60), 6, (60, 40), True, (60, 40)),
        ["EXIF orientation fixed"],
    ),
    "turned, annotated as stored": (
        *((40, 60), 6, (40, 60), False, (40, 60)),
        ["EXIF orientation kept"],
    ),
    "turned, not annotated": (
        *((40, 60), 6, None, True, (60, 40)),
        ["EXIF orientation fixed"],
    ),
    "upside down": (
        *((40, 60), 3, (40, 60), True, (40, 60)),
        ["EXIF orientation fixed"],
    ),
    "annotated at twice the size": (
        *((40, 60), 1, (80, 120), True, (80, 120)),
        ["wrong image size fixed"],
    ),
    "annotated at another shape": (
        *((40, 60), 1, (100, 100), True, (40, 60)),
        ["wrong image size fixed"],
    ),
    "height and width exchanged": (
        *((40, 60), 1, (60, 40), True, (40, 60)),
        ["wrong image size fixed"],
    ),
    "turned, annotated at twice the stored size": (
        *((40, 60), 6, (80, 120), False, (80, 120)),
        ["EXIF orientation kept", "wrong image size fixed"],
    ),
}


@pytest.mark.parametrize("name", SIZES)
def test_which_size_annotations_refer_to(name):
    stored, orientation, annotated, turned, reference, kinds = SIZES[name]
    problems = Problems()
    header = Header("jpeg", stored, orientation)
    found = reference_size(header, annotated, problems, "x")
    assert found == (turned, reference)
    assert [f"{p.kind} {p.outcome}" for p in problems] == sorted(
        kinds, key=lambda k: (k.split()[-1], k)
    )


@pytest.mark.parametrize(
    ("size", "other", "expected"),
    [
        ((40, 60), (80, 120), True),
        ((427, 640), (1281, 1920), True),
        ((40, 60), (60, 40), False),
        ((40, 60), (40, 61), False),
        ((1, 1), (7, 7), True),
    ],
)
def test_same_shape(size, other, expected):
    assert same_shape(size, other) is expected


UNKNOWN = ("0", "-4", "0.5", "", "nan", "inf", "1e999", "x")


@pytest.mark.parametrize("side", [*UNKNOWN, "1e300"])
@pytest.mark.parametrize("format", ["coco", "csv", "voc"])
def test_sizes_that_are_no_sizes_are_unknown(format, side, tmp_path):
    spec = tiny_data.WRITERS[format](tmp_path)
    if format == "voc":
        for file in (tmp_path / "Annotations").iterdir():
            text = re.sub(
                "<width>.*</width>", f"<width>{side}</width>", file.read_text()
            )
            file.write_text(text)
    elif format == "csv":
        lines = [line.split(",") for line in tiny_data.csv_lines()]
        rows = [",".join([line[0], side, *line[2:]]) for line in lines[1:]]
        text = "\n".join([",".join(lines[0]), *rows])
        (tmp_path / "train_labels.csv").write_text(text)
    else:
        spec = tiny_data.write_coco(
            tmp_path, lambda c: [i.update(width=side) for i in c["images"]]
        )
    source = open_source(spec)
    assert np.round(source[0]["boxes"][0] * [40, 60, 40, 60]).tolist() == [
        10,
        6,
        30,
        36,
    ]
    counted = 0 if side in UNKNOWN else 1
    assert source.problems.count("wrong image size") == counted
