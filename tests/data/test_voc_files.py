"""XML files, lists and images of Pascal VOC datasets in their many layouts."""

import os

import pytest
from numpy.testing import assert_array_equal

import tiny_data
from odapi.data.convert import Target, convert
from odapi.data.image.decode import decode_image
from odapi.data.problems import Problems
from odapi.data.sources import open_source
from odapi.data.sources.voc_files import ListedNames, find_xml_files, ids_of
from odapi.errors import DataError

CAT, DOG = ([(0, (8, 8, 24, 24))], [(1, (8, 8, 24, 24))])


def put_image(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tiny_data.encoded(path.suffix, (40, 60), seed))


def put_xml(path, filename="@", objects=CAT, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = tiny_data.voc_xml("a", objects=objects, filename="@").replace("@", filename)
    path.write_text(text, **options)


def put_list(root, name, data):
    folder = root / "ImageSets" / "Main"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_bytes(
        data if isinstance(data, bytes) else data.encode()
    )


def found(source):
    return {p.kind: p.count for p in source.problems}


def images_of(source, root):
    return {
        image_id: source.path(i).relative_to(root).as_posix()
        for i, image_id in enumerate(source.image_ids)
    }


FLAT = (
    "1",
    "1 (2)",
    "1 (3)",
    "IMG 20",
    "IMG",
    "x 1",
    "y 1",
    "y",
    "v.1",
    "w.jpg",
    "caf\xe9",
)
DEEP = ("1", "day/1", "day/2", "night/1", "far/away/3", "train/day/4")


@pytest.mark.parametrize(
    ("ids", "line", "expected"),
    [
        (FLAT, "1", "1"),
        (FLAT, "1 (2)", "1 (2)"),
        (FLAT, "1 (2) -1", "1 (2)"),
        (FLAT, "1 1", "1"),
        (FLAT, "1  1", "1"),
        (FLAT, "1\t-1", "1"),
        (FLAT, "1 0", "1"),
        (FLAT, "1 2", None),
        (FLAT, "IMG 20", "IMG 20"),
        (FLAT, "IMG 20 1", "IMG 20"),
        (FLAT, "IMG 21", None),
        (FLAT, "x 1", "x 1"),
        (FLAT, "x 1 1", "x 1"),
        (FLAT, "x", None),
        (FLAT, "y 1", "y 1"),
        (FLAT, "y -1", "y"),
        (FLAT, "  1 (3)  ", "1 (3)"),
        (FLAT, "1 (3).jpg", "1 (3)"),
        (FLAT, "1 (3).xml", "1 (3)"),
        (FLAT, "1 (3).PNG 1", "1 (3)"),
        (FLAT, "v.1", "v.1"),
        (FLAT, "v.1.jpg", "v.1"),
        (FLAT, "v", None),
        (FLAT, "w.jpg", "w.jpg"),
        (FLAT, "cafe\u0301", "caf\xe9"),
        (FLAT, "img 20", "IMG 20"),
        (FLAT, "1%20%282%29.jpg", "1 (2)"),
        (("b", "B"), "B", "B"),
        (FLAT, "JPEGImages/1 (2).jpg", "1 (2)"),
        (FLAT, "/content/data/train/IMG 20.jpg", "IMG 20"),
        (FLAT, "C:\\data\\IMG 20.jpg", "IMG 20"),
        (FLAT, "/", None),
        (DEEP, "day/1", "day/1"),
        (DEEP, "night/1 1", "night/1"),
        (DEEP, "day\\2.jpg", "day/2"),
        (DEEP, "./day/1", "day/1"),
        (DEEP, "JPEGImages/night/1.jpg", "night/1"),
        (DEEP, "1", "1"),
        (DEEP, "JPEGImages/1.jpg", "1"),
        (DEEP, "dusk/1", None),  # Not the image 1.
        (DEEP, "2", "day/2"),  # No other has this name.
        (DEEP, "away/3", "far/away/3"),
        (DEEP, "day/4", "train/day/4"),
        (("day/1", "night/1"), "1", None),
    ],
)
def test_line_of_a_list(ids, line, expected):
    assert ListedNames(ids).find(line) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["Annotations/a.xml", "Annotations/more/b.xml"], ["a", "more/b"]),
        (["Annotations/day/1.xml", "Annotations/night/1.xml"], ["day/1", "night/1"]),
        (["a.xml", "more/b.xml"], ["a", "more/b"]),
        (["a.XML", "annotations/xmls/b.Xml"], ["b"]),
        (["ANNOTATIONS/a.xml"], ["a"]),
        (["train/Annotations/a.xml", "val/Annotations/a.xml"], ["train/a", "val/a"]),
        (["train/a.xml", "val/a.xml"], ["train/a", "val/a"]),
        (["a.xml", ".idea/workspace.xml", "._a.xml"], ["a"]),
        (["train/a.xml", "train/labels/a.xml"], ["train/a", "train/a#2"]),
    ],
)
def test_xml_files_of_all_depths_are_read(files, expected, tmp_path):
    for file in files:
        put_xml(tmp_path / file)
    found = find_xml_files(tmp_path, Problems())
    assert list(ids_of(tmp_path, found, Problems())) == expected


def test_links_to_folders_are_followed_and_loops_end(tmp_path):
    put_xml(tmp_path / "far" / "b.xml")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "more").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "up").symlink_to(tmp_path / "data")
    found = find_xml_files(tmp_path / "data", Problems())
    assert list(ids_of(tmp_path / "data", found, Problems())) == ["more/b"]


def test_names_with_spaces_survive_conversion(tmp_path):
    for seed, name in enumerate(("1", "1 (2)", "1 (3)", "IMG 20", "x 1", "x")):
        put_image(tmp_path / f"{name}.jpg", seed)
        put_xml(tmp_path / f"{name}.xml", f"{name}.jpg")
    source = open_source(f"voc:{tmp_path}")
    convert(source, Target("voc", tmp_path / "out"))
    again = open_source(f"voc:{tmp_path / 'out'}?split=train")
    assert again.image_ids == source.image_ids
    assert not again.problems
    for i in range(6):
        assert again.encoded(i) == source.encoded(i)


def test_split_is_not_the_image_of_the_first_word(tmp_path):
    for seed, (name, objects) in enumerate((("1", CAT), ("1 (2)", DOG))):
        put_image(tmp_path / "JPEGImages" / f"{name}.jpg", seed)
        put_xml(tmp_path / "Annotations" / f"{name}.xml", f"{name}.jpg", objects)
    put_list(tmp_path, "train", "1 (2)\n")
    put_list(tmp_path, "val", "1\n")
    train = open_source(f"voc:{tmp_path}?split=train")
    val = open_source(f"voc:{tmp_path}?split=val")
    assert (train.image_ids, val.image_ids) == (["1 (2)"], ["1"])
    assert train[0]["classes"].tolist() == [1]


@pytest.mark.parametrize(
    "data", ["b\r\na\r\n", "\ufeffb\na", "b\na\n".encode("utf-16")]
)
def test_lists_of_windows_are_read(data, tmp_path):
    tiny_data.write_voc(tmp_path)
    put_list(tmp_path, "val", data)
    source = open_source(f"voc:{tmp_path}?split=val")
    assert source.image_ids == ["b", "a"]
    assert not source.problems


def test_list_in_another_encoding_is_refused_with_its_line(tmp_path):
    tiny_data.write_voc(tmp_path)
    put_list(tmp_path, "val", b"b\ncaf\xe9\n")
    with pytest.raises(DataError, match=r"val\.txt:2.*not UTF-8"):
        open_source(f"voc:{tmp_path}?split=val")


def test_folders_below_annotations(tmp_path):
    for folder, objects in (("day", CAT), ("night", DOG)):
        for name in "12":
            put_image(tmp_path / "JPEGImages" / folder / f"{name}.jpg")
            # CVAT writes the path, other tools the name alone.
            filename = f"{folder}/{name}.jpg" if name == "1" else f"{name}.jpg"
            put_xml(
                tmp_path / "Annotations" / folder / f"{name}.xml", filename, objects
            )
    put_list(tmp_path, "default", "day/1\nday/2\nnight/1\nnight/2\n")
    for spec in (f"voc:{tmp_path}?split=default", f"voc:{tmp_path}"):
        source = open_source(spec)
        assert images_of(source, tmp_path) == {
            "day/1": "JPEGImages/day/1.jpg",
            "day/2": "JPEGImages/day/2.jpg",
            "night/1": "JPEGImages/night/1.jpg",
            "night/2": "JPEGImages/night/2.jpg",
        }
        assert [s["classes"].tolist() for s in source] == [[0], [0], [1], [1]]
        assert not source.problems


@pytest.mark.parametrize("images", ["images/{}/1.jpg", "{}/1.jpg"])
def test_split_is_a_folder_below_annotations(images, tmp_path):
    for seed, split in enumerate(("train", "val")):
        put_image(tmp_path / images.format(split), seed)
        put_xml(tmp_path / "annotations" / split / "1.xml", "1.jpg")
    source = open_source(f"{tmp_path}?split=val")
    assert images_of(source, tmp_path) == {"val/1": images.format("val")}
    with pytest.raises(DataError, match="it has train, val"):
        open_source(f"voc:{tmp_path}?split=test")


def test_images_below_without_annotation_are_counted(tmp_path):
    put_image(tmp_path / "JPEGImages" / "a.jpg")
    put_image(tmp_path / "JPEGImages" / "more" / "b.jpg")
    put_xml(tmp_path / "Annotations" / "a.xml", "a.jpg")
    source = open_source(f"voc:{tmp_path}")
    (problem,) = source.problems
    assert problem.kind == "missing annotation"
    assert problem.first == ["JPEGImages/more/b.jpg"]


def test_datasets_in_folders_keep_their_images(tmp_path):
    for split, seed in (("train", 0), ("val", 1)):
        put_image(tmp_path / split / "JPEGImages" / "a.jpg", seed)
        put_xml(tmp_path / split / "Annotations" / "a.xml", "a.jpg")
    source = open_source(f"voc:{tmp_path}")
    assert images_of(source, tmp_path) == {
        "train/a": "train/JPEGImages/a.jpg",
        "val/a": "val/JPEGImages/a.jpg",
    }
    assert not source.problems


def test_image_with_the_name_of_the_xml_file_is_meant(tmp_path):
    for seed, name in enumerate(("0007", "0012")):
        put_image(tmp_path / f"{name}.jpg", seed)
        put_xml(tmp_path / f"{name}.xml", "0012.jpg")
    source = open_source(f"voc:{tmp_path}")
    for i, name in enumerate(("0007", "0012")):
        expected = decode_image((tmp_path / f"{name}.jpg").read_bytes())
        assert_array_equal(source[i]["image"], expected)
    (problem,) = source.problems
    assert (problem.kind, problem.first) == (
        "file name of another image",
        ["0007 (0012.jpg)"],
    )


# The class is a cat, in Chinese.
@pytest.mark.parametrize(
    ("declared", "stored", "name"),
    [
        ("gb2312", "gb2312", "\u732b"),
        ("GBK", "gbk", "\u732b"),
        ("gb2312", "gbk", "\u8c93"),  # Traditional: not in GB 2312.
        ("big5", "big5", "\u8c93"),
        ("shift_jis", "shift_jis", "\u732b"),
        ("euc-kr", "euc-kr", "\uace0"),
        ("utf-16", "utf-8", "\u732b"),  # .NET
        ("utf-16", "utf-16", "\u732b"),
        ("latin-1", "latin-1", "caf\xe9"),
        ("utf-8", "utf-8-sig", "\u732b"),
    ],
)
def test_xml_files_in_other_encodings(declared, stored, name, tmp_path):
    put_image(tmp_path / "a.jpg")
    text = tiny_data.voc_xml("a", objects=[(name, (8, 8, 24, 24))])
    text = f'<?xml version="1.0" encoding="{declared}"?>\n{text}'
    (tmp_path / "a.xml").write_bytes(text.encode(stored))
    source = open_source(f"voc:{tmp_path}")
    assert [c.name for c in source.label_map] == [name]
    assert not source.problems


@pytest.mark.parametrize(
    ("declaration", "reason"),
    [
        ("", "is not UTF-8, and declares no encoding"),
        ('<?xml version="1.0" encoding="utf-8"?>', "codec can't decode byte 0xe9"),
        ('<?xml version="1.0" encoding="klingon"?>', "unknown encoding: klingon"),
    ],
)
def test_xml_file_in_an_unknown_encoding_is_counted(declaration, reason, tmp_path):
    spec = tiny_data.write_voc(tmp_path)
    text = declaration + tiny_data.voc_xml("a", objects=[("caf\xe9", (8, 8, 24, 24))])
    (tmp_path / "Annotations" / "a.xml").write_bytes(text.encode("latin-1"))
    (problem,) = open_source(spec).problems
    assert problem.kind == "unreadable annotation"
    assert reason in problem.first[0]


def test_image_of_another_split_is_not_taken(tmp_path):
    put_image(tmp_path / "JPEGImages" / "b.jpg")
    for name in "abc":
        put_xml(tmp_path / "Annotations" / f"{name}.xml", "b.jpg")
    put_list(tmp_path, "train", "a\n")
    put_list(tmp_path, "val", "b\n")
    with pytest.raises(DataError, match="image of two annotations: 1"):
        open_source(f"voc:{tmp_path}?split=train")
    assert not open_source(f"voc:{tmp_path}?split=val").problems
    source = open_source(f"voc:{tmp_path}")
    assert source.image_ids == ["b"]
    assert found(source) == {"image of two annotations": 2}


def test_annotations_of_one_image_in_two_folders(tmp_path):
    put_image(tmp_path / "JPEGImages" / "a.jpg")
    for folder, objects in (("cats", CAT), ("dogs", DOG)):
        put_xml(tmp_path / "Annotations" / folder / "a.xml", "a.jpg", objects)
    source = open_source(f"voc:{tmp_path}")
    assert source.image_ids == ["cats/a"]
    (problem,) = source.problems
    assert problem.first == ["dogs/a (a.jpg, the image of cats/a)"]


@pytest.mark.parametrize(
    ("files", "filename", "expected"),
    [
        (["a.jpg", "a.png"], "a.png", "a.png"),
        (["a.jpg", "a.png"], "a.jpg", "a.jpg"),
        (["a.jpg", "a.png"], "", "a.jpg"),
        (["a.jpg", "a.png"], "gone.bmp", "a.jpg"),
        (["JPEGImages/a.jpg", "Annotations/a.png"], "a.jpg", "JPEGImages/a.jpg"),
        (["JPEGImages/a.jpg", "Annotations/a.png"], "", "JPEGImages/a.jpg"),
        (["Annotations/a.jpg"], "a.jpg", "Annotations/a.jpg"),
        (["JPEGImages/x.jpg"], "x.jpg", "JPEGImages/x.jpg"),
        (["JPEGImages/A.JPG"], "A.JPG", "JPEGImages/A.JPG"),
        (["JPEGImages/A.jpg"], "a.jpg", "JPEGImages/A.jpg"),
        (["imgs/a.JPEG"], "/home/me/a.jpg", "imgs/a.JPEG"),
        (["JPEGImages/cafe\u0301.jpg"], "caf\xe9.jpg", "JPEGImages/cafe\u0301.jpg"),
    ],
)
def test_image_of_an_annotation(files, filename, expected, tmp_path):
    name = "caf\xe9" if "caf" in filename else "a"
    for file in files:
        put_image(tmp_path / file)
    flat = not any("/" in file for file in files)
    folder = tmp_path if flat else tmp_path / "Annotations"
    put_xml(folder / f"{name}.xml", filename, encoding="utf-8")
    source = open_source(f"voc:{tmp_path}")
    assert list(images_of(source, tmp_path).values()) == [expected]
    assert "file name of another image" not in found(source)


def test_annotation_named_after_the_image_file(tmp_path):
    for name in ("a.jpg", "a.png"):
        put_image(tmp_path / "images" / name)
        put_xml(tmp_path / "Annotations" / f"{name}.xml", "")
    source = open_source(f"voc:{tmp_path}")
    assert images_of(source, tmp_path) == {
        "a.jpg": "images/a.jpg",
        "a.png": "images/a.png",
    }
    assert not source.problems


def test_images_in_a_given_folder_with_folders(tmp_path):
    for folder in ("day", "night"):
        put_image(tmp_path / "far" / folder / "1.jpg")
        put_xml(tmp_path / "voc" / "Annotations" / folder / "1.xml", "1.jpg")
    source = open_source(f"voc:{tmp_path / 'voc'}?images={tmp_path / 'far'}")
    assert images_of(source, tmp_path) == {
        "day/1": "far/day/1.jpg",
        "night/1": "far/night/1.jpg",
    }


def test_images_that_are_referred_to_keep_one_annotation_each(tmp_path):
    for folder, objects in (("day", CAT), ("night", DOG)):
        put_image(tmp_path / "in" / folder / "1.jpg", len(folder))
        put_xml(tmp_path / "in" / folder / "1.xml", "1.jpg", objects)
    source = open_source(f"voc:{tmp_path / 'in'}")
    written = convert(source, Target("voc", tmp_path / "out", images="refer"))
    again = open_source(f"voc:{written.path}?split=train")
    assert len(again) == 2
    for i in range(2):
        assert again.encoded(i) == source.encoded(i)
        assert again[i]["classes"].tolist() == source[i]["classes"].tolist()


@pytest.mark.parametrize("head", ["\n", "\n  \n", '\n<?xml version="1.0"?>', " "])
def test_blanks_before_an_xml_file_are_skipped(head, tmp_path):
    put_image(tmp_path / "a.jpg")
    (tmp_path / "a.xml").write_text(head + tiny_data.voc_xml("a", objects=CAT))
    source = open_source(f"voc:{tmp_path}")
    assert (source[0]["classes"].tolist(), found(source)) == ([0], {})


def test_an_empty_xml_file_is_counted(tmp_path):
    for name, text in (("a", tiny_data.voc_xml("a", objects=CAT)), ("b", " \n ")):
        put_image(tmp_path / f"{name}.jpg", ord(name))
        (tmp_path / f"{name}.xml").write_text(text)
    source = open_source(f"voc:{tmp_path}")
    assert (source.image_ids, found(source)) == (["a"], {"unreadable annotation": 1})


@pytest.mark.parametrize(
    ("write", "below"),
    [(tiny_data.write_voc, "Annotations"), (tiny_data.write_yolo, "images")],
)
def test_a_folder_that_cannot_be_read_is_refused(write, below, tmp_path, monkeypatch):
    spec = write(tmp_path)
    locked = tmp_path / below / "more"
    locked.mkdir()
    scandir = os.scandir

    def scan(path):
        if os.fspath(path) == str(locked):
            raise PermissionError(13, "Permission denied", str(locked))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(DataError) as caught:
        open_source(spec)
    assert str(caught.value) == f"{locked}: cannot be read: Permission denied"
