"""Writes a sorted string table (LevelDB): the format that `read_table` reads.

Blocks are not compressed, as in the files that TensorFlow writes.
"""

from collections.abc import Iterable, Mapping

from odapi.checkpoints.index.table import MAGIC
from odapi.checkpoints.index.varint import to_varint
from odapi.data.tfrecord.records import masked_crc32c

_BLOCK_BYTES = 1 << 12  # About the size of a block.
_HANDLES = 40  # Bytes of the two handles in the footer.
_PLAIN = b"\0"

Pairs = Iterable[tuple[bytes, bytes]]


def table_bytes(values: Mapping[bytes, bytes]) -> bytes:
    """Returns the content of a table with the given values by their keys."""
    out = bytearray()
    handles, part, size = [], [], 0
    pairs = sorted(values.items())
    for number, (key, value) in enumerate(pairs, 1):
        part.append((key, value))
        size += len(key) + len(value)
        if size >= _BLOCK_BYTES or number == len(pairs):
            handles.append((key, _append(out, part)))
            part, size = [], 0
    meta, index = _append(out, []), _append(out, handles)
    return bytes(out) + (meta + index).ljust(_HANDLES, b"\0") + MAGIC


def _append(out: bytearray, pairs: Pairs) -> bytes:
    """Appends a block; returns its handle: offset and size."""
    content = _block(pairs)
    handle = to_varint(len(out)) + to_varint(len(content))
    checked = content + _PLAIN
    out += checked + masked_crc32c(checked).to_bytes(4, "little")
    return handle


def _block(pairs: Pairs) -> bytes:
    out, last = bytearray(), b""
    for key, value in pairs:
        shared = _shared_length(last, key)
        lengths = (shared, len(key) - shared, len(value))
        out += b"".join(map(to_varint, lengths)) + key[shared:] + value
        last = key
    # One place to start reading from: the beginning.
    return bytes(out) + bytes(4) + (1).to_bytes(4, "little")


def _shared_length(one: bytes, other: bytes) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
