"""Variable-length integers and bounded reads, for the formats around messages."""

_MAX_BYTES = 10  # Of a varint with 64 bits.


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Returns the number that starts at `at`, and the position behind it.

    Raises:
        ValueError: The data ends within the number, or it has more than 64 bits.
    """
    value = 0
    for n, byte in enumerate(data[at : at + _MAX_BYTES]):
        value |= (byte & 0x7F) << (7 * n)
        if byte < 0x80:
            return value, at + n + 1
    raise ValueError("a number is cut short or too long")


def take(data: bytes, at: int, size: int) -> bytes:
    """Returns `size` bytes from position `at`.

    Raises:
        ValueError: The data is shorter.
    """
    part = data[at : at + size]
    if len(part) != size:
        raise ValueError(f"expected {size} bytes at {at}, found {len(part)}")
    return part


def to_varint(number: int) -> bytes:
    """Returns the bytes of a number.

    >>> to_varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
