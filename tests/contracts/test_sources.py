"""The contract of sources, checked for each of them."""

import concurrent.futures
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tiny_data
from odapi.data.sources import open_source
from odapi.data.sources.subset import Subset
from odapi.errors import DataError
from odapi.fields import FIELDS
from odapi.labels import label_map_of

KINDS = sorted(tiny_data.WRITERS)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def spec(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))
    return tiny_data.write(kind, tmp_path / "data")


@pytest.fixture
def source(spec):
    return open_source(spec)


def by_name(source):
    return {pathlib.Path(s["filename"]).stem: s for s in source}


def test_reads_images_boxes_and_classes(source):
    samples = by_name(source)
    assert len(source) == 3
    assert [c.name for c in source.label_map] == list(tiny_data.NAMES)
    for name, (height, width) in tiny_data.SIZES.items():
        sample = samples[name]
        assert sample["image"].shape == (height, width, 3)
        assert sample["image"].dtype == np.uint8
        expected = tiny_data.OBJECTS[name]
        assert sample["classes"].tolist() == [i for i, _ in expected]
        assert sample["classes"].dtype == np.int32
        assert sample["boxes"].dtype == np.float32
        pixels = np.array([b for _, b in expected]).reshape(-1, 4)
        unit = [height, width, height, width]
        assert_allclose(sample["boxes"] * unit, pixels, atol=1e-4)


def test_pixels_are_those_of_the_file(source):
    for name, sample in by_name(source).items():
        seed = list(tiny_data.SIZES).index(name)
        expected = tiny_data.pixels(*tiny_data.SIZES[name], seed).astype(int)
        # JPEG at quality 95.
        assert np.abs(sample["image"] - expected).mean() < 3


def test_samples_have_the_same_keys(source):
    keys = [set(source[i]) for i in range(len(source))]
    assert keys[0] == keys[1] == keys[2]
    for i in range(len(source)):
        sample = source[i]
        for key in keys[0] & FIELDS.keys():
            assert len(sample[key]) == len(sample["boxes"]), key


def test_ids_are_unique_and_in_order(source):
    ids = [source[i]["image_id"] for i in range(len(source))]
    assert ids == list(source.image_ids)
    assert len(set(ids)) == len(ids)
    assert all(isinstance(i, str) for i in ids)


def test_annotations_are_the_sample_without_its_image(source):
    for i in range(len(source)):
        sample, annotations = source[i], source.annotations(i)
        assert annotations.pop("size") == sample.pop("image").shape[:2]
        assert annotations.keys() == sample.keys()
        for key, value in sample.items():
            np.testing.assert_array_equal(value, annotations[key])


def test_reading_twice_gives_the_same(source):
    for i in range(len(source)):
        first, second = source[i], source[i]
        for key in first:
            np.testing.assert_array_equal(first[key], second[key])


def test_threads_read_what_one_reads(source):
    wanted = [source[i]["image"] for i in range(len(source))]
    order = [i % len(source) for i in range(60)]

    def read(i):
        return source[i]["image"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for i, image in zip(order, pool.map(read, order), strict=True):
            np.testing.assert_array_equal(image, wanted[i])


def test_index_beyond_the_end_ends_iteration(source):
    with pytest.raises(IndexError):
        source[3]
    with pytest.raises(IndexError):
        source[-1]
    assert len(list(source)) == 3


def test_sound_data_have_no_problems(source):
    list(source)
    assert not source.problems


def test_label_map_sets_the_indices(spec):
    label_map = label_map_of(["bird", "dog", "cat"])
    classes = {
        name: sample["classes"].tolist()
        for name, sample in by_name(open_source(spec, label_map)).items()
    }
    assert classes == {"a": [2, 1], "b": [1], "c": []}


def test_unknown_class_is_refused_with_its_name_and_image(spec):
    with pytest.raises(DataError, match=r"'dog'.*2 objects") as caught:
        open_source(spec, label_map_of(["cat"]))
    assert "unknown=drop" in str(caught.value)


def test_unknown_class_is_dropped_and_counted_on_request(spec):
    join = "&" if "?" in spec else "?"
    source = open_source(f"{spec}{join}unknown=drop", label_map_of(["cat"]))
    counts = {name: len(s["boxes"]) for name, s in by_name(source).items()}
    assert counts == {"a": 1, "b": 0, "c": 0}
    assert source.problems.count("unknown class, dropped") == 2


def test_corrupt_image_raises_and_counts_once(kind, spec, tmp_path):
    if kind == "tfrecord":
        image = tiny_data.encoded()[:300]
        broken = tiny_data.features_of("b", image__encoded=[image])
        records = [tiny_data.example(tiny_data.features_of("a"))]
        records.append(tiny_data.example(broken))
        tiny_data.write_records(tmp_path / "data" / "data.record", records)
    else:
        (file,) = (tmp_path / "data").rglob("b.jpg")
        file.write_bytes(file.read_bytes()[:300])
    source = open_source(spec)
    for _ in range(2):
        with pytest.raises(DataError, match="b"):
            source[1]
        assert len(source[0]["boxes"]) == 2
    assert source.problems.count("corrupt image") == 1


def test_encoded_sample_has_the_bytes_of_the_file(source):
    for i in range(len(source)):
        sample = source.encoded_sample(i)
        assert sample["encoded"] == source.encoded(i)
        assert sample["header"].format == "jpeg"
        assert sample["size"] == source[i]["image"].shape[:2]


def test_empty_data_set_is_refused(kind, tmp_path):
    folder = tmp_path / "empty"
    if kind in ("coco", "lvis"):
        tiny_data.write_coco(folder, lambda c: c.update(images=[], annotations=[]))
        spec = f"{kind}:{folder / 'data.json'}"
    elif kind == "tfrecord":
        folder.mkdir()
        (folder / "data.record").write_bytes(b"")
        spec = f"tfrecord:{folder / 'data.record'}"
    else:
        folder.mkdir()
        spec = f"{kind}:{folder}"
    with pytest.raises(DataError, match="has no"):
        open_source(spec)


def test_files_that_were_added_are_seen(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    folder.mkdir()
    with pytest.raises(DataError):
        open_source(f"{kind}:{folder}")
    with pytest.raises(DataError):
        open_source(tiny_data.write(kind, tmp_path / "other").replace("other", "data"))
    assert len(open_source(tiny_data.write(kind, folder))) == 3


def test_part_of_a_source_is_a_source(source):
    part = Subset(source, [2, 0])
    assert part.image_ids == [source.image_ids[2], source.image_ids[0]]
    for mine, theirs in ((0, 2), (1, 0)):
        np.testing.assert_array_equal(part[mine]["image"], source[theirs]["image"])
        assert part.annotations(mine).keys() == source.annotations(theirs).keys()
        assert part.encoded(mine) == source.encoded(theirs)
    assert part.problems is source.problems
    assert len(list(part)) == 2


def test_keys_can_be_chosen(source):
    bare = source.with_keys(())
    for sample in bare:
        of_image = {"labeled_classes", "not_exhaustive_classes"}
        bare_keys = {"image", "image_id", "filename", "boxes", "classes"}
        assert sample.keys() - of_image == bare_keys
    more = source.with_keys({"area", "weights", "keypoints"}, num_keypoints=3)
    for sample in more:
        count = len(sample["boxes"])
        assert sample["keypoints"].shape == (count, 3, 2)
        assert sample["weights"].tolist() == [1.0] * count
        pixels = (sample["boxes"][:, 2:] - sample["boxes"][:, :2]).prod(1) * 2400
        assert_allclose(sample["area"], pixels, rtol=1e-5)


def test_data_need_no_backend():
    code = (
        "import sys, odapi.data.sources, odapi.data.convert, odapi.data.inspect\n"
        "engines = 'keras', 'tensorflow', 'jax', 'torch'\n"
        "print([m for m in engines if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
