"""TFRecord files: finding, checking, reading and writing records.

Our own code instead of a library: no maintained one gives random access to TFRecord
files, or recovers the sound records of a damaged file.

Source: https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format
details": a record is a uint64 length, the masked CRC-32C of its 8 bytes, the data,
and the masked CRC-32C of the data; all little-endian.
"""

import dataclasses
import functools
import mmap
import pathlib
import struct
from collections.abc import Callable
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
        checksums: `[n]` uint32, of the data of each record, as stored behind it.
        numbers: `[n]` int64, position of each record in the file, counted from 0.
        damage: (kind of problem, description) per lost record.
    """

    offsets: np.ndarray
    lengths: np.ndarray
    checksums: np.ndarray
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


def scan_records(
    path: pathlib.Path, progress: Callable[[int], None] = lambda scanned: None
) -> Records:
    """Finds all records of an uncompressed file and verifies every checksum.

    If the data of a record is damaged, that record is lost; if its length is damaged,
    the bytes up to the next sound record are.

    Args:
        path: The file.
        progress: Called with the number of bytes that were scanned so far.
    """
    if path.stat().st_size == 0:
        return _select([], [], [])
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        memoryview(data) as view,
    ):
        spans, sound, damage = _walk(view, progress)
    damage += [
        ("corrupt record", f"record {number}, checksum of the data")
        for number, good in enumerate(sound)
        if not good
    ]
    return _select(spans, sound, damage)


def _select(
    spans: list[tuple[int, int, int]], keep: list[bool], damage: list[tuple[str, str]]
) -> Records:
    kept = np.array(keep, bool)
    found = np.array(spans, np.int64).reshape(-1, 3)[kept]
    offsets, lengths, checksums = found.T.copy()
    numbers = np.flatnonzero(kept)
    return Records(offsets, lengths, checksums.astype(np.uint32), numbers, damage)


def is_record_file(data: bytes) -> bool:
    """Returns whether bytes begin with the header of a record."""
    return len(data) >= _HEADER.size and _length(memoryview(data), 0) is not None


def _length(view: memoryview, at: int) -> int | None:
    """Returns the length in the header at `at`, or None if that is not a header."""
    length, crc = _HEADER.unpack_from(view, at)
    return length if masked_crc32c(view[at : at + 8]) == crc else None


def _walk(
    view: memoryview, progress: Callable[[int], None]
) -> tuple[list[tuple[int, int, int]], list[bool], list[tuple[str, str]]]:
    """Returns what has a sound length: (offset, length, checksum), and soundness."""
    spans: list[tuple[int, int, int]] = []
    sound: list[bool] = []
    damage: list[tuple[str, str]] = []
    at, told, size = 0, 0, len(view)
    while at < size:
        if at - told >= _WINDOW:
            told = at
            progress(at)
        fits = size - at >= _HEADER.size
        length = _length(view, at) if fits else None
        if length is not None and at + _OVERHEAD + length <= size:
            offset = at + _HEADER.size
            spans.append(
                (offset, length, _FOOTER.unpack_from(view, offset + length)[0])
            )
            sound.append(_is_sound(view, offset, length))
            at += _OVERHEAD + length
            continue
        following = _next_record(view, at + 1, progress) if fits else None
        if following is None:
            kind = "truncated record" if spans or length is not None else "lost bytes"
            damage.append((kind, f"the last {size - at} bytes, from byte {at}"))
            break
        damage.append(("lost bytes", f"bytes {at} to {following - 1}"))
        at = following
    return spans, sound, damage


def _next_record(
    view: memoryview, start: int, progress: Callable[[int], None]
) -> int | None:
    """Returns the position of the next sound record, or None."""
    size = len(view)
    last = size - _OVERHEAD + 1
    for low in range(start, last, _WINDOW):
        progress(low)
        count = min(_WINDOW, last - low)
        for at in _headers(view[low : low + count + _HEADER.size - 1]):
            position = low + int(at)
            (length,) = struct.unpack_from("<Q", view, position)
            if position + _OVERHEAD + length > size:
                continue
            if _is_sound(view, position + _HEADER.size, length):
                return position
    return None


def _headers(window: memoryview) -> np.ndarray:
    """Returns the offsets at which bytes are a length and its checksum."""
    data = np.frombuffer(window, np.uint8)
    if not data.max():  # The checksum of a length of 0 is not 0.
        return np.zeros(0, np.int64)
    rows = np.lib.stride_tricks.sliding_window_view(data, _HEADER.size)
    # No record has 256 TiB, and few bytes of an image are zero three times.
    at = np.flatnonzero((rows[:, 5] | rows[:, 6] | rows[:, 7]) == 0)
    rows = rows[at]
    zero, tables = _crc_tables()
    crc = np.full(len(at), zero, np.uint32)
    for table, column in zip(tables, rows.T, strict=False):
        crc ^= table[column]
    masked = (crc >> np.uint32(15) | crc << np.uint32(17)) + np.uint32(_MASK_DELTA)
    return at[np.ascontiguousarray(rows[:, 8:]).view("<u4")[:, 0] == masked]


@functools.cache
def _crc_tables() -> tuple[int, np.ndarray]:
    """Returns the CRC-32C of 8 zeros, and `[8, 256]` its change by each single byte."""
    zero = google_crc32c.value(bytes(8))
    rows = [
        [google_crc32c.value(bytes(k) + bytes([v]) + bytes(7 - k)) for v in range(256)]
        for k in range(8)
    ]
    return zero, np.array(rows, np.uint32) ^ np.uint32(zero)


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


def read_checksums(path: pathlib.Path, offsets: np.ndarray) -> np.ndarray:
    """Returns the checksums at some offsets of a file, `[n]` uint32.

    Raises:
        ValueError, IndexError: The file is empty, or ends before an offset.
    """
    data = np.memmap(path, np.uint8, mode="r")
    rows = data[offsets[:, None] + np.arange(_FOOTER.size)]
    return rows.reshape(-1, _FOOTER.size).view("<u4")[:, 0]


def write_record(file: IO[bytes], data: bytes) -> None:
    """Appends a record to a file that is open for writing bytes."""
    length = struct.pack("<Q", len(data))
    file.write(length)
    file.write(_FOOTER.pack(masked_crc32c(length)))
    file.write(data)
    file.write(_FOOTER.pack(masked_crc32c(data)))
