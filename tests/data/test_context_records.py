"""Context features of records: from tf.Example and tf.SequenceExample to batches."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import tiny_data
from odapi.data.context_features import BankShape, one_bank, read_context
from odapi.data.problems import Problems
from odapi.data.sources import open_source
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.data.tfrecord.example import parse_example
from odapi.data.tfrecord.example_writer import example_of
from odapi.data.tfrecord.protos import example_pb2
from odapi.errors import DataError
from odapi.labels import label_map_of

LABELS = label_map_of(tiny_data.NAMES)
BANK = np.arange(6, dtype=np.float32).reshape(3, 2)


def with_bank(name="a", values=tuple(range(6)), length=(2,), ids=None):
    features = tiny_data.features_of(name)
    if values is not None:
        features["image/context_features"] = [float(v) for v in values]
    if length is not None:
        features["image/context_feature_length"] = list(length)
    if ids:
        features["image/context_features_image_id_list"] = list(ids)
    return tiny_data.example(features)


def opened(tmp_path, *records, **options):
    tiny_data.write_records(tmp_path / "x.record", records)
    return open_tfrecord(tmp_path / "x.record", **options)


def _bytes(values):
    return [v.encode() if isinstance(v, str) else v for v in values]


def sequence(names=("a", "b"), annotated=None, bank=None, **lists):
    """A sequence whose frames are images of `tiny_data`."""
    message = example_pb2.SequenceExample()
    message.context.feature["image/format"].bytes_list.value.append(b"jpeg")
    for key, number in (("image/height", 40), ("image/width", 60)):
        message.context.feature[key].int64_list.value.append(number)
    if bank is not None:
        values = message.context.feature["image/context_features"]
        values.float_list.value.extend(bank.reshape(-1).tolist())
        length = message.context.feature["image/context_feature_length"]
        length.int64_list.value.append(bank.shape[1])
    frames = [tiny_data.features_of(n) for n in names]
    add = message.feature_lists.feature_list
    for frame in frames:
        for key in ("image/encoded", "image/source_id"):
            add[key].feature.add().bytes_list.value.extend(_bytes(frame[key]))
        for side in ("ymin", "xmin", "ymax", "xmax"):
            values = frame[f"image/object/bbox/{side}"]
            add[f"region/bbox/{side}"].feature.add().float_list.value.extend(values)
        texts = _bytes(frame["image/object/class/text"])
        add["region/label/string"].feature.add().bytes_list.value.extend(texts)
    for flag in annotated or ():
        add["region/is_annotated"].feature.add().int64_list.value.append(flag)
    for key, rows in lists.items():
        for row in rows:
            name = key.replace("__", "/")
            add[name].feature.add().float_list.value.extend(row)
    return message.SerializeToString()


def test_a_bank_is_read_row_by_row(tmp_path):
    source = opened(tmp_path, with_bank(ids=[b"p", b"q", b"r"]))
    assert {"context_features", "context_image_ids"} <= source.keys
    sample = source[0]
    assert_array_equal(sample["context_features"], BANK)
    assert sample["context_image_ids"] == ["p", "q", "r"]
    assert sample["boxes"].shape == (2, 4)


def test_an_image_without_a_bank_has_an_empty_one(tmp_path):
    source = opened(tmp_path, with_bank(), with_bank("b", None, None))
    assert source[1]["context_features"].shape == (0, 0)
    assert "context_image_ids" not in source[1]


def test_who_does_not_ask_gets_none(tmp_path):
    source = opened(tmp_path, with_bank()).with_keys(())
    assert "context_features" not in source[0]


@pytest.mark.parametrize(
    ("values", "length", "expected"),
    [
        (range(6), [3], [[0, 1, 2], [3, 4, 5]]),
        ([], [3], np.zeros((0, 3))),  # Nothing was found in the other images.
        (None, [3], np.zeros((0, 3))),
    ],
)
def test_the_length_says_where_rows_end(values, length, expected):
    features = parse_example(with_bank(values=values, length=length))
    assert_array_equal(read_context(features)["context_features"], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": None}, "image/context_feature_length is missing"),
        ({"length": [0]}, r"image/context_feature_length is \[0\]"),
        ({"length": [2, 2]}, r"image/context_feature_length is \[2, 2\]"),
        ({"length": [4]}, "6 numbers are not whole rows of 4"),
    ],
)
def test_a_bank_that_is_none_costs_its_record(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_context(parse_example(with_bank(**change)))
    source = opened(tmp_path, with_bank(**change), with_bank("b"))
    assert len(source) == 1
    assert source.problems.count("corrupt record") == 1


def test_a_record_that_is_written_again_keeps_its_bank(tmp_path):
    source = opened(tmp_path, with_bank(ids=[b"p", b"q", b"r"]))
    again = example_of(source.encoded_sample(0), source.label_map)
    found = read_context(parse_example(again))
    assert_array_equal(found["context_features"], BANK)
    assert found["context_image_ids"] == ["p", "q", "r"]


def test_banks_of_a_batch_are_padded_and_cut():
    problems = Problems()
    banks = [BANK, BANK[:1], np.zeros((0, 2)), np.zeros((0, 0)), np.zeros((1, 3))]
    samples = [
        {"image_id": f"{n}", "context_features": bank} for n, bank in enumerate(banks)
    ]
    made = BankShape(2, 2).batch([*samples, {"image_id": "none"}], problems)
    assert made["valid_context_size"].tolist() == [2, 1, 0, 0, 0, 0]
    assert made["valid_context_size"].dtype == np.int32
    expected = np.zeros((6, 2, 2), np.float32)
    expected[0], expected[1, 0] = BANK[:2], BANK[0]
    assert_array_equal(made["context_features"], expected)
    assert {p.kind: p.first for p in problems} == {
        "image without context features": ["3", "none"],
        "context features of another length": ["4"],
        "more context features than max_num_context_features": ["0"],
    }


def test_frames_of_sequences_are_samples(tmp_path):
    records = [sequence(("a", "b"), bank=BANK), sequence(("c",))]
    source = opened(tmp_path, *records, sequences=True)
    assert len(source) == 3
    assert source.frames == [0, 1, 0]
    assert [c.name for c in source.label_map] == list(tiny_data.NAMES)
    for index, name in enumerate("abc"):
        sample = source[index]
        height, width = tiny_data.SIZES[name]
        assert sample["image"].shape == (height, width, 3)
        expected = tiny_data.OBJECTS[name]
        assert sample["classes"].tolist() == [i for i, _ in expected]
        unit = [height, width, height, width]
        pixels = np.array([box for _, box in expected]).reshape(-1, 4)
        np.testing.assert_allclose(sample["boxes"] * unit, pixels, atol=1e-4)
    assert_array_equal(source[0]["context_features"], BANK)
    assert_array_equal(source[1]["context_features"], BANK)
    assert source[2]["context_features"].shape == (0, 0)


def test_frames_are_found_again_by_the_stored_index(tmp_path):
    first = opened(tmp_path, sequence(("a", "b")), sequences=True)
    again = open_source(f"tfrecord:{tmp_path}/x.record?type=sequence")
    assert again.image_ids == first.image_ids
    assert again.frames == [0, 1]


def test_frames_that_nobody_annotated_are_counted(tmp_path):
    record = sequence(("a", "b"), annotated=(0, 1))
    source = opened(tmp_path, record, sequences=True, label_map=LABELS)
    assert source.frames == [1]
    assert source[0]["classes"].tolist() == [1]
    assert source.problems.count("frame without annotations") == 1


def test_confidences_are_weights(tmp_path):
    record = sequence(("a", "b"), region__label__confidence=[[0.5, 1.0], [0.25]])
    source = opened(tmp_path, record, sequences=True)
    assert source[0]["weights"].tolist() == [0.5, 1.0]
    assert source[1]["weights"].tolist() == [0.25]


def test_a_frame_can_be_written_as_a_tf_example(tmp_path):
    source = opened(tmp_path, sequence(("a", "b"), bank=BANK), sequences=True)
    again = opened(tmp_path / "..", source.record(1), label_map=LABELS)
    assert again[0]["classes"].tolist() == [1]
    assert_array_equal(again[0]["context_features"], BANK)


@pytest.mark.parametrize(
    ("record", "sequences", "message"),
    [
        (sequence(), False, "input_type: TF_SEQUENCE_EXAMPLE"),
        (with_bank(), True, "a tf.Example, not a tf.SequenceExample"),
        (
            sequence(("a", "b"), region__label__confidence=[[1.0, 1.0]]),
            True,
            "region/label/confidence: 1 entry for 2 frames",
        ),
        (b"\x0b", True, "not a tf.SequenceExample"),
        (b"", True, "no image/encoded of frames; it has no keys"),
        (b"", False, "no image/encoded; it has no keys"),
        (
            tiny_data.example({"label": [1], "image": ["a"], "height": [3]}),
            False,
            "no image/encoded; its keys are height, image, label",
        ),
        (
            tiny_data.example({f"k{i:02}": [i] for i in range(20)}),
            False,
            "k10, k11 and 8 more",
        ),
    ],
    # Serialized maps have no fixed order; the bytes cannot be part of a name.
    ids=range(8),
)
def test_a_record_of_another_kind_is_named(record, sequences, message, tmp_path):
    with pytest.raises(DataError) as info:
        opened(tmp_path, record, sequences=sequences)
    assert "has no usable record" in str(info.value)
    source = opened(
        tmp_path,
        *([sequence()] if sequences else [with_bank()]),
        record,
        sequences=sequences,
    )
    (damage,) = [p for p in source.problems if p.kind == "corrupt record"]
    assert message in damage.first[0]


SPECS = {"context_features": (4, 2), "valid_context_size": ()}


def test_one_bank_serves_all_images(tmp_path):
    np.save(tmp_path / "bank.npy", BANK)
    for given in (BANK, tmp_path / "bank.npy", str(tmp_path / "bank.npy")):
        made = one_bank(given, SPECS)
        assert made["valid_context_size"].tolist() == [3]
        assert made["context_features"].shape == (1, 4, 2)
        assert_array_equal(made["context_features"][0, :3], BANK)


@pytest.mark.parametrize(
    ("given", "specs", "message"),
    [
        (BANK, {}, "context: was given, but the model does not use context features"),
        (BANK[0], SPECS, r"must be \[n, 2\], one row per object; got \[2\]"),
        (BANK.T, SPECS, r"must be \[n, 2\], one row per object; got \[2, 3\]"),
        (BANK.astype(str), SPECS, "context: must hold numbers, got <U32"),
        (BANK * np.nan, SPECS, "context: must hold finite float32 numbers"),
        (
            np.array(1.0, np.float32),
            {**SPECS, "context_features": (4, None)},
            r"context: must be \[n, d\], one row per object; got \[\]",
        ),
        ("none.npy", SPECS, r"none\.npy: is not a \.npy file"),
    ],
)
def test_a_bank_that_does_not_fit_is_named(given, specs, message):
    with pytest.raises(DataError, match=message):
        one_bank(given, specs)


@pytest.mark.parametrize("shape", [(3, 2), (3_000_000_000, 2000)])
def test_a_bank_file_that_is_too_short_is_refused(tmp_path, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    data = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header
    (tmp_path / "bank.npy").write_bytes(data)
    with pytest.raises(DataError) as caught:
        one_bank(tmp_path / "bank.npy", SPECS)
    assert str(caught.value).startswith(
        f"{tmp_path / 'bank.npy'}: is not a .npy file: mmap length is greater than "
    )


def test_an_npz_file_is_not_a_bank(tmp_path):
    np.savez(tmp_path / "bank.npz", BANK)
    with pytest.raises(DataError) as caught:
        one_bank(tmp_path / "bank.npz", SPECS)
    expected = f"{tmp_path / 'bank.npz'}: is not a .npy file: it is an .npz archive"
    assert str(caught.value) == expected
