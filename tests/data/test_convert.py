"""Conversions between all formats: nothing changes that the format has a place for."""

import json
import pathlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tiny_data
from odapi.cli.data import _FORMATS as FORMATS_IN_HELP
from odapi.data.convert import FORMATS, Target, convert, spec_of, write_split
from odapi.data.formats import record_chunks
from odapi.data.sources import open_source
from odapi.data.sources.open import KINDS
from odapi.data.sources.subset import Subset
from odapi.data.tfrecord.records import scan_records
from odapi.errors import DataError

KEPT = {
    "coco": {"masks", "keypoints", "keypoint_visibility", "is_crowd", "area"},
    "tfrecord": {"masks", "keypoints", "keypoint_visibility", "is_crowd", "area"},
    "voc": {"difficult"},
    "yolo": set(),
}
# Formats that keep images with objects of several classes, and their names.
WHOLE = [kind for kind in FORMATS if kind not in ("ava", "pets")]

# Every format is written from one, and to one, of those with all kinds of annotations.
PAIRS = sorted(
    {(kind, to) for kind in tiny_data.WRITERS for to in ("coco", "tfrecord")}
    | {(kind, to) for kind in ("tfrecord", "voc") for to in WHOLE}
)

# What LVIS and Open Images say of a whole image.
OF_IMAGES = {"labeled_classes", "not_exhaustive_classes"}


def written(source, kind, folder, **options):
    path = folder / "out.record" if kind == "tfrecord" else folder / "out"
    target = Target(kind, path, **options)
    result = convert(source, target)
    return result, open_source(spec_of(target, result))


def by_name(source):
    return {pathlib.Path(s["filename"]).stem: s for s in source}


@pytest.mark.parametrize(("kind", "to"), PAIRS)
def test_any_to_any(kind, to, tmp_path):
    source = open_source(tiny_data.write(kind, tmp_path / "in"))
    result, again = written(source, to, tmp_path)
    assert (result.count, result.objects) == (3, 3)
    assert [c.name for c in again.label_map] == ["cat", "dog"]
    before, after = by_name(source), by_name(again)
    assert before.keys() == after.keys()
    for name, sample in before.items():
        assert_array_equal(after[name]["image"], sample["image"])
        assert_allclose(after[name]["boxes"], sample["boxes"], atol=1e-6)
        assert_array_equal(after[name]["classes"], sample["classes"])
    assert not again.problems
    assert {p.kind for p in result.losses} <= OF_IMAGES


@pytest.mark.parametrize("to", WHOLE)
def test_images_are_not_encoded_again(to, tmp_path):
    source = open_source(tiny_data.write_voc(tmp_path / "in"))
    _, again = written(source, to, tmp_path)
    files = {again.encoded(i) for i in range(3)}
    assert files == {source.encoded(i) for i in range(3)}


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("instances_train2017", "tfrecord"),
        ("instances_val2017", "coco"),
        ("person_keypoints_val2017", "tfrecord"),
        ("person_keypoints_val2017", "coco"),
    ],
)
def test_real_masks_and_keypoints_survive_unchanged(to, name, shared, tmp_path):
    file = shared / "data/coco_mini/annotations" / f"{name}.json"
    source = open_source(f"coco:{file}")
    shards = 2 if to == "tfrecord" else 1
    result, again = written(source, to, tmp_path, images="copy", shards=shards)
    assert not result.losses
    found = {sample["image_id"]: sample for sample in again}
    assert len(found) == len(source)
    for sample in source:
        other = found[sample["image_id"]]
        assert {k for k in KEPT[to] if k in sample} <= other.keys()
        for key in sample.keys() - {"filename", "image_id"}:
            nan = key == "keypoints"
            assert np.array_equal(other[key], sample[key], equal_nan=nan), key
    if to == "coco" and source.num_keypoints:
        lines = source.label_map.by_id[1].skeleton
        assert (len(lines), lines[0]) == (19, (15, 13))  # Of COCO's people.
        assert again.label_map.by_id[1].skeleton == lines


def test_records_back_to_coco_keep_masks_and_keypoints(shared, tmp_path):
    folder = shared / "data/coco_mini/annotations"
    source = open_source(f"coco:{folder / 'person_keypoints_val2017.json'}")
    _, records = written(source, "tfrecord", tmp_path)
    _, again = written(records, "coco", tmp_path)
    for first, last in zip(source, again, strict=True):
        assert first["image_id"] == last["image_id"]
        for key in KEPT["coco"]:
            assert_array_equal(last[key], first[key], err_msg=key)


@pytest.mark.parametrize("to", ["cvat", "labelme", "openimages"])
def test_real_masks_survive_in_formats_of_tools(to, shared, tmp_path):
    file = shared / "data/coco_mini/annotations/instances_val2017.json"
    source = Subset(open_source(f"coco:{file}"), range(8))
    target = Target(to, tmp_path / "out")
    result = convert(source, target)
    again = by_name(open_source(spec_of(target, result), source.label_map))
    for name, sample in by_name(source).items():
        assert_array_equal(again[name]["boxes"], sample["boxes"])
        assert_array_equal(again[name]["classes"], sample["classes"])
        for mask, other in zip(sample["masks"], again[name]["masks"], strict=True):
            assert_array_equal(other, mask)


@pytest.mark.parametrize(
    ("to", "lost"),
    [
        # 73 people; 53 with keypoints, one a crowd.
        ("voc", {"masks": 73, "keypoints": 53, "is_crowd": 1, "area": 73}),
        ("yolo", {"masks": 73, "is_crowd": 1, "area": 73}),
    ],
)
def test_what_a_format_has_no_place_for_is_counted(to, lost, shared, tmp_path):
    folder = shared / "data/coco_mini/annotations"
    source = open_source(f"coco:{folder / 'person_keypoints_val2017.json'}")
    result, _ = written(source, to, tmp_path)
    assert {p.kind: p.count for p in result.losses} == lost


def test_coco_has_a_place_for_what_voc_and_records_say(tmp_path):
    tiny_data.write_tfrecord(tmp_path)
    names = ("difficult", "group_of", "weight", "track__label")
    given = tiny_data.features_of(
        "a", **{f"image__object__{n}": v for n, v in zip(names, VALUES, strict=True)}
    )
    tiny_data.write_records(tmp_path / "data.record", [tiny_data.example(given)])
    source = open_source(f"tfrecord:{tmp_path / 'data.record'}")
    result, again = written(source, "coco", tmp_path)
    assert not result.losses
    for key in ("difficult", "group_of", "weights", "track_ids"):
        assert_array_equal(again[0][key], source[0][key])


VALUES = ([0, 1], [1, 0], [0.5, 1.0], [4, 5])


def test_shards(tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path / "in"))
    target = Target("tfrecord", tmp_path / "train.record", shards=2)
    result = convert(source, target)
    names = [f"train.record-{i:05d}-of-00002" for i in range(2)]
    assert [len(scan_records(tmp_path / n)) for n in names] == [2, 1]
    assert spec_of(target, result).endswith("train.record-?????-of-00002")


def test_files_are_the_same_for_any_number_of_workers(tmp_path, monkeypatch):
    monkeypatch.setitem(record_chunks.IMAGES_PER_PROCESS, False, 1)
    spec = tiny_data.write_coco(tmp_path / "in")
    (tmp_path / "in" / "images" / "b.jpg").write_bytes(b"no image")
    source = open_source(spec)
    indices = [0, 1, 2] * 7  # Two chunks.
    found = []
    for workers in (1, 2):
        source.problems.__init__()
        path = tmp_path / f"{workers}" / "x.record"
        target = Target("tfrecord", path, shards=2, workers=workers)
        result = convert(source, target, indices)
        assert (result.count, result.objects) == (14, 14)
        files = sorted(path.parent.iterdir())
        found.append([file.read_bytes() for file in files if "record" in file.name])
        assert source.problems.count("corrupt image") == 1
    assert found[0] == found[1]
    with pytest.raises(DataError, match=r"--workers.*--to tfrecord"):
        Target("coco", tmp_path, workers=2)


def test_bad_images_are_left_out_and_counted(tmp_path):
    spec = tiny_data.write_voc(tmp_path / "in")
    (tmp_path / "in" / "JPEGImages" / "a.jpg").write_bytes(b"no image")
    source = open_source(spec)
    result, again = written(source, "tfrecord", tmp_path)
    assert result.count == len(again) == 2
    assert source.problems.count("corrupt image") == 1


@pytest.mark.parametrize("images", ["copy", "link", "refer"])
def test_images_of_coco(images, tmp_path):
    source = open_source(tiny_data.write_voc(tmp_path / "in"))
    _, again = written(source, "coco", tmp_path, images=images)
    assert len(list(again)) == 3
    folder = tmp_path / "out" / "images"
    assert folder.exists() == (images != "refer")
    if images == "link":
        assert (folder / "a.jpg").stat().st_nlink == 2


@pytest.mark.parametrize("images", ["link", "refer"])
def test_records_contain_their_images(tmp_path, images):
    with pytest.raises(DataError, match="--images: TFRecord files contain the images"):
        Target("tfrecord", tmp_path / "x.record", images)


def test_records_have_no_files_to_refer_to(tmp_path):
    source = open_source(tiny_data.write_tfrecord(tmp_path))
    with pytest.raises(DataError, match="copy"):
        convert(source, Target("coco", tmp_path / "out", images="refer"))
    for kind in ("ava", "kitti", "openimages", "pets", "yolo"):
        with pytest.raises(DataError, match="use --images copy"):
            Target(kind, tmp_path, images="refer")
    with pytest.raises(DataError, match="known values"):
        Target("cvs", tmp_path)
    with pytest.raises(DataError, match="--to tfrecord"):
        Target("voc", tmp_path, shards=2)


def test_every_format_is_read_written_and_named(root):
    assert sorted(KINDS) == list(FORMATS)
    assert f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}" == FORMATS_IN_HELP
    for page in ("README.md", "docs/data.md"):
        text = (root / page).read_text("utf-8")
        assert [kind for kind in KINDS if f"`{kind}:" not in text] == []


def test_names_that_differ_only_in_the_suffix_do_not_collide(tmp_path):
    tiny_data.write_images(tmp_path / "images")
    (tmp_path / "images" / "a.png").write_bytes(tiny_data.encoded(".png", (9, 9)))

    content = tiny_data.coco_content()
    content["images"].append({"id": 4, "file_name": "a.png", "height": 9, "width": 9})
    (tmp_path / "x.json").write_text(json.dumps(content))
    source = open_source(f"coco:{tmp_path / 'x.json'}")
    for to in ("voc", "yolo"):
        result = convert(source, Target(to, tmp_path / to))
        again = open_source(f"{to}:{tmp_path / to}?split=train")
        assert result.count == len(again) == 4
        shapes = sorted(s["image"].shape for s in again)
        assert shapes == sorted(s["image"].shape for s in source)


def test_wrong_suffix_is_mended(tmp_path):
    spec = tiny_data.write_voc(tmp_path / "in")
    (tmp_path / "in" / "JPEGImages" / "a.jpg").write_bytes(tiny_data.encoded(".png"))
    source = open_source(spec)
    convert(source, Target("voc", tmp_path / "out"))
    files = sorted(p.name for p in (tmp_path / "out" / "JPEGImages").iterdir())
    assert files == ["a.png", "b.jpg", "c.jpg"]


def test_turned_images_keep_their_boxes(tmp_path):
    from PIL import Image

    spec = tiny_data.write_voc(tmp_path / "in")
    exif = Image.Exif()
    exif[0x0112] = 6
    file = tmp_path / "in" / "JPEGImages" / "a.jpg"
    Image.fromarray(tiny_data.pixels(60, 40)).save(file, exif=exif)
    source = open_source(spec)
    for to in WHOLE:
        again = by_name(written(source, to, tmp_path / to)[1])
        assert again["a"]["image"].shape == (40, 60, 3)
        assert_allclose(again["a"]["boxes"], source[0]["boxes"], atol=1e-6)


def test_parts_of_coco_keep_all_that_the_file_says(shared, tmp_path):
    file = shared / "data/coco_mini/annotations/instances_val2017.json"
    source = open_source(f"coco:{file}")
    target = Target("coco", tmp_path, images="refer")
    parts = {"train": range(0, 20), "val": range(20, 28)}
    written_parts = write_split(source, parts, target)
    whole = json.loads(file.read_text())
    found = [json.loads(w.path.read_text()) for w in written_parts.values()]
    key = "annotations"
    assert sorted(a["id"] for part in found for a in part[key]) == sorted(
        a["id"] for a in whole[key]
    )
    by_id = {a["id"]: a for a in whole[key]}
    assert all(by_id[a["id"]] == a for part in found for a in part[key])
    assert found[0]["info"] == whole["info"]
    again = open_source(f"coco:{tmp_path / 'val.json'}")
    assert again.image_ids == source.image_ids[20:]
    np.testing.assert_array_equal(again[0]["image"], source[20]["image"])


def test_parts_of_records_are_the_same_bytes(tmp_path):
    source = open_source(tiny_data.write_tfrecord(tmp_path / "in"))
    target = Target("tfrecord", tmp_path / "out")
    write_split(source, {"train": [2, 0], "val": [1]}, target)
    again = open_source(f"tfrecord:{tmp_path / 'out' / 'train.record'}")
    assert [again.record(i) for i in range(2)] == [source.record(i) for i in (2, 0)]
