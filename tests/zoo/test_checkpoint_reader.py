"""TF2 checkpoints without TensorFlow: every tensor, and every kind of damage."""

import json
import os

import numpy as np
import pytest

import tf2_checkpoints as tf2
from odapi.checkpoints.index.snappy import decompress
from odapi.errors import CheckpointError
from odapi.zoo.checkpoint.reader import OBJECT_GRAPH, SUFFIX, Checkpoint
from requirement import require

EXAMPLE = "golden/checkpoint_example"
TENSORS = {
    "empty": np.zeros((0, 3), np.float32),
    "half": np.array([1.5, -2.0], np.float16),
    "model/a/bias": np.arange(3, dtype=np.float32),
    "model/a/kernel": np.zeros((7, 3), np.float32),
    "model/b.Sc/small": np.array([[1.0, 3.140625]], tf2.BFLOAT16),
    "names": np.array([b"", b"dog", b"x" * 300], object),
    "step": np.array(12, np.int64),
    "yes": np.array([True, False]),
}


# The original's own files.


@pytest.mark.parametrize("name", ["training", "exported"])
def test_every_variable_of_the_originals_files(shared, name):
    checkpoint = Checkpoint(shared / EXAMPLE / name)
    digest = json.loads((shared / f"{EXAMPLE}/{name}_digest.json").read_text())
    expected = digest["variables"]
    assert set(checkpoint) == {*expected, OBJECT_GRAPH}
    for key, (shape, dtype, total, size) in expected.items():
        value = checkpoint[key]
        assert (list(value.shape), str(value.dtype)) == (shape, dtype), key
        wide = value.astype(np.float64)
        assert wide.sum() == pytest.approx(total, abs=1e-9 * max(size, 1)), key
        assert np.abs(wide).sum() == pytest.approx(size), key


@pytest.mark.parametrize(
    ("folder", "manifest"),
    [
        ("ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8", ""),
        ("faster_rcnn_resnet50_v1_640x640_coco17_tpu-8", ""),
        ("mask_rcnn_inception_resnet_v2_1024x1024_coco17_gpu-8", ""),
        ("efficientdet_d1_coco17_tpu-32", "ssd_efficientdet_d1_640x640_coco17_tpu-8"),
    ],
)
def test_keys_and_shapes_of_the_zoos_packed_index_files(shared, folder, manifest):
    listed = json.loads(
        (shared / f"golden/manifest/{manifest or folder}.json").read_text()
    )
    checkpoint = Checkpoint(shared / "golden/zoo_index" / folder)
    ours = {
        key: (list(checkpoint.shape(key)), str(checkpoint.dtype(key)))
        for key in checkpoint
    }
    texts = {"string": "object"}
    assert ours == {k: (s, texts.get(d, d)) for k, s, d in listed["variables"]}


def test_the_graph_leads_to_every_variable_and_slot(shared):
    checkpoint = Checkpoint(shared / EXAMPLE / "training")
    for key in checkpoint:
        path = key.removesuffix(SUFFIX)
        if "OPTIMIZER_SLOT" not in path and path != OBJECT_GRAPH:
            assert checkpoint.graph.key(path) == key
    beta = "model/_box_predictor/_base_tower_layers_for_heads/box_encodings/0/1/beta"
    slot = f"{beta}/.OPTIMIZER_SLOT/optimizer/momentum{SUFFIX}"
    assert checkpoint.graph.slot_key(beta, "momentum") == slot
    assert checkpoint.graph.slot_key(beta, "average") is None
    assert checkpoint.graph.key("model/nothing/here") is None
    assert checkpoint.graph.slot_names() == {"momentum"}


def test_what_tensorflow_writes_today(tmp_path):
    tf = require("tensorflow")
    values = {
        "a": tf.Variable(tf.cast([1.0, 2.5], tf.bfloat16)),
        "b": tf.Variable(np.arange(6, dtype=np.int32).reshape(2, 3)),
        "c": tf.Variable(["x", "", "long" * 100]),
    }
    path = tf.train.Checkpoint(**values).write(str(tmp_path / "ckpt"))
    checkpoint = Checkpoint(path)
    for name, variable in values.items():
        np.testing.assert_array_equal(checkpoint[name], variable.numpy())


# Made files.


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shards", [1, 3])
def test_types_shards_and_compression(tmp_path, packed, shards):
    prefix = tf2.write(tmp_path / "ckpt-3", TENSORS, packed, shards)
    checkpoint = Checkpoint(prefix)
    assert len(checkpoint) == len(TENSORS) + 1
    for key, value in TENSORS.items():
        assert key in checkpoint and key + SUFFIX in checkpoint
        assert checkpoint.shape(key) == value.shape
        assert checkpoint.dtype(key) == value.dtype
        np.testing.assert_array_equal(checkpoint[key], value)
    assert "model/a" not in checkpoint


def test_reads_only_what_is_asked_for(tmp_path):
    prefix = tf2.write(tmp_path / "ckpt-3", TENSORS, shards=3)
    for file in tmp_path.glob("*.data-*"):
        file.unlink()
    assert Checkpoint(prefix).shape("model/a/kernel") == (7, 3)
    with pytest.raises(CheckpointError, match=r"00003: is missing next to the \.index"):
        Checkpoint(prefix)["model/a/kernel"]


@pytest.mark.parametrize(
    ("named", "state", "expected"),
    [
        ("", "ckpt-9", 9),  # The state file decides,
        ("", "/other/machine/ckpt-9", 9),  # also from another machine;
        ("", None, 10),  # without it the highest number, not the last name.
        ("", "ckpt-77", 10),
        ("ckpt-9", None, 9),
        ("ckpt-9.index", None, 9),
        ("ckpt-9.data-00000-of-00001", None, 9),
        ("checkpoint", "ckpt-9", 9),
        ("..", "ckpt-9", 9),  # An archive of the zoo.
    ],
)
def test_which_checkpoint_a_path_means(tmp_path, named, state, expected):
    folder = tmp_path / "archive" / "checkpoint"
    for step in (9, 10):
        tf2.write(folder / f"ckpt-{step}", {"step": np.array(step, np.int64)})
    (folder / "checkpoint").unlink()
    if state:
        (folder / "checkpoint").write_text(f'model_checkpoint_path: "{state}"')
    path = folder.parent if named == ".." else folder / named
    assert Checkpoint(path)["step"] == expected


@pytest.mark.parametrize(
    ("stream", "content"),
    [
        (b"\x00", b""),
        (b"\x04\x0cabcd", b"abcd"),
        (b"\x0a\x04ab\x12\x02\x00\x04cd\x00\x61", b"abababacda"),
        (b"\x0a\x04ab\x1e\x02\x00", b"ababababab"),  # A copy of what it writes.
        (b"\x06\x04ab\x01\x02", b"ababab"),  # One byte of offset.
        (b"\x05\x04ab\x0b\x02\x00\x00\x00", b"ababa"),  # Four.
        (b"\x03\xf0\x02abc", b"abc"),  # A length in a byte of its own.
    ],
)
def test_snappy(stream, content):
    assert decompress(stream) == content


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"", "cut short"),
        (b"\x04\x0cab", "expected 4 bytes at 2, found 2"),
        (b"\x04\x04ab\x05\x09", "goes back 9 bytes"),
        (b"\x04\x04ab\x05\x00", "goes back 0 bytes"),
        (b"\x09\x0cabcd", "has 4 bytes instead of 9"),
        (b"\xff\xff\xff\xff\xff\x01", "claims to have"),
    ],
)
def test_damaged_snappy(stream, message):
    with pytest.raises(ValueError, match=message):
        decompress(stream)


@pytest.mark.parametrize("packed", [False, True])
def test_a_cut_or_changed_index_is_an_error_never_another_value(tmp_path, packed):
    prefix = tf2.write(tmp_path / "ckpt-3", TENSORS, packed)
    index = tmp_path / "ckpt-3.index"
    whole = index.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [whole[:n] for n in range(0, len(whole), 17)]
    for at in rng.integers(0, len(whole), 200):
        damaged.append(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
    for content in damaged:
        index.write_bytes(content)
        try:
            checkpoint = Checkpoint(prefix)
        except CheckpointError:
            continue
        # Bytes that say nothing: padding of the footer, the unused first handle.
        assert checkpoint.keys() == sorted(
            [*(k + SUFFIX for k in TENSORS), OBJECT_GRAPH]
        )
        np.testing.assert_array_equal(checkpoint["names"], TENSORS["names"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-1], "is truncated: it has"),
        (lambda b: b"", "is truncated: it has 0 bytes"),
        (lambda b: b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (lambda b: bytes(len(b)), "the checksum is wrong"),
    ],
)
def test_damaged_data(tmp_path, change, message):
    tf2.write(tmp_path / "ckpt-3", {"z": np.ones(1000), "names": TENSORS["names"]})
    data = tmp_path / "ckpt-3.data-00000-of-00001"
    data.write_bytes(change(data.read_bytes()))
    with pytest.raises(CheckpointError, match=message):
        Checkpoint(tmp_path)["z"]


def test_damaged_texts(tmp_path):
    tf2.write(tmp_path / "ckpt-3", {"names": TENSORS["names"]})
    data = tmp_path / "ckpt-3.data-00000-of-00001"
    data.write_bytes(data.read_bytes().replace(b"dog", b"cat"))
    with pytest.raises(CheckpointError, match="names: is damaged: the checksum"):
        Checkpoint(tmp_path)["names"]


def test_unsupported_tensors_are_refused(tmp_path):
    tf2.write(tmp_path / "ckpt-3", {"kernel": np.ones(3)}, sliced=["kernel"])
    checkpoint = Checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="partitioned variable"):
        checkpoint["kernel"]
    with pytest.raises(CheckpointError, match=r"no 'kernl'\n.*did you mean 'kernel"):
        checkpoint["kernl"]


def test_data_that_become_shorter_while_they_are_read_are_refused(tmp_path):
    arrays = {"a": np.zeros(5000, np.float32), "b": np.ones(5000, np.float32)}
    tf2.write(tmp_path / "ckpt-1", arrays)
    checkpoint = Checkpoint(tmp_path / "ckpt-1")
    assert len(checkpoint["a"]) == 5000
    data = tmp_path / "ckpt-1.data-00000-of-00001"
    os.truncate(data, 100)
    with pytest.raises(CheckpointError) as caught:
        checkpoint["b"]
    assert str(caught.value) == (
        f"{data}: is truncated: it has 100 bytes, but needs at least 40121\n  hint: "
        "copy or download all files of the checkpoint again"
    )
