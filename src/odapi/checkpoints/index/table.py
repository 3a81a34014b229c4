"""Reads a sorted string table (LevelDB): the format of a checkpoint's .index file.

Our own code, because LevelDB packages read databases, not single table files.

A file is a sequence of blocks and a footer. The footer points to the index block,
which points to the others. A block has sorted keys, each without the prefix that it
shares with the key before; then one byte for its compression and a checksum.

Source: https://github.com/google/leveldb/blob/main/doc/table_format.md.
"""

from collections.abc import Iterator

from odapi.checkpoints.index.snappy import decompress
from odapi.checkpoints.index.varint import take, varint
from odapi.data.tfrecord.records import masked_crc32c
from odapi.wording import counted

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")

_FOOTER = 48
_TRAILER = 5  # Bytes behind a block: compression and checksum.
_PLAIN, _SNAPPY = 0, 1


def read_table(data: bytes) -> dict[bytes, bytes]:
    """Returns the values of a table by their keys.

    Args:
        data: Content of the file.

    Raises:
        ValueError: The data is no table, cut short or damaged.
    """
    footer = data[-_FOOTER:]
    if len(footer) < _FOOTER or footer[-8:] != MAGIC:
        raise ValueError(
            "it does not end like an index: cut short, or another kind of file"
        )
    _, _, at = _handle(footer, 0)  # Of the meta-index block, which is empty.
    offset, size, _ = _handle(footer, at)
    found: dict[bytes, bytes] = {}
    for _, place in _entries(_block(data, offset, size)):
        offset, size, _ = _handle(place, 0)
        found.update(_entries(_block(data, offset, size)))
    return found


def _handle(data: bytes, at: int) -> tuple[int, int, int]:
    """Returns offset and size of a block, and the position behind its handle."""
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return offset, size, at


def _block(data: bytes, offset: int, size: int) -> bytes:
    stored = take(data, offset, size + _TRAILER)
    packed, compression = stored[:size], stored[size]
    if masked_crc32c(stored[: size + 1]) != int.from_bytes(stored[-4:], "little"):
        raise ValueError(f"the checksum of the block at {offset} is wrong")
    if compression == _PLAIN:
        return packed
    if compression == _SNAPPY:
        return decompress(packed)
    raise ValueError(f"the block at {offset} has the unknown compression {compression}")


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    restarts = int.from_bytes(take(block, len(block) - 4, 4), "little")
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise ValueError(
            f"a block of {counted(len(block), 'byte')} has {restarts} restarts"
        )
    at, key = 0, b""
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        size, at = varint(block, at)
        key = take(key, 0, shared) + take(block, at, own)
        at += own
        yield key, take(block, at, size)
        at += size
