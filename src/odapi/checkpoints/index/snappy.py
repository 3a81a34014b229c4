"""Decompresses a block of Snappy, which the index files of the zoo are packed with.

Source: https://github.com/google/snappy/blob/main/format_description.txt.
"""

from odapi.checkpoints.index.wire import take, varint

_LITERAL, _COPY_1, _COPY_2 = 0, 1, 2
# Lengths of literals from here on stand in bytes of their own.
_SHORT = 60
_MOST = 1 << 28  # Bytes; a damaged length must not fill the memory.


def decompress(data: bytes) -> bytes:
    """Returns the content of a block.

    Raises:
        ValueError: The block is damaged.
    """
    size, at = varint(data, 0)
    if size > _MOST:
        raise ValueError(f"a block claims to have {size} bytes")
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
        raise ValueError(f"a block has {len(out)} bytes instead of {size}")
    return bytes(out)


def _literal_length(data: bytes, at: int) -> tuple[int, int]:
    length = data[at] >> 2
    at += 1
    if length < _SHORT:
        return length + 1, at
    extra = length - _SHORT + 1
    return int.from_bytes(take(data, at, extra), "little") + 1, at + extra


def _copy(data: bytes, at: int) -> tuple[int, int, int]:
    """Returns length and offset of a copy, and where its tag ends."""
    tag = data[at]
    at += 1
    if tag & 3 == _COPY_1:
        return 4 + (tag >> 2 & 7), (tag >> 5) << 8 | take(data, at, 1)[0], at + 1
    width = 2 if tag & 3 == _COPY_2 else 4
    offset = int.from_bytes(take(data, at, width), "little")
    return (tag >> 2) + 1, offset, at + width


def _repeat(out: bytearray, length: int, offset: int) -> None:
    if not 0 < offset <= len(out):
        raise ValueError(f"a copy goes back {offset} bytes, {len(out)} are there")
    # A copy may overlap what it writes: then the last `offset` bytes go round.
    last = bytes(out[-offset:])
    out += (last * (length // offset + 1))[:length]
