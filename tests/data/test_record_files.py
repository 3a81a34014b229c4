"""TFRecord files: damage, compression, the stored index."""

import gzip
import json
import os
import struct
import zlib

import numpy as np
import pytest

import tiny_data
from odapi.data.sources.tfrecord import find_files, open_tfrecord
from odapi.data.tfrecord.indexing import index_of
from odapi.data.tfrecord.records import read_record, scan_records
from odapi.data.tfrecord.shards import missing_shards
from odapi.errors import DataError
from requirement import require


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.record"
    tiny_data.write_records(path, tiny_data.records())
    return path


def starts(path):
    """Returns where each record of a sound file begins, and where the last ends."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        found.append(at)
        at += 16 + struct.unpack_from("<Q", data, at)[0]
    return [*found, at]


def ids(source):
    return list(source.image_ids)


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def test_finds_what_was_written(tmp_path):
    path = tmp_path / "x.record"
    data = [b"", b"abc", bytes(1000)]
    assert tiny_data.write_records(path, data) == 3
    found = scan_records(path)
    assert found.damage == []
    for offset, length, expected in zip(
        found.offsets, found.lengths, data, strict=True
    ):
        assert read_record(path, offset, length) == expected


def test_tensorflow_reads_what_we_write_and_we_read_what_it_writes(tmp_path):
    tf = require("tensorflow")
    data = [b"", b"x", np.random.default_rng(0).bytes(70_000)]
    ours, theirs = tmp_path / "ours.record", tmp_path / "theirs.record"
    tiny_data.write_records(ours, data)
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(ours))] == data
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in data:
            writer.write(record)
    assert theirs.read_bytes() == ours.read_bytes()


def test_flipped_bit_in_the_data_loses_that_record_only(file):
    flip(file, starts(file)[1] + 100)
    source = open_tfrecord(file)
    assert ids(source) == ["a", "c"]
    assert source.problems.as_dict() == [
        {
            "kind": "corrupt record",
            "outcome": "skipped",
            "first": ["data.record: record 1, checksum of the data"],
            "count": 1,
        }
    ]


@pytest.mark.parametrize("at", [0, 5, 9])
def test_flipped_bit_in_a_length_loses_that_record_only(file, at):
    second, third = starts(file)[1:3]
    flip(file, second + at)
    source = open_tfrecord(file)
    assert ids(source) == ["a", "c"]
    (problem,) = source.problems
    assert problem.kind == "lost bytes"
    assert problem.first == [f"data.record: bytes {second} to {third - 1}"]


def test_flipped_bit_in_the_first_length(file):
    flip(file, 0)
    assert ids(open_tfrecord(file)) == ["b", "c"]


@pytest.mark.parametrize("cut", [1, 4, 5, 100])
def test_truncated_file_keeps_the_records_before(file, cut):
    data = file.read_bytes()
    file.write_bytes(data[:-cut])
    source = open_tfrecord(file)
    assert ids(source) == ["a", "b"]
    assert source.problems.count("truncated record") == 1


def test_truncated_within_a_header(file):
    file.write_bytes(file.read_bytes()[: starts(file)[2] + 7])
    source = open_tfrecord(file)
    assert ids(source) == ["a", "b"]
    assert source.problems.count("truncated record") == 1


def test_file_that_becomes_shorter_while_it_is_scanned_is_refused(tmp_path):
    path = tmp_path / "x.record"
    tiny_data.write_records(path, [bytes(1 << 20)] * 4)
    with pytest.raises(DataError) as caught:
        scan_records(path, lambda scanned: os.truncate(path, (1 << 20) + 100))
    assert str(caught.value) == (
        f"{path}: became shorter while it was read: it had 4194368 bytes, and now has "
        "1048676\n  hint: open it again, and change files only while nothing reads them"
    )


@pytest.mark.parametrize(
    "junk",
    [
        bytes(1 << 24),
        np.arange(1 << 20, dtype="<i4").tobytes(),
        np.random.default_rng(0).integers(0, 2, 1 << 22, np.uint8).tobytes(),
    ],
    ids=["zeros", "small integers", "zeros and ones"],
)
def test_megabytes_without_a_record_are_skipped(file, junk):
    sound = file.read_bytes()
    file.write_bytes(sound + junk + b"\7" + sound)
    seen = []
    found = scan_records(file, seen.append)
    assert found.numbers.tolist() == [0, 1, 2, 3, 4, 5]
    start = len(sound)
    assert found.damage == [("lost bytes", f"bytes {start} to {start + len(junk)}")]
    steps = len(junk) >> 20  # One per megabyte.
    assert seen[:steps] == list(range(start + 1, start + len(junk), 1 << 20))


def test_zeros_of_a_compressed_file_are_unpacked_in_parts(file, tmp_path, cache):
    packed = tmp_path / "packed.record.gz"
    packed.write_bytes(gzip.compress(file.read_bytes() + bytes(1 << 26)))
    shares = []
    index = index_of(packed, progress=shares.append)
    assert index.ids == ["a", "b", "c"]
    size = file.stat().st_size
    assert index.damage == [
        (
            "truncated record",
            f"packed.record.gz: the last {1 << 26} bytes, from byte {size}",
        )
    ]
    assert shares == sorted(shares)
    assert shares[-1] < 1
    assert len(shares) > 60


def test_record_that_is_no_example_is_skipped(tmp_path):
    path = tmp_path / "x.record"
    tiny_data.write_records(path, [b"\xff\xff no example", *tiny_data.records()])
    source = open_tfrecord(path)
    assert ids(source) == ["a", "b", "c"]
    assert source.problems.count("corrupt record") == 1


def test_example_with_sides_of_different_number_is_skipped(tmp_path):
    path = tmp_path / "x.record"
    broken = tiny_data.features_of("a", **{"image__object__bbox__xmin": [0.1]})
    tiny_data.write_records(path, [tiny_data.example(broken), *tiny_data.records()[1:]])
    source = open_tfrecord(path)
    assert ids(source) == ["b", "c"]
    assert "box coordinates differ" in next(iter(source.problems)).first[0]


def test_what_is_no_record_file_is_refused(tmp_path):
    path = tmp_path / "x.record"
    path.write_text(json.dumps({"images": list(range(100))}))
    with pytest.raises(DataError, match="is not a TFRecord file"):
        open_tfrecord(path)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_compressed_file_is_read_in_any_order(file, tmp_path, cache, pack):
    packed = tmp_path / "packed.record.gz"
    packed.write_bytes(pack(file.read_bytes()))
    plain, source = open_tfrecord(file), open_tfrecord(packed)
    for i in (2, 0, 1):
        np.testing.assert_array_equal(source[i]["image"], plain[i]["image"])
    assert any(p.suffix == ".records" for p in (cache / "records").iterdir())


def test_truncated_gzip_keeps_the_records_before(file, tmp_path):
    packed = tmp_path / "packed.gz"
    data = gzip.compress(file.read_bytes())
    packed.write_bytes(data[: len(data) * 5 // 6])
    source = open_tfrecord(packed)
    assert ids(source) == ["a", "b"][: len(source)]
    assert len(source) >= 1
    assert source.problems.count("truncated record") >= 1


def test_shards_and_globs(tmp_path):
    for i, record in enumerate(tiny_data.records()):
        tiny_data.write_records(tmp_path / f"train.record-{i:05d}-of-00003", [record])
    pattern = str(tmp_path / "train.record-?????-of-00003")
    assert ids(open_tfrecord(pattern)) == ["a", "b", "c"]
    # The hidden indices do not match the glob.
    assert ids(open_tfrecord(str(tmp_path / "*"))) == ["a", "b", "c"]
    several = [str(tmp_path / f"train.record-{i:05d}-of-00003") for i in (2, 0)]
    assert ids(open_tfrecord(several)) == ["c", "a"]
    assert [p.name[:18] for p in find_files([tmp_path])] == [
        f"train.record-{i:05d}" for i in range(3)
    ]


def test_missing_file_says_what_is_there(file):
    with pytest.raises(DataError, match=r"data\.record"):
        open_tfrecord(str(file.parent / "train-*.tfrecord"))
    with pytest.raises(DataError, match="no folder"):
        open_tfrecord("/nowhere/at/all.record")


SHARDS = ("x-00000-of-00003", "x-00002-of-00003", "y-0-of-2.gz", "z-00000-of-00001")


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["x-*"], ["x-00001-of-00003"]),
        (["x-?????-of-00003"], ["x-00001-of-00003"]),
        (["x-*-of-00003", "y-*"], ["x-00001-of-00003", "y-1-of-2.gz"]),
        ([""], ["x-00001-of-00003", "y-1-of-2.gz"]),
        (["x-00000-of-00003"], []),  # Only this one is asked for.
        (["x-0000[02]-of-00003"], []),
        (["z-*"], []),
    ],
)
def test_missing_shards_of_a_glob_are_named(patterns, expected, tmp_path):
    for name in SHARDS:
        (tmp_path / name).write_bytes(b"")
    given = [os.path.join(tmp_path, p) for p in patterns]
    files = [
        f for p in given for f in sorted(tmp_path.glob(os.path.basename(p) or "*"))
    ]
    assert missing_shards(given, files) == expected


def test_a_missing_shard_is_counted(tmp_path):
    tiny_data.write_records(tmp_path / "x.record-00000-of-00002", tiny_data.records())
    for spec, counted in (("x.record-*", 1), ("x.record-00000-of-00002", 0)):
        source = open_tfrecord(tmp_path / spec)
        assert source.problems.count("missing shard") == counted
