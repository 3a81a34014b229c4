"""Reader of TF2 checkpoints: an .index file and the data files it refers to.

Source: tensorflow/core/protobuf/tensor_bundle.proto, and
tensorflow/core/util/tensor_bundle (how strings are stored).
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterator

import ml_dtypes
import numpy as np

from odapi.checkpoints import folder as folders
from odapi.checkpoints import identify
from odapi.checkpoints.index.messages import parse_entry, parse_header
from odapi.checkpoints.index.table import read_table
from odapi.checkpoints.index.varint import varint
from odapi.data.tfrecord.records import masked_crc32c
from odapi.errors import CheckpointError, did_you_mean
from odapi.wording import counted, first_names
from odapi.zoo.checkpoint.graph import ObjectGraph

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"

STRING = 7
# By their number in TensorFlow's DataType.
DTYPES = {
    1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 5: np.int16, 6: np.int8,
    STRING: object, 8: np.complex64, 9: np.int64, 10: np.bool_,
    14: ml_dtypes.bfloat16, 17: np.uint16, 18: np.complex128, 19: np.float16,
    22: np.uint32, 23: np.uint64,
}  # fmt: skip
_AGAIN = "copy or download all files of the checkpoint again"


@dataclasses.dataclass(frozen=True)
class _Entry:
    dtype: int = 0
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    crc: int = 0
    sliced: bool = False


class Checkpoint:
    """The tensors of a TF2 checkpoint, read from disk on access.

        checkpoint = Checkpoint("downloads/efficientdet_d0_coco17_tpu-32/checkpoint")
        checkpoint["model/_box_predictor/..."]

    A key may lack the suffix "/.ATTRIBUTES/VARIABLE_VALUE" of variables, and may be any
    path through the object graph to a variable.

    Args:
        path: A folder (the checkpoint in its state file, else the one with the highest
            number), a prefix such as "checkpoint/ckpt-0", or a file.

    Raises:
        CheckpointError: There is no TF2 checkpoint, or its index is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._checked: set[pathlib.Path] = set()
        given = pathlib.Path(path).expanduser()
        self.index = _find(given)
        self._missing = identify.missing_last(given, self.index)
        try:
            table = read_table(self.index.read_bytes())
            header = parse_header(table.pop(b""))
            self._entries = {k.decode(): _entry(v) for k, v in table.items()}
            self._shards = header.num_shards or 1
            big = header.endianness
        except (ValueError, KeyError, IndexError, OSError) as error:
            raise CheckpointError(
                str(self.index), f"is damaged: {error}", hint=_AGAIN
            ) from error
        if big:
            raise CheckpointError(
                str(self.index), "was written by a big-endian machine; not supported"
            )
        if OBJECT_GRAPH not in self._entries:
            raise _refused(self.index, self.index)

    @property
    def prefix(self) -> str:
        """TensorFlow's name of the checkpoint: the path without ".index"."""
        return str(self.index).removesuffix(".index")

    @property
    def described(self) -> str:
        """The prefix, with a remark if another checkpoint was to be expected."""
        if not self._missing:
            return self.prefix
        return (
            f"{self.prefix} (the file 'checkpoint' names {self._missing}, "
            "which is missing)"
        )

    def keys(self) -> list[str]:
        """Returns the keys of all tensors, as they are stored."""
        return list(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.find(key) is not None

    def find(self, key: str) -> str | None:
        """Returns the key under which a tensor is stored; None if there is none."""
        for stored in (key, key + SUFFIX):
            if stored in self._entries:
                return stored
        stored = self.graph.key(key.removesuffix(SUFFIX)) or ""
        return stored if stored in self._entries else None

    def shape(self, key: str) -> tuple[int, ...]:
        """Returns the shape of a tensor, without reading it."""
        return self._entry(key).shape

    def dtype(self, key: str) -> np.dtype:
        """Returns the dtype of a tensor; `object` for strings, which are bytes."""
        return np.dtype(DTYPES.get(self._entry(key).dtype, np.void))

    def __getitem__(self, key: str) -> np.ndarray:
        """Returns a tensor.

        Raises:
            CheckpointError: There is no tensor of this name, or it is damaged.
        """
        entry, place = self._entry(key), f"{self.prefix}: {key}"
        if entry.sliced:
            raise CheckpointError(
                place,
                "is a partitioned variable, which is not supported",
                hint="load and save it with TensorFlow without partitions",
            )
        if entry.dtype not in DTYPES:
            raise CheckpointError(place, f"has the unknown type {entry.dtype}")
        stored = self._stored(entry)
        try:
            if entry.dtype == STRING:
                return _strings(stored, entry)
            return _numbers(stored, entry)
        except ValueError as error:
            raise CheckpointError(place, f"is damaged: {error}", hint=_AGAIN) from error

    @functools.cached_property
    def graph(self) -> ObjectGraph:
        """The object graph.

        Raises:
            CheckpointError: It is damaged.
        """
        try:
            return ObjectGraph(self[OBJECT_GRAPH].item())
        except ValueError as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(
                self.prefix, f"its object graph is damaged: {error}", hint=_AGAIN
            ) from error

    def _entry(self, key: str) -> _Entry:
        stored = self.find(key)
        if stored is None:
            known = [k.removesuffix(SUFFIX) for k in self._entries]
            raise CheckpointError(
                self.prefix, f"has no {key!r}", hint=did_you_mean(key, known)
            )
        return self._entries[stored]

    def _stored(self, entry: _Entry) -> bytes:
        path = self._path(entry.shard)
        self._check(path)
        # Read instead of mapped: a mapped file that becomes shorter ends the process.
        with open(path, "rb") as file:
            total = os.fstat(file.fileno()).st_size
            stored = b""
            if 0 <= entry.offset <= entry.offset + entry.size <= total:
                file.seek(entry.offset)
                stored = file.read(entry.size)
        if len(stored) != entry.size:
            raise CheckpointError(
                str(path),
                f"is truncated: it has {counted(total, 'byte')}, but needs at "
                f"least "
                f"{entry.offset + entry.size}",
                hint=_AGAIN,
            )
        return stored

    def _path(self, shard: int) -> pathlib.Path:
        return pathlib.Path(f"{self.prefix}.data-{shard:05d}-of-{self._shards:05d}")

    def _check(self, path: pathlib.Path) -> None:
        if path in self._checked:
            return
        if not path.is_file():
            raise CheckpointError(
                str(path), "is missing next to the .index file", hint=_AGAIN
            )
        if identify.is_lfs_pointer(path):
            raise CheckpointError(
                str(path),
                "is a Git LFS pointer, not the file itself",
                hint="fetch the content: git lfs pull",
            )
        self._checked.add(path)


def _find(path: pathlib.Path) -> pathlib.Path:
    index = identify.tensorflow_index(path)
    if index and not identify.is_lfs_pointer(index):
        return index
    raise _refused(path, index)


def _refused(path: pathlib.Path, index: pathlib.Path | None) -> CheckpointError:
    """Returns the error for a path that is not a TF2 checkpoint."""
    other = identify.identify(path)
    if other:
        return CheckpointError(str(path), f"is {other.what}", hint=other.hint)
    if not path.exists():
        return CheckpointError(
            str(path),
            "does not exist, and there is no .index file of that name",
            hint=_there(path.parent),
        )
    if _is_odapi_checkpoint(path):
        return CheckpointError(
            str(path),
            "is already a checkpoint of odapi",
            hint="use it directly with odapi eval, predict, export and train",
        )
    empty = path.is_dir() and not any(path.iterdir())
    return CheckpointError(
        str(path),
        "is an empty folder" if empty else "has no checkpoint: there is no .index file",
        hint="use the folder with ckpt-N.index and the ckpt-N.data files",
    )


def _there(folder: pathlib.Path) -> str:
    """Returns the hint that lists the checkpoints of a folder."""
    if not folder.is_dir():
        return f"the folder {str(folder)!r} does not exist either"
    places = (folder, folder / "checkpoint")
    found = [str(i).removesuffix(".index") for p in places for i in p.glob("*.index")]
    if found:
        return f"the checkpoints there are {first_names(sorted(found), 8)}"
    return "use the folder with ckpt-N.index, or the prefix, such as .../ckpt-0"


def _is_odapi_checkpoint(path: pathlib.Path) -> bool:
    try:
        folders.find(path)
    except CheckpointError:
        return False
    return True


def _entry(data: bytes) -> _Entry:
    entry = parse_entry(data)
    if min(entry.offset, entry.size, *(dim.size for dim in entry.shape.dim), 0) < 0:
        raise ValueError("a tensor has a negative size")
    return _Entry(
        dtype=entry.dtype,
        shape=tuple(dim.size for dim in entry.shape.dim),
        shard=entry.shard_id,
        offset=entry.offset,
        size=entry.size,
        crc=entry.crc32c,
        sliced=bool(entry.slices),
    )


def _numbers(stored: bytes, entry: _Entry) -> np.ndarray:
    if masked_crc32c(stored) != entry.crc:
        raise ValueError("the checksum is wrong")
    # A copy: the bytes are read-only.
    return np.frombuffer(stored, DTYPES[entry.dtype]).reshape(entry.shape).copy()


def _strings(stored: bytes, entry: _Entry) -> np.ndarray:
    """Decodes strings, stored as all lengths, a checksum of these, and the bytes."""
    count = int(np.prod(entry.shape, dtype=np.int64))
    if count > len(stored):
        raise ValueError(
            f"{counted(count, 'string')} in {counted(len(stored), 'byte')}"
        )
    lengths, at = [], 0
    for _ in range(count):
        length, at = varint(stored, at)
        lengths.append(length)
    # The checksum is that of the lengths as fixed-size integers.
    fixed = b"".join(n.to_bytes(4 if n < 1 << 32 else 8, "little") for n in lengths)
    if masked_crc32c(fixed + stored[at:]) != entry.crc:
        raise ValueError("the checksum is wrong")
    at += 4
    found = np.empty(count, object)
    for n, length in enumerate(lengths):
        found[n] = stored[at : at + length]
        at += length
    return found.reshape(entry.shape)
