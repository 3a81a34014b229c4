"""Open Images CSV: boxes, image labels, masks, class descriptions; and writing."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tiny_data
from odapi.data.convert import Target, convert, spec_of, write_split
from odapi.data.sources import open_source
from odapi.errors import DataError
from odapi.labels import Category, LabelMap, label_map_of
from source_views import problems

BOXES = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,"
    "IsGroupOf,IsDepiction,IsInside"
)
LABELS = "ImageID,Source,LabelName,Confidence"
MASKS = (
    "MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,"
    "Clicks"
)
CAT = "a,xclick,/m/cat,1,0.1,0.6,0.25,0.75,0,0,0,0,0"
DOG = "b,xclick,/m/dog,1,0.25,0.75,0.25,0.75,1,1,1,1,0"


def write(folder, boxes=(CAT, DOG), labels=None, masks=None, classes=None):
    tiny_data.write_images(folder / "validation")
    lines = {"bbox": [BOXES, *boxes]}
    if labels is not None:
        lines["human-imagelabels-boxable"] = [LABELS, *labels]
    if masks is not None:
        lines["object-segmentation"] = [MASKS, *masks]
    for name, rows in lines.items():
        file = folder / f"validation-annotations-{name}.csv"
        file.write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    if classes is not None:
        (folder / "class-descriptions-boxable.csv").write_text("\n".join(classes))
    return f"openimages:{folder}"


def test_boxes_are_those_of_the_original(tmp_path):
    # Case "Open Images csv to records" of the original's converter.
    names = {"/m/a": 1, "/m/b": 2, "/m/c": 5}
    label_map = LabelMap(tuple(Category(i, n) for n, i in names.items()))
    rows = (
        "00a1,xclick,/m/a,1,0.1,0.4,0.2,0.6,0,1,0,0,0",
        "00a1,xclick,/m/b,1,0.0,1.0,0.0,0.5,1,0,1,0,0",
        "00a1,xclick,/m/zz,1,0.3,0.5,0.3,0.5,0,0,0,0,0",
        "00b2,xclick,/m/zz,1,0.3,0.5,0.3,0.5,0,0,0,1,0",
    )
    spec = write(tmp_path, rows)
    for old, new in (("a", "00a1"), ("b", "00b2")):
        (tmp_path / f"validation/{old}.jpg").rename(tmp_path / f"validation/{new}.jpg")
    source = open_source(f"{spec}?unknown=drop", label_map)
    assert source.image_ids == ["00a1", "00b2"]
    first, second = source
    assert first["classes"].tolist() == [0, 1]
    assert_allclose(first["boxes"], [[0.2, 0.1, 0.6, 0.4], [0, 0, 0.5, 1]], rtol=1e-6)
    assert first["group_of"].tolist() == [False, True]
    assert second["boxes"].shape == (0, 4)
    assert source.problems.count("unknown class, dropped") == 2


def test_image_labels_are_the_labeled_classes(tmp_path):
    labels = (
        "a,verification,/m/cat,1", "a,verification,/m/dog,0", "c,verification,/m/dog,0",
        "c,verification,/m/other,0", "gone,verification,/m/dog,1",
    )  # fmt: skip
    source = open_source(write(tmp_path, labels=labels))
    found = {s["image_id"]: s["labeled_classes"].tolist() for s in source}
    # The label map has the classes of boxes; those of b are its objects alone.
    assert found == {"a": [0, 1], "b": [1], "c": [1]}
    assert not source.problems
    assert "labeled_classes" not in open_source(write(tmp_path / "more"))[0]


@pytest.mark.parametrize("header", [[], ["LabelName,DisplayName"]])
def test_class_descriptions(header, tmp_path):
    classes = [*header, "/m/bird,Bird", "/m/cat,Cat", '/m/dog,"Dog, domestic"']
    spec = write(tmp_path, classes=classes)
    source = open_source(spec)
    assert [(c.id, c.name, c.label) for c in source.label_map] == [
        (1, "/m/bird", "Bird"), (2, "/m/cat", "Cat"), (3, "/m/dog", "Dog, domestic"),
    ]  # fmt: skip
    # A label map may have the descriptions as its names.
    again = open_source(spec, label_map_of(["Dog, domestic", "Cat"]))
    assert [s["classes"].tolist() for s in again] == [[1], [0]]


def test_descriptions_of_all_classes_name_only_those_used(tmp_path):
    spec = write(tmp_path)
    text = "/m/cat,Cat\n/m/dog,Dog\n" + "".join(f"/m/{i},{i}\n" for i in range(9))
    (tmp_path / "class-descriptions.csv").write_text(text)
    assert [c.label for c in open_source(spec).label_map] == ["Cat", "Dog"]


def test_masks_belong_to_the_box_with_their_sides(tmp_path):
    rows = (
        "m1.png,b,/m/dog,77,0.25,0.75,0.25,0.75,0.9,",
        "m2.png,b,/m/dog,78,0.0,0.1,0.0,0.1,0.9,",
        "m3.png,a,/m/cat,79,0.1,0.6,0.25,0.75,0.9,",
    )
    spec = write(tmp_path, masks=rows)
    mask = np.zeros((120, 80), np.uint8)  # Twice the size of the image.
    mask[30:90, 20:60] = 255
    (tmp_path / "masks/val-0").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "masks/val-0/m1.png"), mask)
    source = open_source(spec)
    first, second = source
    expected = np.zeros((60, 40), np.uint8)
    expected[15:45, 10:30] = 1
    assert_array_equal(second["masks"][0], expected)
    assert not first["masks"][0].any()
    assert problems(source) == {
        "mask without a box": (1, "b (m2.png)"),
        "malformed mask": (1, "a, object 1"),
    }
    assert "masks" not in open_source(spec, load_masks=False)[0]


def test_layout_of_fiftyone(tmp_path):
    tiny_data.write_images(tmp_path / "validation/data")
    boxes, labels = tiny_data.open_images_rows()
    for name, lines in {
        "labels/detections.csv": boxes, "labels/classifications.csv": labels,
        "metadata/classes.csv": ["cat,Cat", "dog,Dog"],
    }.items():  # fmt: skip
        file = tmp_path / "validation" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(lines))
    source = open_source(f"openimages:{tmp_path}?split=validation")
    assert [len(s["boxes"]) for s in source] == [2, 1, 0]
    assert [c.label for c in source.label_map] == ["Cat", "Dog"]


@pytest.mark.parametrize(
    ("row", "kind", "place"),
    [
        ("a,xclick,/m/cat,1,0.1,x,0.25,0.75,0,0,0,0,0", "malformed box", "line 4 (a)"),
        ("a,xclick,/m/cat,1,0.1,0.6", "malformed box", "line 4 (a)"),
        ("a,xclick,,1,0.1,0.6,0.25,0.75,0,0,0,0,0", "object without class",
         "line 4 (a)"),
        (",xclick,/m/cat,1,0.1,0.6,0.2,0.7,0,0,0,0,0", "annotation without image",
         "line 4"),
        (f"{CAT},1", "malformed row", "line 4"),
        ("a,xclick,/m/cat,1,1.1,1.6,0.2,0.7,0,0,0,0,0", "box outside the image",
         "a, object 2"),
        ("a,xclick,/m/cat,1,0.6,0.1,0.2,0.7,0,0,0,0,0", "inverted box", "a, object 2"),
        ("gone,xclick,/m/cat,1,0.1,0.6,0.2,0.7,0,0,0,0,0", "missing image", "gone"),
    ],
)  # fmt: skip
def test_bad_row_is_counted_and_the_others_are_read(row, kind, place, tmp_path):
    source = open_source(write(tmp_path, (CAT, DOG, row)))
    assert_allclose(source[0]["boxes"][0], [0.25, 0.1, 0.75, 0.6], rtol=1e-6)
    list(source)
    assert problems(source) == {kind: (1, place)}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("openimages:{}", "several CSV files of boxes: test-.*, validation-.*split="),
        ("openimages:{}?split=train", "no CSV file of boxes.*split 'train'; there are"),
        ("openimages:{}/empty", "no CSV file of boxes"),
        ("openimages:{}/none", "no such file or folder"),
        ("openimages:{}/x.csv", r"no columns ImageID, LabelName.*first line is a,b"),
        ("openimages:{}/blank.csv", "no columns ImageID.*first line is empty"),
    ],
)
def test_what_is_not_open_images_is_refused(spec, message, tmp_path):
    write(tmp_path)
    (tmp_path / "test-annotations-bbox.csv").write_text(f"{BOXES}\n{CAT}\n")
    (tmp_path / "x.csv").write_text("a,b\n")
    (tmp_path / "blank.csv").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=f"(?s){message}"):
        open_source(spec.format(tmp_path))
    assert len(open_source(f"openimages:{tmp_path}?split=val")) == 2


def test_most_images_missing_is_refused_unless_asked(tmp_path):
    rows = [CAT, *(CAT.replace("a,", f"{n},", 1) for n in ("x", "y"))]
    spec = write(tmp_path, rows)
    with pytest.raises(DataError, match="2 of 3 images are missing"):
        open_source(spec)
    assert len(open_source(f"{spec}?missing=skip")) == 1


def test_written_files(tmp_path):
    source = open_source(tiny_data.write_voc(tmp_path / "in"))
    result = convert(source, Target("openimages", tmp_path / "out"))
    assert spec_of(Target("openimages", tmp_path / "out"), result) == (
        f"openimages:{tmp_path / 'out'}?split=train"
    )
    folder = tmp_path / "out"
    assert (folder / "train-annotations-bbox.csv").read_text() == (
        f"{BOXES}\n"
        "a,xclick,cat,1,0.100000001,0.600000024,0.25,0.75,-1,-1,0,-1,-1\n"
        "a,xclick,dog,1,0.5,1,0,0.5,-1,-1,0,-1,-1\n"
        "b,xclick,dog,1,0.25,0.75,0.25,0.75,-1,-1,0,-1,-1\n"
    )
    name = "train-annotations-human-imagelabels-boxable.csv"
    assert (folder / name).read_text() == (
        f"{LABELS}\n"
        "a,verification,cat,1\na,verification,dog,1\n"
        "b,verification,cat,0\nb,verification,dog,1\n"
        "c,verification,cat,0\nc,verification,dog,0\n"
    )
    assert (folder / "class-descriptions-boxable.csv").read_text() == (
        "cat,cat\ndog,dog\n"
    )


def test_groups_masks_and_labels_survive(tmp_path):
    rows = ("m.png,b,/m/dog,1,0.25,0.75,0.25,0.75,0.9,",)
    labels = ("a,verification,/m/dog,0",)
    spec = write(tmp_path / "in", masks=rows, labels=labels)
    mask = np.zeros((60, 40), np.uint8)
    mask[20:40, 12:28] = 255
    (tmp_path / "in/masks").mkdir()
    cv2.imwrite(str(tmp_path / "in/masks/m.png"), mask)
    source = open_source(spec)
    parts = write_split(
        source, {"train": [1], "val": [0]}, Target("openimages", tmp_path / "out")
    )
    assert not parts["train"].losses
    (again,) = open_source(f"openimages:{tmp_path / 'out'}?split=train")
    for key in ("boxes", "classes", "group_of", "labeled_classes"):
        assert_array_equal(again[key], source[1][key])
    assert_array_equal(again["masks"][0], mask > 0)
    (other,) = open_source(f"openimages:{tmp_path / 'out'}?split=val")
    assert other["labeled_classes"].tolist() == [0, 1]
