"""Whatever a user gives in place of a checkpoint: what it is, and what to do."""

import pytest

import tf2_checkpoints as tf2
from odapi.checkpoints import folder, identify
from odapi.errors import CheckpointError
from odapi.zoo.checkpoint.reader import Checkpoint

TF1 = tf2.table([(b"", b""), (b"FeatureExtractor/MobilenetV2/Conv/weights", b"")])
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
# Files that are there, the path given, what it is, the next step.
CASES = [
    ({"model.ckpt.index": TF1}, "model.ckpt", "a TF1 checkpoint", "zoo list"),
    ({"model.ckpt.index": TF1}, "", "a TF1 checkpoint", "zoo list"),
    (
        {"model.ckpt.index": TF1, "model.ckpt.meta": b""},
        "model.ckpt.meta",
        "a TF1 checkpoint",
        "zoo list",
    ),
    ({"model.ckpt.meta": b""}, "model.ckpt.meta", "graph of a TF1", "zoo list"),
    ({"graph.pb": b""}, "graph.pb", "a TF1 frozen graph", "zoo list"),
    ({"frozen_inference_graph.pb": b""}, "", "a TF1 frozen graph", "zoo list"),
    ({"saved_model.pb": b""}, "", "a TensorFlow SavedModel", "checkpoint/"),
    ({"saved_model.pb": b""}, "saved_model.pb", "a TensorFlow SavedModel", "ckpt-N"),
    ({"model.keras": b""}, "model.keras", "a model file of Keras", "backbone_weights"),
    ({"model.h5": b""}, "model.h5", "a weight file of Keras", "backbone_weights"),
    ({"model.tflite": b""}, "model.tflite", "a TFLite model", "ckpt-N.index"),
    ({"model.onnx": b""}, "model.onnx", "an ONNX model", "ckpt-N.index"),
    ({"model.pth": b""}, "model.pth", "a file of PyTorch", "ckpt-N.index"),
    ({"d0.tar.gz": b""}, "d0.tar.gz", "still packed", "tar -xzf"),
    ({"d0.tgz": b""}, "d0.tgz", "still packed", "tar -xzf"),
    ({"d0.zip": b""}, "d0.zip", "still packed", "unzip"),
    ({"ckpt-0.index": LFS}, "", "pointer of Git LFS", "git lfs pull"),
    ({"ckpt-0.index": LFS}, "ckpt-0", "pointer of Git LFS", "git lfs pull"),
    ({"d0.tar.gz": LFS}, "d0.tar.gz", "pointer of Git LFS", "git lfs pull"),
    (
        {"ckpt-0.data-00000-of-00001": b""},
        "",
        "without its .index file",
        "ckpt-N.index",
    ),
    (
        {"ckpt-0.data-00000-of-00001": b""},
        "ckpt-0.data-00000-of-00001",
        "without its .index file",
        "ckpt-N.index",
    ),
    (
        {"ckpt-0.data-00000-of-00001": b""},
        "ckpt-0",
        "without its .index file",
        "ckpt-N.index",
    ),
    ({"model.ckpt.meta": b"", "graph.pbtxt": b""}, "", "graph of a TF1", "zoo list"),
]


@pytest.mark.parametrize("find", [folder.find, Checkpoint])
@pytest.mark.parametrize(("files", "given", "what", "hint"), CASES)
def test_foreign_things_are_named(tmp_path, find, files, given, what, hint):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        find(tmp_path / given)
    assert what in caught.value.problem
    assert hint in caught.value.hint
    assert str(tmp_path) in caught.value.place


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        ({}, "gone", "does not exist"),
        ({}, "", r"is an empty folder\n.*ckpt-N\.index"),
        ({"weights.h5": b""}, "", "is already a checkpoint of odapi"),
        ({"notes.txt": b""}, "", r"has no checkpoint: there is no \.index file"),
        ({"notes.txt": b""}, "notes.txt", r"has no checkpoint"),
        (
            {"ckpt-0.index": b"_CHECKPOINTABLE_OBJECT_GRAPH"},
            "",
            r"ckpt-0\.index: is damaged: it does not end like an index",
        ),
        ({"ckpt-0.index": b""}, "", "is damaged|is a TF1"),
    ],
)
def test_what_the_reader_cannot_read(tmp_path, files, given, message):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        Checkpoint(tmp_path / given)


@pytest.mark.parametrize("content", [b"", b"ckpt", TF1[:-1], b"\1" + TF1[1:]])
@pytest.mark.parametrize("given", ["", "ckpt-0", "ckpt-0.index"])
def test_a_damaged_index_is_not_called_one_of_tf1(tmp_path, content, given):
    index = tmp_path / "ckpt-0.index"
    index.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        folder.find(tmp_path / given)
    assert caught.value.problem == (
        f"is a TensorFlow checkpoint whose index is damaged ({index}), not a "
        "checkpoint of odapi"
    )
    assert caught.value.hint == "copy or download all files of the checkpoint again"


def test_a_tf1_checkpoint_is_said_to_be_of_no_use(tmp_path):
    (tmp_path / "model.ckpt-5.index").write_bytes(TF1)
    with pytest.raises(CheckpointError) as caught:
        folder.find(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: is a TF1 checkpoint ({tmp_path}/model.ckpt-5), from which "
        "neither the original's TF2 models nor odapi can start, not a checkpoint of "
        "odapi\n"
        "  hint: take the model's successor from the TF2 zoo: odapi zoo list"
    )


@pytest.mark.parametrize("named", ["x" * 5000, "/a/" + "é" * 200, "..", "\0", ""])
def test_a_state_file_that_names_nothing_possible(tmp_path, named):
    for step in (2, 10):
        (tmp_path / f"ckpt-{step}.index").write_bytes(TF1)
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{named}"\n')
    assert identify.tensorflow_index(tmp_path) == tmp_path / "ckpt-10.index"


def test_nothing_foreign(tmp_path):
    assert identify.identify(tmp_path / "gone") is None
    (tmp_path / "notes.txt").write_text("")
    assert identify.identify(tmp_path) is None
    assert identify.identify(tmp_path / "notes.txt") is None
