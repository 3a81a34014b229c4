"""The stored index of a TFRecord file: kept, made anew, never that of other data."""

import gzip
import json
import os
import shutil

import numpy as np
import pytest

import tiny_data
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.data.tfrecord.indexing import index_of
from odapi.data.tfrecord.records import scan_records
from odapi.errors import DataError

INDEX = ".data.record.index"


def write(path, *seeds):
    """Writes records of the same size; the first pixel of each tells its seed."""
    records = []
    for seed in seeds:
        image = np.full((20, 20, 3), seed, np.uint8)
        features = tiny_data.features_of("a", image__source_id=[b"x"])
        features["image/encoded"] = [tiny_data.cv2.imencode(".bmp", image)[1].tobytes()]
        records.append(tiny_data.example(features))
    path.parent.mkdir(exist_ok=True)
    tiny_data.write_records(path, records)
    return path


def seeds(path):
    source = open_tfrecord(path)
    return [int(source[i]["image"][0, 0, 0]) for i in range(len(source))]


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "data.record", 10, 20, 30)


@pytest.fixture
def scanned(monkeypatch):
    """Files that were scanned because there was no index of them."""
    files = []

    def scan(path, progress):
        files.append(path)
        return scan_records(path, progress)

    monkeypatch.setattr("odapi.data.tfrecord.indexing.scan_records", scan)
    return files


def test_it_is_kept_beside_the_file_and_used(file, scanned):
    first = index_of(file)
    assert file.with_name(INDEX).is_file()
    again = index_of(file)
    assert scanned == [file]
    assert again.offsets.tolist() == first.offsets.tolist()
    assert (again.ids, again.classes) == (first.ids, first.classes)


def test_it_is_made_anew_when_the_file_changes(file):
    assert seeds(file) == [10, 20, 30]
    write(file, 40, 50)
    assert seeds(file) == [40, 50]


def test_it_is_made_anew_when_only_the_time_changes(file, scanned):
    index_of(file)
    os.utime(file, ns=(1, 1))
    index_of(file)
    assert scanned == [file, file]


@pytest.mark.parametrize("replace", [False, True])
def test_other_content_of_the_same_size_and_time_is_noticed(file, tmp_path, replace):
    assert seeds(file) == [10, 20, 30]
    time = file.stat().st_mtime_ns
    other = write(tmp_path / "other" / "data.record", 10, 77, 30)
    if replace:
        other.replace(file)
    else:
        file.write_bytes(other.read_bytes())
    os.utime(file, ns=(time, time))
    assert seeds(file) == [10, 77, 30]


def test_a_relative_path_means_the_file_in_the_present_folder(tmp_path, monkeypatch):
    for name, seed in (("one", 10), ("two", 200)):
        write(tmp_path / name / "data.record", seed)
        monkeypatch.chdir(tmp_path / name)
        assert seeds("data.record") == [seed]
    monkeypatch.chdir(tmp_path / "two")
    assert seeds("../one/data.record") == [10]


def test_a_source_reads_its_file_after_a_change_of_the_folder(tmp_path, monkeypatch):
    write(tmp_path / "one" / "data.record", 10)
    write(tmp_path / "two" / "data.record", 200)
    monkeypatch.chdir(tmp_path / "one")
    source = open_tfrecord("data.record")
    monkeypatch.chdir(tmp_path / "two")
    assert source[0]["image"][0, 0].tolist() == [10, 10, 10]


def test_a_copied_folder_is_read_itself_and_its_index_used(file, tmp_path, scanned):
    write(tmp_path / "A" / "data.record", 10, 20)
    assert seeds(tmp_path / "A") == [10, 20]
    shutil.copytree(tmp_path / "A", tmp_path / "B")  # With the times.
    write(tmp_path / "A" / "data.record", 99)
    assert seeds(tmp_path / "B") == [10, 20]
    shutil.rmtree(tmp_path / "A")
    shutil.move(tmp_path / "B", tmp_path / "C")
    assert seeds(tmp_path / "C") == [10, 20]
    assert scanned == [tmp_path / "A" / "data.record"]


def test_the_index_of_another_file_is_not_used(tmp_path):
    one = write(tmp_path / "one" / "data.record", 10, 20)
    two = write(tmp_path / "two" / "data.record", 30, 40)
    os.utime(two, ns=(one.stat().st_atime_ns, one.stat().st_mtime_ns))
    open_tfrecord(one)
    shutil.copy2(one.with_name(INDEX), two.with_name(INDEX))
    assert seeds(two) == [30, 40]


def test_a_record_that_changes_while_it_is_read_is_refused(file):
    source = open_tfrecord(file)
    write(file, 10, 77, 30)
    assert source[0]["image"][0, 0].tolist() == [10, 10, 10]
    with pytest.raises(DataError) as caught:
        source[1]
    offset = source._indices[0].offsets[1]
    assert str(caught.value) == (
        f"{file}: has changed since it was opened: the record at byte {offset} is "
        "another one\n  hint: open it again, and change files only while nothing reads "
        "them"
    )


def altered(content, rng):
    """Returns the bytes of an index with one change."""
    data = bytearray(content)
    kind = rng.integers(4)
    at = int(rng.integers(len(data)))
    if kind == 0:
        data[at] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        data[at:at] = rng.bytes(5)
    else:
        data = bytearray(rng.bytes(at))
    return bytes(data)


def test_a_damaged_or_altered_index_is_made_anew(file):
    index_of(file)
    place = file.with_name(INDEX)
    sound, rng = place.read_bytes(), np.random.default_rng(0)
    for _ in range(50):
        place.write_bytes(altered(sound, rng))
        index = index_of(file)
        assert (len(index), index.ids) == (3, ["x", "x", "x"])
        assert place.read_bytes() == sound


def test_a_valid_archive_of_other_arrays_is_no_index(file):
    index_of(file)
    about = json.dumps({"path": "/etc/passwd", "offsets": [0]})
    with open(file.with_name(INDEX), "wb") as other:
        np.savez(other, offsets=np.zeros(3), about=np.array(about))
    assert seeds(file) == [10, 20, 30]


def test_it_goes_to_the_cache_where_the_folder_is_read_only(tmp_path, cache):
    file = write(tmp_path / "read_only" / "data.record", 10)
    file.parent.chmod(0o555)
    try:
        assert len(index_of(file)) == 1
        assert list(file.parent.iterdir()) == [file]
        assert len(list((cache / "records").iterdir())) == 1
        assert len(index_of(file)) == 1
    finally:
        file.parent.chmod(0o755)


def test_damage_is_told_again_by_a_stored_index(file):
    data = bytearray(file.read_bytes())
    data[-20] ^= 0xFF
    file.write_bytes(data)
    for _ in range(2):
        assert open_tfrecord(file).problems.count("corrupt record") == 1


def test_a_compressed_file_that_changed_is_unpacked_again(tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", "cache")  # Relative: to the present folder.
    monkeypatch.chdir(tmp_path)
    plain, packed = tmp_path / "plain", tmp_path / "data.record"
    for values in ((10, 20), (10, 77)):
        packed.write_bytes(gzip.compress(write(plain, *values).read_bytes(), 0))
        os.utime(packed, ns=(5, 5))
        assert seeds(packed) == list(values)
        source = open_tfrecord("data.record")
    monkeypatch.chdir("/")
    assert source[1]["image"][0, 0].tolist() == [77, 77, 77]
    assert not list(tmp_path.glob("*/*/*.writing-*"))


def test_an_unpacked_file_that_was_altered_is_made_anew(file, tmp_path, cache):
    packed = tmp_path / "packed.record"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert seeds(packed) == [10, 20, 30]
    (unpacked,) = (cache / "records").glob("*.records")
    unpacked.write_bytes(write(tmp_path / "x.record", 1, 2, 3).read_bytes())
    assert seeds(packed) == [10, 20, 30]
    unpacked.unlink()
    assert seeds(packed) == [10, 20, 30]
