"""Decompresses Snappy blocks, with which index files of the zoo are compressed.

Our own code, because it is short and read-only, and the alternative is a binary
dependency (cramjam) for a rare kind of file.

Source: https://github.com/google/snappy/blob/main/format_description.txt.
"""

from odapi.checkpoints.index.varint import take, varint
from odapi.wording import counted

_LITERAL, _COPY_1, _COPY_2 = 0, 1, 2
# Literals from this length on have their length in separate bytes.
_SHORT = 60
_MAX_BYTES = 1 << 28  # A damaged length must not fill the memory.


def decompress(data: bytes) -> bytes:
    """Returns the decompressed block.

    Raises:
        ValueError: The block is damaged.
    """
    size, at = varint(data, 0)
    if size > _MAX_BYTES:
        raise ValueError(f"a block claims to have {counted(size, 'byte')}")
    out = bytearray()
    while at < len(data):
        tag = data[at]
        if tag & 3 == _LITERAL:
            length, at = _literal_length(data, at)
            out += take(data, at, length)
            at += length
        else:
            length, offset, at = _copy(data, at)
            _repeat(out, length, offset)
        if len(out) > size:
            break
    if len(out) != size:
        raise ValueError(f"a block has {counted(len(out), 'byte')} instead of {size}")
    return bytes(out)


def _literal_length(data: bytes, at: int) -> tuple[int, int]:
    length = data[at] >> 2
    at += 1
    if length < _SHORT:
        return length + 1, at
    extra = length - _SHORT + 1
    return int.from_bytes(take(data, at, extra), "little") + 1, at + extra


def _copy(data: bytes, at: int) -> tuple[int, int, int]:
    """Returns length and offset of a copy, and the position behind its tag."""
    tag = data[at]
    at += 1
    if tag & 3 == _COPY_1:
        return 4 + (tag >> 2 & 7), (tag >> 5) << 8 | take(data, at, 1)[0], at + 1
    width = 2 if tag & 3 == _COPY_2 else 4
    offset = int.from_bytes(take(data, at, width), "little")
    return (tag >> 2) + 1, offset, at + width


def _repeat(out: bytearray, length: int, offset: int) -> None:
    if not 0 < offset <= len(out):
        raise ValueError(f"a copy goes back {offset} bytes of {len(out)}")
    # A copy may overlap its own output: then the last `offset` bytes repeat.
    last = bytes(out[-offset:])
    out += (last * (length // offset + 1))[:length]
