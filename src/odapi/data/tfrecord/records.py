"""TFRecord files: finding, checking, reading and writing records.

Our own code instead of a library: no maintained one gives random access to TFRecord
files, or recovers the sound records of a damaged file.

Source: https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format
details": a record is a uint64 length, the masked CRC-32C of its 8 bytes, the data,
and the masked CRC-32C of the data; all little-endian.
"""

import dataclasses
import mmap
import pathlib
import struct
from typing import IO

import google_crc32c
import numpy as np

Buffer = bytes | bytearray | memoryview

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_OVERHEAD = _HEADER.size + _FOOTER.size
_WINDOW = 1 << 20  # Bytes searched per step for the next record.
_MASK_DELTA = 0xA282EAD8


@dataclasses.dataclass
class Records:
    """Positions of the sound records of a file.

    Args:
        offsets, lengths: `[n]` int64, bytes of the data of each record.
        numbers: `[n]` int64, position of each record in the file, counted from 0.
        damage: (kind of problem, description) per lost record.
    """

    offsets: np.ndarray
    lengths: np.ndarray
    numbers: np.ndarray
    damage: list[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.offsets)


def masked_crc32c(data: Buffer) -> int:
    """Returns the CRC-32C of `data`, masked as TFRecord files and checkpoints do.

    >>> hex(masked_crc32c(b"123456789"))
    '0xc7e05dda'
    """
    crc = google_crc32c.value(data if isinstance(data, bytes) else bytes(data))
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def scan_records(path: pathlib.Path) -> Records:
    """Finds all records of an uncompressed file and verifies every checksum.

    If the data of a record is damaged, that record is lost; if its length is damaged,
    the bytes up to the next sound record are.
    """
    if path.stat().st_size == 0:
        return _select([], [], [])
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        memoryview(data) as view,
    ):
        spans, damage = _walk(view)
        sound = [_is_sound(view, *span) for span in spans]
    damage += [
        ("corrupt record", f"record {number}, checksum of the data")
        for number, good in enumerate(sound)
        if not good
    ]
    return _select(spans, sound, damage)


def _select(
    spans: list[tuple[int, int]], keep: list[bool], damage: list[tuple[str, str]]
) -> Records:
    kept = np.array(keep, bool)
    both = np.array(spans, np.int64).reshape(-1, 2)[kept]
    return Records(both[:, 0].copy(), both[:, 1].copy(), np.flatnonzero(kept), damage)


def is_record_file(data: bytes) -> bool:
    """Returns whether bytes begin with the header of a record."""
    return len(data) >= _HEADER.size and _length(memoryview(data), 0) is not None


def _length(view: memoryview, at: int) -> int | None:
    """Returns the length in the header at `at`, or None if that is not a header."""
    length, crc = _HEADER.unpack_from(view, at)
    return length if masked_crc32c(view[at : at + 8]) == crc else None


def _walk(
    view: memoryview,
) -> tuple[list[tuple[int, int]], list[tuple[str, str]]]:
    """Returns the (offset, length) of every record with a sound length."""
    spans: list[tuple[int, int]] = []
    damage: list[tuple[str, str]] = []
    at, size = 0, len(view)
    while at < size:
        fits = size - at >= _HEADER.size
        length = _length(view, at) if fits else None
        if length is not None and at + _OVERHEAD + length <= size:
            spans.append((at + _HEADER.size, length))
            at += _OVERHEAD + length
            continue
        following = _next_record(view, at + 1) if fits else None
        if following is None:
            kind = "truncated record" if spans or length is not None else "lost bytes"
            damage.append((kind, f"the last {size - at} bytes, from byte {at}"))
            break
        damage.append(("lost bytes", f"bytes {at} to {following - 1}"))
        at = following
    return spans, damage


def _next_record(view: memoryview, start: int) -> int | None:
    """Returns the position of the next sound record, or None."""
    size = len(view)
    last = size - _OVERHEAD + 1
    for low in range(start, last, _WINDOW):
        count = min(_WINDOW, last - low)
        for at in _header_candidates(view[low : low + count + 11], count):
            position = low + int(at)
            length = _length(view, position)
            if length is None or position + _OVERHEAD + length > size:
                continue
            if _is_sound(view, position + _HEADER.size, length):
                return position
    return None


def _header_candidates(window: memoryview, count: int) -> np.ndarray:
    """Returns the offsets at which the high bytes of a uint64 length are 0."""
    # No record has 256 TiB, and few bytes of an image are zero three times.
    data = np.frombuffer(window, np.uint8)
    zeros = (data[5 : count + 5] | data[6 : count + 6] | data[7 : count + 7]) == 0
    return np.flatnonzero(zeros)


def _is_sound(view: memoryview, offset: int, length: int) -> bool:
    """Returns whether the data of a record matches its checksum."""
    stored = _FOOTER.unpack_from(view, offset + length)[0]
    with view[offset : offset + length] as data:
        return masked_crc32c(data) == stored


def read_record(path: pathlib.Path, offset: int, length: int) -> bytes:
    """Returns the data of one record; safe to call from several threads."""
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        parts = []
        while length > 0:
            part = file.read(length)
            if not part:
                break
            parts.append(part)
            length -= len(part)
    return b"".join(parts)


def write_record(file: IO[bytes], data: bytes) -> None:
    """Appends a record to a file that is open for writing bytes."""
    length = struct.pack("<Q", len(data))
    file.write(length)
    file.write(_FOOTER.pack(masked_crc32c(length)))
    file.write(data)
    file.write(_FOOTER.pack(masked_crc32c(data)))
