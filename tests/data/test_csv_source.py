"""CSV files with one box per row: columns, cells, images and classes."""

import numpy as np
import pytest

import tiny_data
from odapi.data.sources import open_source
from odapi.data.sources.csv_columns import read_rows
from odapi.errors import DataError
from odapi.labels import label_map_of
from source_views import problems

HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax"


def write(folder, *lines, name="train_labels.csv"):
    tiny_data.write_images(folder / "images")
    file = folder / name
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def boxes_px(source, index=0):
    sample = source[index]
    height, width, _ = sample["image"].shape
    boxes = sample["boxes"] * [height, width, height, width]
    return np.round(boxes, 3).tolist()


# The cat of `a.jpg`, at [10, 6, 30, 36], in the columns of many tools.
@pytest.mark.parametrize(
    ("header", "row"),
    [
        (HEADER, "a.jpg,60,40,cat,6,10,36,30"),
        ("class,ymax,xmax,ymin,xmin,filename", "cat,30,36,10,6,a.jpg"),
        ("Filename, Width, Height, Class, XMin, YMin, XMax, YMax",
         "a.jpg, 60, 40, cat, 6, 10, 36, 30"),
        ("image_id,label,x_min,y_min,x_max,y_max", "a,cat,6,10,36,30"),
        ("image,class_name,x1,y1,x2,y2", "images/a.jpg,cat,6,10,36,30"),
        ("path,category,x0,y0,x1,y1", "C:\\data\\a.jpg,cat,6,10,36,30"),
        ("img_path,name,left,top,right,bottom", "/home/me/a.jpg,cat,6,10,36,30"),
        ("file_name;label_name;xmin;ymin;xmax;ymax", "a.jpg;cat;6,0;10,0;36,0;30,0"),
        ("filename\tclass\txmin\tymin\txmax\tymax", "a.jpg\tcat\t6\t10\t36\t30"),
        ("image_name,label,x,y,w,h", "a.jpg,cat,6,10,30,20"),
        ("image_name,label,x,y,width,height", "a.jpg,cat,6,10,30,20"),
        # makesense.ai
        ("label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width,"
         "image_height", "cat,6,10,30,20,a.jpg,60,40"),
        # Open Images: fractions.
        ("ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded",
         "a,xclick,cat,1,0.1,0.6,0.25,0.75,0"),
        ('"filename","class","class_id","xmin","ymin","xmax","ymax"',
         '"a.jpg","cat",7,"6","10","36","30"'),
        ("\ufeff" + HEADER, "a.jpg,60,40,cat,6.0,10.0,36.0,30.0,"),
    ],
)  # fmt: skip
def test_columns_by_name(header, row, tmp_path):
    source = open_source(f"csv:{write(tmp_path, header, row)}")
    assert boxes_px(source) == [[10, 6, 30, 36]]
    assert [c.name for c in source.label_map] == ["cat"]
    assert not source.problems


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("filename,xmin,ymin,xmax,ymax", r"no columns for class; the first line is"),
        ("filename,class,xmin,ymin,xmax", r"no columns for box"),
        ("a.jpg,6,10,36,30,cat", r"no columns for image, class, box.*filename,width"),
        ("", r"has no rows; the file is empty"),
    ],
)
def test_missing_columns_are_refused_with_those_that_are_there(
    header, message, tmp_path
):
    file = write(tmp_path, header)
    with pytest.raises(DataError, match=f"(?s){message}") as caught:
        open_source(f"csv:{file}")
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("row", "kind", "place"),
    [
        ("a.jpg,60,40,cat,6,10,36,", "malformed box", "line 3 (a.jpg)"),
        ("a.jpg,60,40,cat,6,ten,36,30", "malformed box", "line 3 (a.jpg)"),
        ("a.jpg,60,40,cat,6", "malformed box", "line 3 (a.jpg)"),
        ("a,b.jpg,60,40,cat,6,10,36,30", "malformed row", "line 3"),
        (",60,40,cat,6,10,36,30", "annotation without image", "line 3"),
        ("a.jpg,60,40,,6,10,36,30", "object without class", "line 3 (a.jpg)"),
        ("a.jpg,60,40,cat,,,,", "image label", "line 3 (a.jpg)"),
        ("a.jpg,60,40,dog,0,0,9,9", "repeated annotation", "line 3 (a.jpg)"),
        ("a.jpg,60,40,cat,100,100,110,110", "box outside the image", "a.jpg, object 2"),
        ("a.jpg,60,40,cat,6,10,6,30", "box without area", "a.jpg, object 2"),
        ("gone.jpg,60,40,cat,6,10,36,30", "missing image", "gone.jpg"),
        ("a.png,60,40,cat,6,10,36,30", "image of two annotations",
         "a.png (a.jpg, the image of a.jpg)"),
    ],
)  # fmt: skip
def test_bad_row_is_counted_and_the_others_are_read(row, kind, place, tmp_path):
    lines = (HEADER, "a.jpg,60,40,dog,0,0,9,9", row, "b.jpg,40,60,dog,1,1,9,9")
    source = open_source(f"csv:{write(tmp_path, *lines)}")
    assert boxes_px(source, 0) == [[0, 0, 9, 9]]
    assert boxes_px(source, 1) == [[1, 1, 9, 9]]
    assert problems(source) == {kind: (1, place)}


def test_only_the_beginning_of_a_long_first_line_is_shown(tmp_path):
    with pytest.raises(DataError) as caught:
        open_source(f"csv:{write(tmp_path, 'x' * 1000)}")
    assert len(caught.value.problem) < 200


def test_inverted_box_is_mended(tmp_path):
    source = open_source(f"csv:{write(tmp_path, HEADER, 'a.jpg,60,40,cat,36,30,6,10')}")
    assert boxes_px(source) == [[10, 6, 30, 36]]
    assert problems(source) == {"inverted box": (1, "a.jpg, object 1")}


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ("120,80", "12,20,72,60", [10, 6, 30, 36]),  # Rescaled, as in VOC.
        ("40,60", "6,10,36,30", [10, 6, 30, 36]),  # Exchanged.
        ("99,10", "6,10,36,30", [10, 6, 30, 36]),
    ],
)
def test_size_of_the_file_counts(size, box, expected, tmp_path):
    source = open_source(f"csv:{write(tmp_path, HEADER, f'a.jpg,{size},cat,{box}')}")
    assert boxes_px(source) == [expected]
    assert problems(source) == {"wrong image size": (1, "a.jpg")}


@pytest.mark.parametrize("size", ["", "0", "x"])
def test_unknown_size_is_no_problem(size, tmp_path):
    row = f"a.jpg,{size},{size},cat,6,10,36,30"
    source = open_source(f"csv:{write(tmp_path, HEADER, row)}")
    assert boxes_px(source) == [[10, 6, 30, 36]]
    assert not source.problems


def test_rows_of_one_image_that_disagree_on_its_size(tmp_path):
    rows = ("a.jpg,60,40,cat,6,10,36,30", "a.jpg,120,80,cat,12,20,72,60")
    source = open_source(f"csv:{write(tmp_path, HEADER, *rows)}")
    assert boxes_px(source) == [[10, 6, 30, 36]] * 2
    assert problems(source) == {"wrong image size": (1, "a.jpg, line 3")}


def test_classes_are_numbered_by_name_and_numbers_in_their_order(tmp_path):
    rows = [f"a.jpg,60,40,{c},6,10,36,30" for c in ("dog", "cat", "10", "2")]
    source = open_source(f"csv:{write(tmp_path, HEADER, *rows)}")
    assert [c.name for c in source.label_map] == ["2", "10", "cat", "dog"]


@pytest.mark.parametrize(
    ("names", "expected"), [(["cat", "dog"], [1]), (["2", "dog"], [0])]
)
def test_number_is_an_id_unless_a_class_has_that_name(names, expected, tmp_path):
    file = write(tmp_path, HEADER, "a.jpg,60,40,2,6,10,36,30")
    source = open_source(f"csv:{file}", label_map_of(names))
    assert source[0]["classes"].tolist() == expected


@pytest.mark.parametrize(
    ("file", "images", "options"),
    [
        ("train_labels.csv", ".", ""),
        ("train_labels.csv", "images", ""),
        ("images/train_labels.csv", "images/train", ""),
        ("data/train_labels.csv", "images/train", ""),
        ("train/_annotations.csv", "train", ""),
        ("train_labels.csv", "far/away", "?images=far/away"),
    ],
)
def test_places_of_the_images(file, images, options, tmp_path):
    tiny_data.write_images(tmp_path / images)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("\n".join(tiny_data.csv_lines()))
    source = open_source(f"csv:{tmp_path / file}{options}")
    assert source.image_ids == ["a.jpg", "b.jpg", "c.jpg"]
    assert [len(s["boxes"]) for s in source] == [2, 1, 0]
    assert not source.problems


def test_folders_and_splits(tmp_path):
    for split in ("train", "valid"):
        tiny_data.write_images(tmp_path / split)
        text = "\n".join(tiny_data.csv_lines())
        (tmp_path / split / "_annotations.csv").write_text(text)
    assert len(open_source(f"csv:{tmp_path}?split=valid")) == 3
    assert len(open_source(f"csv:{tmp_path / 'train'}")) == 3
    with pytest.raises(DataError, match="has no CSV file with 'test' in its name"):
        open_source(f"csv:{tmp_path}?split=test")
    (tmp_path / "train" / "more.csv").write_text(text)
    with pytest.raises(DataError, match=r"several: _annotations\.csv, more\.csv"):
        open_source(f"csv:{tmp_path / 'train'}")


def test_images_below_folders_are_told_apart(tmp_path):
    for seed, folder in enumerate(("day", "night")):
        (tmp_path / folder).mkdir()
        data = tiny_data.encoded(".jpg", (40, 60), seed)
        (tmp_path / folder / "1.jpg").write_bytes(data)
    rows = [f"{d}/1.jpg,60,40,{d},6,10,36,30" for d in ("day", "night")]
    source = open_source(f"csv:{write(tmp_path, HEADER, *rows)}")
    assert [source.path(i).parent.name for i in range(2)] == ["day", "night"]
    assert [s["classes"].tolist() for s in source] == [[0], [1]]


def test_most_images_missing_is_refused(tmp_path):
    rows = [f"{n}.jpg,60,40,cat,6,10,36,30" for n in "axy"]
    with pytest.raises(DataError, match="2 of 3 images are missing"):
        open_source(f"csv:{write(tmp_path, HEADER, *rows)}")


def test_file_in_another_encoding_is_refused_with_its_line(tmp_path):
    file = write(tmp_path, HEADER)
    file.write_bytes(file.read_bytes() + b"a.jpg,60,40,caf\xe9,6,10,36,30\n")
    with pytest.raises(DataError, match=r"train_labels\.csv:2.*not UTF-8"):
        open_source(f"csv:{file}")


def test_quoted_cells_may_have_commas_and_line_ends():
    text = HEADER + '\n"a, b.jpg",60,40,"traffic\nlight",6,10,36,30\n\n,,\n'
    (row,) = read_rows(text, "x.csv")
    assert (row.line, row.image, row.label) == (3, "a, b.jpg", "traffic\nlight")


def test_cell_without_an_end_is_no_csv():
    text = HEADER + '\n"' + "a" * 200_000
    with pytest.raises(DataError, match=r"x\.csv:\d+.*is no CSV"):
        list(read_rows(text, "x.csv"))


@pytest.mark.parametrize(
    "row", ['a.jpg,60,40,"cat,6,10,36,30', '"a.jpg,60,40,cat,6,10']
)
def test_a_quotation_mark_that_is_not_closed_is_refused(row, tmp_path):
    rows = [row, "b.jpg,60,40,cat,6,10,36,30", "c.jpg,60,40,cat,6,10,36,30"]
    file = write(tmp_path, HEADER, "a.jpg,60,40,dog,1,1,9,9", *rows)
    with pytest.raises(DataError, match="a cell contains the next row") as caught:
        open_source(f"csv:{file}")
    assert caught.value.place == f"{file}:3"


def test_lines_within_cells_of_other_columns_are_read(tmp_path):
    rows = ['a.jpg,cat,6,10,36,30,"two\nlines"', "b.jpg,cat,6,10,16,20,"]
    file = write(tmp_path, "image,class,xmin,ymin,xmax,ymax,note", *rows)
    assert len(open_source(f"csv:{file}")) == 2
