"""Mistakes of whole datasets, which no single object shows."""

import collections
import json

import numpy as np
import pytest

import tiny_data
from odapi.data.set_checks import check_set
from odapi.data.sources.open import open_source
from odapi.data.sources.sequence import SequenceSource
from odapi.data.survey import Survey, survey


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))


def coco(change):
    return lambda folder: tiny_data.write_coco(folder, change)


def records(change):
    """Records of the three images; `change` edits the boxes `[n, 4]` in pixels."""

    def write(folder):
        folder.mkdir(exist_ok=True)
        made = []
        for name in tiny_data.SIZES:
            boxes = np.array([b for _, b in tiny_data.OBJECTS[name]], float)
            boxes = change(boxes.reshape(-1, 4), tiny_data.SIZES[name])
            sides = {
                f"image/object/bbox/{side}": boxes[:, i].tolist()
                for i, side in enumerate(("ymin", "xmin", "ymax", "xmax"))
            }
            made.append(tiny_data.example(tiny_data.features_of(name, **sides)))
        tiny_data.write_records(folder / "a.record", made)
        return f"tfrecord:{folder / 'a.record'}"

    return write


def yolo(change):
    def write(folder):
        spec = tiny_data.write_yolo(folder)
        for file in (folder / "labels").glob("*.txt"):
            file.write_text(change(file.read_text(), file.stem))
        return spec

    return write


def voc(change):
    def write(folder):
        spec = tiny_data.write_voc(folder)
        for file in (folder / "Annotations").glob("*.xml"):
            file.write_text(change(file.read_text()))
        return spec

    return write


def shares(content):
    sizes = {i["id"]: (i["width"], i["height"]) for i in content["images"]}
    for annotation in content["annotations"]:
        unit = np.array(sizes[annotation["image_id"]] * 2)
        annotation["bbox"] = (np.array(annotation["bbox"]) / unit).tolist()


def voc_shares(text):
    for side in ("xmin", "ymin", "xmax", "ymax"):
        before, *parts = text.split(f"<{side}>")
        for i, part in enumerate(parts):
            number, rest = part.split("<", 1)
            parts[i] = f"{float(number) / 60}<{rest}"
        text = f"<{side}>".join([before, *parts])
    return text


def ids_of_other_images(content):
    for annotation in content["annotations"]:
        annotation["image_id"] = 900 + annotation["image_id"]


def without_annotations(content):
    content["annotations"] = []


def corners(content):
    for annotation in content["annotations"]:
        annotation["bbox"] = [20, 20, 35, 38]  # x, y of both corners.


def without_class(content):
    for annotation in content["annotations"][:2]:
        annotation["category_id"] = -1


def pixels(text, name):
    height, width = tiny_data.SIZES[name]
    lines = [line.split() for line in text.splitlines()]
    return "".join(
        f"{c} {float(x) * width} {float(y) * height} {float(w) * width} "
        f"{float(h) * height}\n"
        for c, x, y, w, h in lines
    )


@pytest.mark.parametrize(
    ("write", "check", "problem", "hint"),
    [
        (
            coco(without_annotations),
            "no_objects",
            "has no objects: 3 images without any",
            "right folder of annotations",
        ),
        (
            yolo(lambda text, name: ""),
            "no_objects",
            "has no objects: 3 images without any",
            "right folder of annotations",
        ),
        (
            coco(ids_of_other_images),
            "no_objects",
            "none of its 3 objects can be used (annotation without image: 3)",
            "image_id must be the id of an entry of images",
        ),
        (
            yolo(lambda text, name: text.replace(" ", ",")),
            "no_objects",
            "none of its 3 objects can be used (malformed box: 3)",
            "YOLO separates them by spaces",
        ),
        (
            records(lambda boxes, size: boxes + 3),
            "no_objects",
            "none of its 3 objects can be used (box outside the image: 3)",
            "coordinates up to 63: these are pixels",
        ),
        (
            records(lambda boxes, size: boxes - [boxes[:, :1].min(), 99, 0, 0]
                    if len(boxes) else boxes),
            "pixel_boxes",
            "3 of 3 boxes are far outside of their images, with coordinates up to 60",
            "divide x by the width",
        ),
        (
            yolo(pixels),
            "no_objects",
            "none of its 3 objects can be used (box outside the image: 3)",
            "coordinates up to 60: these are pixels",
        ),
        (
            coco(shares),
            "normalized_boxes",
            "no box reaches beyond 1 pixels, in images of 40 pixels and more",
            "multiply x by the width",
        ),
        (
            voc(voc_shares),
            "normalized_boxes",
            "no box reaches beyond 1 pixels, in images of 40 pixels and more",
            "multiply x by the width",
        ),
    ],
)  # fmt: skip
def test_a_set_without_use_is_an_error(write, check, problem, hint, tmp_path):
    source = open_source(write(tmp_path / "data"))
    before = source.problems.as_dict()
    [finding] = check_set(survey(source))
    assert (finding.check, finding.is_error) == (check, True)
    assert finding.problem == problem
    assert hint in finding.hint
    assert source.problems.as_dict() == before  # Training counts them itself.


def test_most_objects_lost_for_one_reason_is_a_warning(tmp_path):
    [finding] = check_set(survey(open_source(coco(without_class)(tmp_path))))
    assert (finding.check, finding.is_error) == ("dropped_objects", False)
    assert finding.problem == (
        "67% of the objects are dropped for one reason, object without class (2)"
    )


def keypoints(x, y, visibility):
    """Three objects whose keypoints are all at one place."""

    def change(content):
        content["categories"] = [
            c | {"keypoints": ["a", "b"]} for c in content["categories"]
        ]
        for annotation in content["annotations"]:
            annotation["keypoints"] = [x, y, visibility] * 2

    return coco(change)


def pose(rest, dimensions=3):
    """Three objects with keypoints after their boxes."""

    def write(folder):
        spec = yolo(lambda text, name: text.replace("\n", f" {rest}\n"))(folder)
        with (folder / "data.yaml").open("a") as file:
            file.write(f"\nkpt_shape: [2, {dimensions}]\n")
        return spec

    return write


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (keypoints(10, 10, 1), []),
        (keypoints(10, 10, 0), ["unlabeled_keypoints"]),
        (keypoints(0, 0, 0), ["unlabeled_keypoints"]),
        (keypoints(999, 999, 2), ["unlabeled_keypoints"]),
        (pose("0.2 0.2 2 0.3 0.3 2"), []),
        (pose(""), ["unlabeled_keypoints"]),
        (pose("0.2 0.2 2 0.3 0.3 2", 2), ["unlabeled_keypoints"]),
        (pose("20 20 2 30 30 2"), ["unlabeled_keypoints"]),
    ],
)
def test_a_set_without_a_labeled_keypoint_is_a_warning(write, found, tmp_path):
    findings = check_set(survey(open_source(write(tmp_path / "data"))))
    assert [(f.check, f.is_error) for f in findings] == [(c, False) for c in found]


def test_corners_for_sizes_are_a_warning(tmp_path):
    [finding] = check_set(survey(open_source(coco(corners)(tmp_path))))
    assert (finding.check, finding.is_error) == ("changed_boxes", False)
    assert finding.problem == (
        "3 of 3 boxes are changed for one reason, box beyond the image"
    )


def test_unreadable_images_are_named_as_such(tmp_path):
    spec = tiny_data.write_coco(tmp_path, without_annotations)
    (tmp_path / "images" / "a.jpg").write_bytes(b"no image")
    [finding] = check_set(survey(open_source(spec)))
    assert finding.problem == (
        "has no objects: 2 images without any, 1 that cannot be read"
    )
    for name in "bc":
        (tmp_path / "images" / f"{name}.jpg").write_bytes(b"no image")
    [finding] = check_set(survey(open_source(spec)))
    assert finding.problem == "none of its 3 images can be read"


@pytest.mark.parametrize("write", [
    tiny_data.write_coco, tiny_data.write_voc, tiny_data.write_yolo,
    tiny_data.write_tfrecord,
])  # fmt: skip
def test_a_small_sound_set_has_no_finding(write, tmp_path):
    assert check_set(survey(open_source(write(tmp_path)))) == []


def test_samples_of_python_are_checked_too():
    image = np.zeros((40, 60, 3), np.uint8)
    empty = {"image": image, "boxes": np.zeros((0, 4)), "classes": []}
    source = SequenceSource([empty] * 3, ["a"], "mine")
    [finding] = check_set(survey(source))
    assert finding.problem == "has no objects: 3 images without any"


def test_the_only_object_of_a_large_set_is_found():
    image = np.zeros((40, 60, 3), np.uint8)
    empty = {"image": image, "boxes": np.zeros((0, 4)), "classes": []}
    full = empty | {"boxes": np.array([[0, 0, 0.5, 0.5]]), "classes": [0]}
    samples = [*[empty] * 20, full, *[empty] * 18]
    facts = survey(SequenceSource(samples, ["a"]), max_images=5)
    assert (facts.usable, facts.checked) == (1, 23)
    assert check_set(facts) == []  # Five first, and others in order until it.


def made(boxes, classes=None, **facts):
    """A survey of usable boxes."""
    boxes = np.array(boxes, float).reshape(-1, 4)
    counts = collections.Counter(classes or {0: len(boxes)})
    given = {"num_images": 9, "checked": 9, "stored": len(boxes), "declared": ("a",)}
    given |= {k: collections.Counter(v) if k in COUNTS else v for k, v in facts.items()}
    return Survey("x", boxes=boxes, classes=counts, min_side=100, **given)


COUNTS = ("lost", "opened", "changed")


BOX, OTHER, WHOLE = [0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.5], [0, 0, 1, 1]
CORNER = [[0.0, 0.0, 0.4 + i / 100, 0.5] for i in range(10)]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (made([WHOLE] * 3), ["whole_image_boxes"]),
        (made([WHOLE] * 2), []),  # Few portraits.
        (made([WHOLE] * 9 + [BOX]), []),
        (made([BOX] * 3), ["equal_boxes"]),
        (made([BOX] * 2), []),
        (made([BOX] * 9 + [OTHER]), []),
        (made([BOX, BOX, OTHER, BOX, BOX], declared=("a", "b")), ["one_class"]),
        (made([BOX, OTHER] * 2, declared=("a", "b")), []),  # Few objects.
        (made([BOX, OTHER] * 5, {0: 9, 1: 1}, declared=("a", "b")), []),
        (made([BOX, OTHER] * 5), []),  # One class is declared.
        (made([BOX], highest_px=1.5), ["normalized_boxes"]),
        (made([BOX], highest_px=1.6), []),
        (made([BOX], highest_share=1.6), []),
        (made([BOX] * 2, num_far=1), []),
        (made([BOX], highest_px=9.0, num_small=1), ["normalized_boxes"]),
        (made([BOX] * 2, highest_px=9.0, num_small=1), []),
        (made([BOX], changed={"inverted box": 1}), ["changed_boxes"]),
        (made([BOX] * 2, changed={"box beyond the image": 1}), []),
        (made([BOX, OTHER] * 2, with_keypoints=3), ["unlabeled_keypoints"]),
        (made([BOX, OTHER] * 2, with_keypoints=2), []),  # Few objects.
        (made([BOX, OTHER] * 2, with_keypoints=3, with_labeled=1), []),
        (made([BOX, OTHER] * 20, changed={"box beyond the image": 8}), []),
        (
            made([BOX, OTHER] * 20, changed={"box beyond the image": 10}),
            ["changed_boxes"],
        ),
        (
            made(
                [BOX, OTHER] * 16,
                stored=40,
                lost={"box outside the image": 8},
                changed={"box beyond the image": 2},
            ),
            ["changed_boxes"],
        ),
        (made([BOX, OTHER] * 26, changed={"box beyond the image": 10}), []),  # A fifth.
        (made([], unreadable=9), ["no_objects"]),
        (made([BOX, OTHER] * 2, num_far=3, highest_share=9.0), ["pixel_boxes"]),
        (made([BOX], lost={"NaN box": 1}, stored=2), []),  # Half.
        (made([BOX], lost={"NaN box": 2}, stored=3), ["dropped_objects"]),
        (made([BOX], lost={"unknown class, dropped": 2}, stored=3), []),  # Asked for.
        (made([], declared=("cat", "Cat")), ["no_objects", "similar_classes"]),
        (
            made([BOX], declared=("traffic light", "Traffic_light ")),
            ["similar_classes"],
        ),
        (made([BOX], declared=("dog", "dog\u200b")), ["similar_classes"]),
        (made([BOX], declared=("caf\xe9", "cafe\u0301")), ["similar_classes"]),
        (made([BOX], declared=("A", "a", "c", "c++", "c#", "1.5", "15")), []),
        (made(CORNER, num_annotated=3), ["corner_boxes"]),
        (made([*CORNER[1:], [0, 0, 0.51, 0.2]], num_annotated=3), []),
        (made(CORNER, num_annotated=2), []),  # Few images.
        (made(CORNER[1:], num_annotated=9), []),  # Few objects.
        (made(CORNER, num_annotated=3, highest_px=1.0), ["normalized_boxes"]),
        (made([BOX] * 10, num_annotated=9), ["equal_boxes"]),
        (made([BOX, BOX, OTHER], num_uncounted=3), ["uncounted_objects"]),
        (made([BOX, BOX, OTHER], num_uncounted=2), []),
        (made([BOX, OTHER], num_uncounted=2), []),  # Few objects.
    ],
)
def test_bounds_of_the_checks(facts, expected):
    assert [f.check for f in check_set(facts)] == expected


def test_a_sample_of_a_large_set_is_named():
    [finding] = check_set(made([BOX] * 5, num_images=70))
    assert finding.problem.endswith("; checked 9 of 70 images")


def test_objects_lost_while_opening_count_for_the_whole_set():
    opened = collections.Counter({"malformed box": 60})
    facts = made([BOX, OTHER], lost=opened, opened=opened, num_images=90)
    assert facts.share_lost("malformed box") == 60 / (60 + 20)


def test_report_of_inspect_has_the_findings(tmp_path):
    from odapi.data.inspect import inspect_source

    report = inspect_source(open_source(coco(shares)(tmp_path)))
    [finding] = json.loads(json.dumps(report.as_dict()))["findings"]
    assert finding["check"] == "normalized_boxes"


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ([], "none of its 3 objects can be used (object without class: 3)"),
        ([-1, 1], "67% of the objects are dropped for one reason, object without class "
         "(2)"),
    ],
)  # fmt: skip
def test_objects_without_class_in_records_are_counted(labels, problem, tmp_path):
    made = []
    for name in tiny_data.SIZES:
        given = {"image/object/class/text": []}
        given["image/object/class/label"] = labels[: len(tiny_data.OBJECTS[name])]
        made.append(tiny_data.example(tiny_data.features_of(name, **given)))
    tiny_data.write_records(tmp_path / "a.record", made)
    [finding] = check_set(survey(open_source(f"tfrecord:{tmp_path / 'a.record'}")))
    assert finding.problem == problem


def flagged(field):
    def change(content):
        for annotation in content["annotations"]:
            annotation[field] = 1

    return change


@pytest.mark.parametrize(
    "write",
    [
        coco(flagged("iscrowd")),
        coco(flagged("difficult")),
        voc(lambda text: text.replace("<object>", "<object><difficult>1</difficult>")),
    ],
)
def test_objects_that_metrics_do_not_count_are_a_warning(write, tmp_path):
    [finding] = check_set(survey(open_source(write(tmp_path))))
    assert str(finding).startswith("all 3 objects are marked as crowd, difficult or")


FIRST = (
    "<object><name>cat</name><bndbox><xmin>6</xmin><ymin>10</ymin><xmax>36</xmax>"
    "<ymax>30</ymax></bndbox></object>"
)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (tiny_data.write_voc, 0),
        (voc(lambda text: text.replace("</annotation>", FIRST + "</annotation>")), 1),
        (coco(lambda c: c["annotations"].append(c["annotations"][0] | {"id": 9})), 1),
        (coco(lambda c: c["annotations"].append(
            c["annotations"][0] | {"id": 9, "category_id": 2})), 0),
    ],
)  # fmt: skip
def test_repeated_objects_are_counted_by_inspect(write, expected, tmp_path):
    from odapi.data.inspect import inspect_source

    source = open_source(write(tmp_path))
    inspect_source(source)
    assert source.problems.count("repeated object") == expected
