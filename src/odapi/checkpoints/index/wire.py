"""The wire format of protocol buffers, as far as checkpoints need it.

Source: https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_LONGEST = 10  # Bytes of a varint.


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Returns the number that starts at `at`, and where it ends.

    Raises:
        ValueError: The data end within it, or it has more than 64 bits.
    """
    value = 0
    for n, byte in enumerate(data[at : at + _LONGEST]):
        value |= (byte & 0x7F) << (7 * n)
        if byte < 0x80:
            return value, at + n + 1
    raise ValueError("a number is cut short or too long")


def take(data: bytes, at: int, size: int) -> bytes:
    """Returns `size` bytes from `at` on.

    Raises:
        ValueError: There are not so many.
    """
    part = data[at : at + size]
    if len(part) != size:
        raise ValueError(f"{size} bytes are expected at {at}, {len(part)} are there")
    return part


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yields number and value of each field of a message, in its order.

    Raises:
        ValueError: The message is damaged.
    """
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        value: int | bytes
        if kind == _VARINT:
            value, at = varint(data, at)
        elif kind == _BYTES:
            size, at = varint(data, at)
            value = take(data, at, size)
            at += size
        elif kind in _SIZES:
            value = int.from_bytes(take(data, at, _SIZES[kind]), "little")
            at += _SIZES[kind]
        else:
            raise ValueError(f"a field has the unknown wire type {kind}")
        yield tag >> 3, value


def number(value: int | bytes) -> int:
    """Returns the value of a field that must be a number.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(value, int):
        raise ValueError("a field has bytes where a number is expected")
    return value


def content(value: int | bytes) -> bytes:
    """Returns the value of a field that must be a text or a message.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(value, bytes):
        raise ValueError("a field has a number where bytes are expected")
    return value
