"""Identifies checkpoints and models that other programs wrote, for messages."""

import os
import pathlib
import re
from collections.abc import Collection
from typing import NamedTuple

from odapi import files
from odapi.checkpoints.index.table import read_table

_OBJECT_GRAPH = b"_CHECKPOINTABLE_OBJECT_GRAPH"
_STATE = "checkpoint"  # The text file with the name of the last checkpoint.
_STATE_PATH = re.compile(r'^model_checkpoint_path:\s*"(.*)"', re.MULTILINE)
_DATA = re.compile(r"\.data-\d{5}-of-\d{5}$")
_NUMBER = re.compile(r"(\d+)$")


class IdentifiedPath(NamedTuple):
    """A file or folder that odapi did not write.

    Args:
        what: Its kind, such as "a TF2 checkpoint".
        hint: How to use it.
    """

    what: str
    hint: str


_SUCCESSOR = "take the model's successor from the TF2 zoo: odapi zoo list"
_CHECKPOINT = (
    "weights are in checkpoints: pass the folder with the ckpt-N.index and "
    "ckpt-N.data files; in an archive of the zoo it is checkpoint/"
)
_UNPACK = 'unpack it first: tar -xzf "{}", then pass the folder'
_KERAS = (
    "backbone weights go into options.backbone_weights; models of other programs "
    "cannot be imported"
)
_BY_SUFFIX = {
    ".pb": IdentifiedPath(
        "a TF1 frozen graph: it cannot be trained further", _SUCCESSOR
    ),
    ".meta": IdentifiedPath(
        "the graph of a TF1 checkpoint, without its .index file", _SUCCESSOR
    ),
    ".keras": IdentifiedPath("a model file of Keras", _KERAS),
    ".h5": IdentifiedPath("a weight file of Keras", _KERAS),
    ".hdf5": IdentifiedPath("a weight file of Keras", _KERAS),
    ".tflite": IdentifiedPath(
        "a TFLite model: it cannot be trained further", _CHECKPOINT
    ),
    ".onnx": IdentifiedPath("an ONNX model: it cannot be trained further", _CHECKPOINT),
    ".pth": IdentifiedPath("a file of PyTorch", _CHECKPOINT),
    ".pt": IdentifiedPath("a file of PyTorch", _CHECKPOINT),
    ".gz": IdentifiedPath("an archive that is still packed", _UNPACK),
    ".tgz": IdentifiedPath("an archive that is still packed", _UNPACK),
    ".tar": IdentifiedPath("an archive that is still packed", _UNPACK),
    ".zip": IdentifiedPath(
        "an archive that is still packed", 'unpack it first: unzip "{}"'
    ),
}


def identify(path: pathlib.Path) -> IdentifiedPath | None:
    """Returns the kind of a path that odapi did not write, or None if it is unknown.

    Args:
        path: A file, a folder, or the prefix of a TensorFlow checkpoint, such as
            `checkpoint/ckpt-0`.
    """
    index = tensorflow_index(path)
    pointer = next((p for p in (path, index) if p and is_lfs_pointer(p)), None)
    if pointer:
        return IdentifiedPath(
            f"a pointer of Git LFS, not the file itself ({pointer.name})",
            "fetch the content: git lfs pull",
        )
    if index:
        return _tensorflow(index, path)
    folder = path if path.is_dir() else path.parent
    if path.name == "saved_model.pb" or (path / "saved_model.pb").is_file():
        return IdentifiedPath(
            "a TensorFlow SavedModel: a finished graph, without trainable weights",
            f"{_CHECKPOINT}, beside {folder.name}/",
        )
    if (path / "frozen_inference_graph.pb").is_file():
        return _BY_SUFFIX[".pb"]
    if path.is_file() and path.suffix.lower() in _BY_SUFFIX:
        what, hint = _BY_SUFFIX[path.suffix.lower()]
        return IdentifiedPath(what, hint.format(path))
    if _is_without_index(path):
        return IdentifiedPath(
            "a TensorFlow checkpoint without its .index file",
            "copy all its files: ckpt-N.index and each ckpt-N.data-*",
        )
    return _BY_SUFFIX[".meta"] if any(path.glob("*.meta")) else None


def _is_without_index(path: pathlib.Path) -> bool:
    """Returns True for a data file, a folder of them, and the prefix of one."""
    if path.is_dir():
        return any(path.glob("*.data-?????-of-?????"))
    prefix = _DATA.sub("", path.name)
    beside = path.parent.glob("*.data-?????-of-?????")
    return prefix != path.name or any(_DATA.sub("", p.name) == prefix for p in beside)


def is_lfs_pointer(path: pathlib.Path) -> bool:
    """Returns True if a file is a pointer of Git LFS instead of its content."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return files.is_lfs_pointer(file.read(64))


def tensorflow_index(path: pathlib.Path) -> pathlib.Path | None:
    """Returns the .index file of the TensorFlow checkpoint that a path refers to.

    Args:
        path: A prefix, one of the files, or a folder: the checkpoint that its
            state file names, else the one with the highest number.
    """
    if path.is_dir():
        folders = (path, path / "checkpoint")
        return next(filter(None, map(_last, folders)), None)
    if path.name == _STATE and path.is_file():
        return _last(path.parent)
    name = _DATA.sub("", path.name)
    for suffix in (".index", ".meta"):
        name = name.removesuffix(suffix)
    index = path.with_name(f"{name}.index")
    return index if index.is_file() else None


def missing_last(path: pathlib.Path, index: pathlib.Path) -> str:
    """Returns the checkpoint that a state file names and that is not there, or "".

    Args:
        path: The folder or the state file that the user gave.
        index: The .index file that was taken instead: `tensorflow_index(path)`.
    """
    name = _named_last(index.parent)
    is_chosen = path.is_dir() or path.name == _STATE
    return name if is_chosen and name != index.stem else ""


def is_tf2(index: pathlib.Path) -> bool:
    """Returns True for a TF2 (object-based) checkpoint, False for TF1 (name-based)."""
    content = index.read_bytes()
    keys = _keys(content)
    # The reader reports the damage.
    return _OBJECT_GRAPH in (content if keys is None else keys)


def _keys(content: bytes) -> Collection[bytes] | None:
    """Returns the keys of an .index file; None if it is damaged."""
    try:
        return read_table(content)
    except ValueError:
        return None


def number_of(index: pathlib.Path) -> int | None:
    """Returns the number in the name of a checkpoint, such as 6 of ckpt-6.index."""
    number = _NUMBER.search(index.stem)
    return int(number[1]) if number else None


def _last(folder: pathlib.Path) -> pathlib.Path | None:
    """Returns the checkpoint of a folder that TensorFlow would restore."""
    if not folder.is_dir():
        return None
    name = _named_last(folder)
    # Unlike `is_file` of a Path, this is False for impossible names.
    if name and os.path.isfile(folder / f"{name}.index"):
        return folder / f"{name}.index"
    return max(folder.glob("*.index"), key=_age, default=None)


def _named_last(folder: pathlib.Path) -> str:
    """Returns the name of the last checkpoint in the state file of a folder, or ""."""
    state = folder / _STATE
    if not state.is_file():
        return ""
    named = _STATE_PATH.search(state.read_text("utf-8", errors="replace"))
    # The path may be from another machine; only the name is used.
    return re.split(r"[/\\]", named[1])[-1] if named else ""


def _age(index: pathlib.Path) -> tuple[int, str]:
    number = number_of(index)
    return -1 if number is None else number, index.stem


def _tensorflow(index: pathlib.Path, path: pathlib.Path) -> IdentifiedPath:
    prefix = str(index).removesuffix(".index")
    if is_tf2(index):
        return IdentifiedPath(
            f"a TF2 checkpoint ({prefix})",
            f'import it: odapi zoo import "{path}" --output RUN',
        )
    if _keys(index.read_bytes()) is None:
        return IdentifiedPath(
            f"a TensorFlow checkpoint whose index is damaged ({index})",
            "copy or download all files of the checkpoint again",
        )
    return IdentifiedPath(
        f"a TF1 checkpoint ({prefix}), from which neither the original's TF2 models "
        "nor odapi can start",
        _SUCCESSOR,
    )
