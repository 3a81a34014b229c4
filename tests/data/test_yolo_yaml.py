"""data.yaml: class names stay the text as written; errors name file and line."""

import pytest

import tiny_data
from odapi.data.convert import Target, convert
from odapi.data.sources.open import open_source
from odapi.data.sources.yolo_yaml import format_data_yaml, read_data_file
from odapi.errors import DataError
from odapi.labels import Category, LabelMap

LINE = "0 0.5 0.5 0.2 0.4\n"


def dataset(folder, yaml=None, lines=LINE, **names):
    """A folder `images` with the files a, b and c, and label files of a and b."""
    tiny_data.write_images(folder / "images")
    (folder / "labels").mkdir()
    for name in "ab":
        (folder / "labels" / f"{name}.txt").write_text(lines)
    (folder / "labels" / "c.txt").write_text("")
    for name, text in {"data.yaml": yaml, **names}.items():
        if text is not None:
            data = text if isinstance(text, bytes) else text.encode()
            (folder / name).write_bytes(data)
    return f"yolo:{folder}"


def names_of(source):
    return [c.name for c in source.label_map]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: x y\n", {"a": "1", "b": "x y"}),
        ("names: ['a, b', \"c\", d]", {"names": ["a, b", "c", "d"]}),
        ("names: [a,\n  b,\n  c]\nnc: 3", {"names": ["a", "b", "c"], "nc": "3"}),
        ("names:\n- a\n- b # c\n", {"names": ["a", "b"]}),
        ("names:\n  0: a\n  1: 'b: c'\n", {"names": {"0": "a", "1": "b: c"}}),
        ("names: {0: a, 1: b}", {"names": {"0": "a", "1": "b"}}),
        ("# only\n---\nkpt_shape: [17, 3]\n", {"kpt_shape": ["17", "3"]}),
        ("path: ../x#y # z\n", {"path": "../x#y"}),
        ("\ufefftrain: a\r\nval: b\r\n", {"train": "a", "val": "b"}),
        ("names: &a [x]\nother: *a\n", {"names": ["x"], "other": ["x"]}),
        # Merged entries; own ones replace them, and the first mapping the next ones.
        (
            "d: &d\n  train: a\n  nc: 1\n<<: *d\nnc: 2\n",
            {"nc": "2", "d": None, "train": "a"},
        ),
        (
            "d: &d {nc: 1}\ne: &e {nc: 2, train: a}\n<<: [*d, *e]\n",
            {"d": None, "e": None, "nc": "1", "train": "a"},
        ),
        ("names: {<<: &n {0: a, 1: b}, 1: c}\n", {"names": {"1": "c", "0": "a"}}),
        ("<<: &a {<<: *a, nc: 1}\n", {"nc": "1"}),
        ("<<: 5\nnc: 1\n", {"nc": "1"}),
        # Keys that are not used may have any value, also twice.
        ("roboflow:\n  url: https://a.b/c\n", {"roboflow": None}),
        ("hook: !!python/name:os.system\nx: 1\n", {"hook": "", "x": "1"}),
        ("x: 1\nx: 2\n", {"x": "2"}),
        (
            "nc: 2\ndownload: |\n  for d in 'a', 'b':\n      (dir / d).mkdir()\n",
            {"nc": "2", "download": "for d in 'a', 'b':\n    (dir / d).mkdir()\n"},
        ),
    ],
)
def test_texts_as_people_write_them(text, expected, tmp_path):
    file = tmp_path / "data.yaml"
    file.write_bytes(text.encode())
    assert read_data_file(file).values == expected


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1.0", "1.0"),
        ("017", "017"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("null", "null"),
        ("~", "~"),
        ("True", "True"),
        ("'it''s'", "it's"),
        ('"caf\\xE9"', "café"),
        ('"\\u732B \\\\ \\t"', "猫 \\ \t"),
        ("'a # b: c'", "a # b: c"),
        ("猫", "猫"),
    ],
)
def test_class_names_are_the_text_as_written(written, name, tmp_path):
    spec = dataset(tmp_path, f"train: images\nnames: [{written}, dog]\n")
    assert names_of(open_source(spec)) == [name, "dog"]


ODD = (
    "no", "null", "~", "1.0", "0x1F", "2024-01-01", "1:30", "café", "driver's 猫",
    '"quoted"', "back\\slash", "a # b", "a: b", "- a", "{a}", "[a]", "*a", "&a", "!a",
    "%a", "@a", " leading", "trailing ", "two\nlines", "\ttab", "#", ":", "?", "<<",
    "x" * 300 + " y", "\x85", "\u2028", "\ufeff", "🙂", "a, b", "=", "a\\nb",
)  # fmt: skip


def test_own_data_yaml_is_read_back_as_written(tmp_path):
    text = format_data_yaml({"names": dict(enumerate(ODD))})
    (tmp_path / "data.yaml").write_bytes(text.encode())
    read = read_data_file(tmp_path / "data.yaml").values["names"]
    assert tuple(read.values()) == ODD


def test_conversion_keeps_odd_names(tmp_path):
    classes = LabelMap(tuple(Category(i, n) for i, n in enumerate(ODD, 1)))
    spec = dataset(tmp_path / "in", format_data_yaml({"train": "images"} | named()))
    source = open_source(spec)
    assert names_of(source) == list(ODD)
    convert(source, Target("yolo", tmp_path / "out"))
    again = open_source(f"yolo:{tmp_path / 'out'}")
    assert again.label_map.categories == classes.categories


def named():
    return {"names": dict(enumerate(ODD))}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: a\nnames: [a\n", r"data\.yaml:3: is no YAML: while parsing a flow"),
        ("train: a\nnames:\n\t0: cat\n", r"(?s)data\.yaml:3: is no YAML.*with tabs"),
        ("names: a: b\n", r"data\.yaml:1: is no YAML.*mapping values"),
        ("train: a\x07\n", r"data\.yaml:1: is no YAML: it has the character '\\x07'"),
        ("a: 1\n--- \nb: 1\n", r"(?s)data\.yaml:2: is no YAML: .*one document"),
        ("train: *a\n", r"data\.yaml:1: is no YAML: found undefined alias"),
        ("- a\n- b\n", r"data\.yaml:1: must have keys"),
        ("", r"data\.yaml: is empty"),
        ("names: [a]\nnames: [b]\n", r"data\.yaml:2: 'names' is already given .* 1"),
        ("names:\n  0: a\n  0: b\n", r"data\.yaml:3: 0 appears twice"),
        ("train: a\nnames: {a: 0}\n", r"data\.yaml:2: names must be a list of texts"),
        ("train: a\nnames: {1: [a]}\n", r"data\.yaml:2: names must be a list"),
        ("train: a\nnames: cat\n", r"data\.yaml:2: names must be a list .* got cat"),
        ("train: a\nnames: {0: a, 999999999: b}\n", r"data\.yaml:2: names must be"),
        ("train: a\nnames: [a, '']\n", r"data\.yaml:2: class 1 has no name"),
        ("names: &a [*a]\n", r"data\.yaml:1: is nested too deeply"),
        ("names: " + "[" * 5000, r"data\.yaml: is no YAML: it is nested too deeply"),
        ("train: {a: b}\n", r"data\.yaml:1: train must be a path"),
        ("train: images\nkpt_shape: 17\n", r"data\.yaml:2: kpt_shape must be"),
        ("train: images\nkpt_shape: [x, 3]\n", r"data\.yaml:2: kpt_shape must be"),
        ("train: images\nkpt_shape: [0, 3]\n", r"data\.yaml:2: kpt_shape must be"),
        ("kpt_shape: [99999999999, 3]\n", r"data\.yaml:1: kpt_shape must be"),
        ("train: images\nkpt_shape: [4, 4]\n", r"data\.yaml:2: kpt_shape must be"),
    ],
)
def test_errors_name_the_line(text, message, tmp_path):
    with pytest.raises(DataError, match=message):
        open_source(dataset(tmp_path, text))


YAML = "train: images\nnames: [café, dog]\n"
LIST = "café\ndog\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding, tmp_path):
    spec = dataset(tmp_path / "yaml", YAML.encode(encoding))
    assert names_of(open_source(spec)) == ["café", "dog"]
    spec = dataset(tmp_path / "list", **{"classes.txt": LIST.encode(encoding)})
    assert names_of(open_source(spec)) == ["café", "dog"]


@pytest.mark.parametrize("name", ["data.yaml", "classes.txt", "obj.names", "list.txt"])
def test_files_that_are_not_utf8_are_refused(name, tmp_path):
    yaml = "train: list.txt\nnames: [a]\n" if name == "list.txt" else None
    data = (YAML if name == "data.yaml" else f"dog\n{LIST}").encode("latin-1")
    spec = dataset(tmp_path, **({"data.yaml": yaml} | {name: data}))
    with pytest.raises(DataError) as error:
        open_source(spec)
    assert error.value.place == f"{tmp_path / name}:2"
    assert error.value.problem == "byte 0xe9 is not UTF-8"
    assert error.value.hint == "save the file as UTF-8 text"


def test_a_label_file_that_is_not_utf8_is_skipped_and_counted(tmp_path):
    spec = dataset(tmp_path, "train: images\nnames: [cat]\n")
    file = tmp_path / "labels" / "a.txt"
    file.write_bytes(LINE.encode() + "é".encode("latin-1"))
    source = open_source(spec)
    assert source.image_ids == ["b", "c"]
    (problem,) = source.problems
    assert problem.kind == "unreadable annotation"
    assert problem.first == [
        f"{file}:2 (byte 0xe9 is not UTF-8; save the file as UTF-8 text)"
    ]
