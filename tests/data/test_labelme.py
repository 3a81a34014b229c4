"""LabelMe JSON: shapes, groups, keypoints, images within files; and writing."""

import base64
import json

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tiny_data
from odapi.data.convert import Target, convert, write_split
from odapi.data.sources import open_source
from odapi.errors import DataError
from odapi.labels import label_map_of
from source_views import boxes_px, problems


def shape(label, points, kind="polygon", group=None, **more):
    return {
        "label": label, "points": points, "group_id": group, "shape_type": kind,
        "flags": {}, **more,
    }  # fmt: skip


CAT = shape("cat", [[6, 10], [36, 30]], "rectangle")


def content(*shapes, name="a.jpg", **changes):
    return {
        "version": "5.5.0", "flags": {}, "shapes": [*shapes], "imagePath": name,
        "imageData": None, "imageHeight": 40, "imageWidth": 60, **changes,
    }  # fmt: skip


def write(folder, *shapes, **changes):
    """Writes a.json with the shapes, b.json with a cat and c.json without any."""
    tiny_data.write_images(folder)
    of_b = {"name": "b.jpg", "imageHeight": 60, "imageWidth": 40}
    (folder / "a.json").write_text(json.dumps(content(*shapes, **changes)))
    (folder / "b.json").write_text(json.dumps(content(CAT, **of_b)))
    (folder / "c.json").write_text(json.dumps(content(name="c.jpg")))
    return f"labelme:{folder}"


def png(mask):
    return base64.b64encode(cv2.imencode(".png", mask * 255)[1]).decode()


@pytest.mark.parametrize(
    ("one", "box", "pixels"),
    [
        (CAT, [10, 6, 30, 36], None),
        (shape("cat", [[36, 30], [6, 10]], "rectangle"), [10, 6, 30, 36], None),
        # Newer versions of X-AnyLabeling store four corners.
        (shape("cat", [[6, 10], [36, 10], [36, 30], [6, 30]], "rectangle"),
         [10, 6, 30, 36], None),
        (shape("cat", [[6, 10], [36, 10], [36, 30], [6, 30]]), [10, 6, 30, 36], 600),
        (shape("cat", [[6, 10], [36, 10], [36, 30], [6, 30]], None),
         [10, 6, 30, 36], 600),
        # Radius 5: 80 pixels have their centers within it.
        (shape("cat", [[20, 20], [23, 24]], "circle"), [15, 15, 25, 25], 80),
        (shape("cat", [[6, 10], [9, 12]], "mask", mask=png(np.eye(3, 4, dtype="u1"))),
         [10, 6, 13, 10], 3),
    ],
)  # fmt: skip
def test_kinds_of_shapes(one, box, pixels, tmp_path):
    sample = open_source(write(tmp_path, one))[0]
    assert boxes_px(sample) == [box]
    assert ("masks" in sample) == (pixels is not None)
    if pixels is not None:
        assert sample["masks"][0].sum() == pixels


def test_shapes_of_a_group_and_class_are_one_object(tmp_path):
    left = shape("cat", [[2, 2], [6, 2], [6, 6], [2, 6]], group=1)
    right = shape("cat", [[10, 2], [14, 2], [14, 6], [10, 6]], group=1)
    other = shape("dog", [[20, 2], [24, 2], [24, 6], [20, 6]], group=1)
    around = shape("dog", [[19, 1], [26, 8]], "rectangle", group=1)
    apart = shape("cat", [[30, 2], [34, 2], [34, 6], [30, 6]])
    sample = open_source(write(tmp_path, left, other, right, around, apart))[0]
    assert sample["classes"].tolist() == [0, 1, 0]
    assert boxes_px(sample) == [[2, 2, 6, 14], [1, 19, 8, 26], [2, 30, 6, 34]]
    assert [int(mask.sum()) for mask in sample["masks"]] == [32, 16, 16]


def test_rectangles_of_a_group_stay_apart(tmp_path):
    boxes = [shape("cat", [[x, 2], [x + 4, 6]], "rectangle", group=7) for x in (2, 10)]
    assert len(open_source(write(tmp_path, *boxes))[0]["boxes"]) == 2


def test_points_of_a_group_are_the_keypoints_of_its_object(tmp_path):
    shapes = (
        shape("nose", [[8, 12]], "point", group=3),
        shape("cat", [[6, 10], [36, 30]], "rectangle", group=3),
        shape("10", [[30, 20]], "point", group=3),
        shape("2", [[31, 21]], "point", group=3),
        shape("eye", [[1, 1]], "point"),
    )
    source = open_source(write(tmp_path, *shapes))
    (category,) = source.label_map
    assert [k.name for k in category.keypoints] == ["2", "10", "nose"]
    points = source[0]["keypoints"][0] * [40, 60]
    assert_allclose(points, [[21, 31], [20, 30], [12, 8]], rtol=1e-6)
    assert source[0]["keypoint_visibility"].tolist() == [[2, 2, 2]]
    assert np.isnan(source[1]["keypoints"]).all()
    assert problems(source) == {"shape of another kind": (1, "a.json, shape 5 (point)")}


@pytest.mark.parametrize(
    ("one", "kind", "place"),
    [
        (shape("cat", [[1, 1], [2, 2]], "line"), "shape of another kind",
         "a.json, shape 2 (line)"),
        (shape("cat", [], "rectangle"), "malformed box", "a.json, shape 2"),
        (shape("cat", [[1, 1]], "rectangle"), "malformed box", "a.json, shape 2"),
        (shape("cat", [[1, 1], [2]], "rectangle"), "malformed box", "a.json, shape 2"),
        (shape("cat", [[1, "x"], [2, 2]], "rectangle"), "malformed box",
         "a.json, shape 2"),
        (shape("", [[1, 1], [2, 2]], "rectangle"), "object without class",
         "a.json, shape 2"),
        (shape("__ignore__", [[1, 1], [2, 2]], "rectangle"), "object without class",
         "a.json, shape 2"),
        ("cat", "malformed box", "a.json, shape 2"),
        (shape("cat", [[1, 1], [1, 1]], "rectangle"), "box without area",
         "a, object 2"),
        (shape("cat", [[70, 1], [80, 9]], "rectangle"), "box outside the image",
         "a, object 2"),
        (shape("cat", [[1, 1], [9, 9]], "polygon"), "malformed mask", "a, object 2"),
        (shape("cat", [[1, 1], [9, 9]], "mask", mask="x"), "malformed mask",
         "a, object 2"),
    ],
)  # fmt: skip
def test_bad_shape_is_counted_and_the_others_are_read(one, kind, place, tmp_path):
    source = open_source(write(tmp_path, CAT, one))
    for sample in source:
        list(sample.get("masks", ()))
    assert boxes_px(source[0])[0] == [10, 6, 30, 36]
    assert problems(source) == {kind: (1, place)}


def test_image_within_the_file(tmp_path):
    data = tiny_data.encoded(".jpg", (40, 60))
    text = base64.b64encode(data).decode()
    spec = write(tmp_path / "in", CAT, imageData=text, imagePath="gone.jpg")
    (tmp_path / "in" / "a.jpg").unlink()
    source = open_source(spec)
    assert source.encoded(0) == data
    assert source.image_path(0) is None
    assert boxes_px(source[0]) == [[10, 6, 30, 36]]
    convert(source, Target("voc", tmp_path / "out"))
    files = sorted(p.name for p in (tmp_path / "out/JPEGImages").iterdir())
    assert files == ["a.jpg", "b.jpg", "c.jpg"]
    assert (tmp_path / "out/JPEGImages/a.jpg").read_bytes() == data
    with pytest.raises(DataError, match="cannot be referred to"):
        convert(source, Target("coco", tmp_path / "coco", images="refer"))


def test_damaged_image_within_the_file_is_skipped(tmp_path):
    spec = write(tmp_path, CAT, imageData="eHl6", imagePath="gone.jpg")
    (tmp_path / "a.jpg").unlink()
    source = open_source(spec)
    with pytest.raises(DataError):
        source[0]
    assert source.problems.count("corrupt image") == 1


@pytest.mark.parametrize(
    "name", ["..\\images\\a.jpg", "../images/a.jpg", "C:\\me\\a.jpg", "a.png", "", None]
)
def test_names_of_the_image(name, tmp_path):
    tiny_data.write_images(tmp_path / "images")
    (tmp_path / "labels").mkdir()
    file = tmp_path / "labels" / "a.json"
    file.write_text("\ufeff" + json.dumps(content(CAT, name=name)), "utf-8")
    source = open_source(f"labelme:{tmp_path / 'labels'}")
    assert source.path(0).name == "a.jpg"
    assert boxes_px(source[0]) == [[10, 6, 30, 36]]


def test_size_of_the_annotation(tmp_path):
    double = shape("cat", [[12, 20], [72, 60]], "rectangle")
    source = open_source(write(tmp_path, double, imageHeight=80, imageWidth=120))
    assert boxes_px(source[0]) == [[10, 6, 30, 36]]
    assert source.problems.count("wrong image size") == 1
    (tmp_path / "more").mkdir()
    source = open_source(write(tmp_path / "more", CAT, imageHeight=None))
    assert boxes_px(source[0]) == [[10, 6, 30, 36]]


def test_files_that_are_not_labelme_are_counted(tmp_path):
    spec = write(tmp_path, CAT)
    (tmp_path / "x.json").write_text("{")
    (tmp_path / "y.json").write_text('{"images": []}')
    (tmp_path / "d.jpg").write_bytes(tiny_data.encoded())
    (tmp_path / "e.json").write_text(json.dumps(content(CAT)))
    source = open_source(spec)
    assert source.image_ids == ["a", "b", "c"]
    assert {p.kind: p.count for p in source.problems} == {
        "unreadable annotation": 2,
        "missing annotation": 1,
        "image of two annotations": 1,
    }


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("labelme:{}/coco", "has no LabelMe files among 1 JSON file, such as "),
        ("labelme:{}/empty", "has no JSON files"),
        ("labelme:{}/none", "no such file or folder"),
        ("labelme:{}?split=test", "has no split 'test'"),
    ],
)
def test_what_is_not_labelme_is_refused(spec, message, tmp_path):
    write(tmp_path, CAT)
    tiny_data.write_coco(tmp_path / "coco")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        open_source(spec.format(tmp_path))


def test_splits_and_single_files(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "valid").mkdir()
    write(tmp_path / "train", shape("dog", [[1, 1], [9, 9]], "rectangle"))
    write(tmp_path / "valid", CAT)
    source = open_source(f"labelme:{tmp_path}?split=val")
    assert source.image_ids == ["valid/a", "valid/b", "valid/c"]
    assert [c.name for c in source.label_map] == ["cat", "dog"]
    assert len(open_source(f"labelme:{tmp_path / 'valid' / 'a.json'}")) == 1


def test_written_file(tmp_path):
    def change(content):
        content["annotations"][0]["segmentation"] = [[6, 10, 36, 10, 36, 30, 6, 30]]
        content["annotations"][1] |= {"difficult": 1, "keypoints": [31, 2, 2, 0, 0, 0]}
        content["categories"][1]["keypoints"] = ["nose", "tail"]

    source = open_source(tiny_data.write_coco(tmp_path / "in", change))
    result = convert(source, Target("labelme", tmp_path / "out"))
    assert not result.losses
    written = json.loads((tmp_path / "out/a.json").read_text())
    assert written.pop("shapes") == [
        shape("cat", [[6, 10], [36, 10], [36, 30], [6, 30]], description=""),
        shape("dog", [[30, 0], [60, 20]], "rectangle", 2, description="",
              difficult=True),
        shape("nose", [[31, 2]], "point", 2, description=""),
    ]  # fmt: skip
    assert written == {
        "version": "5.5.0", "flags": {}, "imagePath": "a.jpg", "imageData": None,
        "imageHeight": 40, "imageWidth": 60,
    }  # fmt: skip
    again = open_source(f"labelme:{tmp_path / 'out'}", label_map_of(["cat", "dog"]))
    for key in ("boxes", "classes", "difficult"):
        assert_allclose(again[0][key], source[0][key], atol=1e-6)
    assert_array_equal(again[0]["masks"][0], source[0]["masks"][0])
    assert_allclose(again[0]["keypoints"][1, 0], [2 / 40, 31 / 60], rtol=1e-6)


def test_box_other_than_that_of_the_mask_survives(tmp_path):
    def change(content):
        content["annotations"][0]["segmentation"] = [[8, 12, 20, 12, 20, 28]]

    source = open_source(tiny_data.write_coco(tmp_path / "in", change))
    parts = {"train": [0], "val": [1, 2]}
    write_split(source, parts, Target("labelme", tmp_path / "out"))
    again = open_source(f"labelme:{tmp_path / 'out'}?split=train")
    assert_allclose(again[0]["boxes"], source[0]["boxes"], atol=1e-6)
    assert_array_equal(again[0]["masks"][0], source[0]["masks"][0])
    assert len(open_source(f"labelme:{tmp_path / 'out'}?split=val")) == 2
