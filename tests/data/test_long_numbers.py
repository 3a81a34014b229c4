"""Numbers of thousands of digits, which Python refuses to convert, and beyond int32."""

import pytest

import tiny_data
from odapi.data.sources.open import open_source
from odapi.errors import DataError

LONG = "9" * 5000


@pytest.mark.parametrize("track_id", [2**31, -(2**40), 1e30, "1e30"])
def test_a_track_id_beyond_int32_is_a_malformed_number(track_id, tmp_path):
    def change(content):
        content["annotations"][0]["track_id"] = track_id
        content["annotations"][1]["track_id"] = 7

    source = open_source(tiny_data.write_coco(tmp_path, change))
    assert source[0]["track_ids"].tolist() == [-1, 7]
    (problem,) = source.problems
    shown = f"a.jpg, annotation 1: track_id {track_id!r}"
    assert (problem.kind, problem.first) == ("malformed number", [shown])


def test_a_class_of_a_csv_file_is_a_name(tmp_path):
    spec = tiny_data.write_csv(tmp_path)
    file = tmp_path / "train_labels.csv"
    file.write_text(file.read_text().replace("cat", LONG))
    names = [category.name for category in open_source(spec).label_map]
    assert sorted(names) == [LONG, "dog"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"kpt_shape: [{LONG}, 3]", "kpt_shape must be [count, 2 or 3], got"),
        (f"kpt_shape: [2, 3]\nflip_idx: [{LONG}, 0]", "flip_idx must have each number"),
        (
            f"kpt_shape: [2, 3]\nkpt_names: {{{LONG[:30]}: [a, b]}}",
            "kpt_names must be lists of names by class number, got",
        ),
        (f"names: {{{LONG[:30]}: cat}}", "names must be"),
    ],
)
def test_numbers_of_a_data_yaml_are_refused(line, problem, tmp_path):
    spec = tiny_data.write_yolo(tmp_path)
    names = "" if line.startswith("names") else "names: [cat, dog]\n"
    (tmp_path / "data.yaml").write_text(f"train: images\n{names}{line}\n")
    with pytest.raises(DataError) as caught:
        open_source(spec)
    assert problem in caught.value.problem
    assert len(str(caught.value)) < 500


def test_a_long_number_of_classes_is_ignored(tmp_path):
    spec = tiny_data.write_yolo(tmp_path)
    (tmp_path / "data.yaml").write_text(f"train: images\nnc: {LONG}\n")
    names = [category.name for category in open_source(spec).label_map]
    assert names == ["class 0", "class 1"]
