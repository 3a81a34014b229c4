"""TFRecord files: finding, checking, reading and writing records.

Our own code instead of a library: no maintained one gives random access to TFRecord
files, or recovers the sound records of a damaged file.

Source: https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format
details": a record is a uint64 length, the masked CRC-32C of its 8 bytes, the data,
and the masked CRC-32C of the data; all little-endian.
"""

import dataclasses
import functools
import os
import pathlib
import struct
from collections.abc import Callable
from typing import IO

import google_crc32c
import numpy as np

from odapi.errors import DataError

Buffer = bytes | bytearray | memoryview

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_OVERHEAD = _HEADER.size + _FOOTER.size
_WINDOW = 1 << 20  # Bytes read, or searched for the next record, per step.
_MASK_DELTA = 0xA282EAD8
UNCHANGED = "open it again, and change files only while nothing reads them"


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

    Raises:
        DataError: The file became shorter while it was scanned.
    """
    with open(path, "rb", buffering=0) as file:
        spans, sound, damage = _walk(_Window(file), progress)
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
    return len(data) >= _HEADER.size and _length(data[: _HEADER.size]) is not None


class _Window:
    """Random access to a file through a window of its bytes.

    Mapped memory would end the process (SIGBUS) if the file became shorter.
    """

    def __init__(self, file: IO[bytes]):
        self.size = os.fstat(file.fileno()).st_size
        self._file = file
        self._start = 0
        self._bytes = b""

    def read(self, start: int, length: int) -> bytes:
        """Returns bytes, which must lie within `size`.

        Raises:
            DataError: The file no longer has them.
        """
        if not self._start <= start <= self._start + len(self._bytes) - length:
            wanted = min(max(length, _WINDOW), self.size - start)
            self._start, self._bytes = start, _read_at(self._file, start, wanted)
        first = start - self._start
        data = self._bytes[first : first + length]
        if len(data) < length:
            raise DataError(
                str(self._file.name),
                f"became shorter while it was read: it had {self.size} bytes, and now "
                f"has {os.fstat(self._file.fileno()).st_size}",
                hint=UNCHANGED,
            )
        return data


def _length(header: bytes) -> int | None:
    """Returns the length in a header, or None if the bytes are not a header."""
    length, crc = _HEADER.unpack(header)
    return length if masked_crc32c(header[:8]) == crc else None


def _walk(
    window: _Window, progress: Callable[[int], None]
) -> tuple[list[tuple[int, int, int]], list[bool], list[tuple[str, str]]]:
    """Returns what has a sound length: (offset, length, checksum), and soundness."""
    spans: list[tuple[int, int, int]] = []
    sound: list[bool] = []
    damage: list[tuple[str, str]] = []
    at, told, size = 0, 0, window.size
    while at < size:
        if at - told >= _WINDOW:
            told = at
            progress(at)
        fits = size - at >= _HEADER.size
        length = _length(window.read(at, _HEADER.size)) if fits else None
        if length is not None and at + _OVERHEAD + length <= size:
            offset = at + _HEADER.size
            found, stored = _checksums(window, offset, length)
            spans.append((offset, length, stored))
            sound.append(found == stored)
            at += _OVERHEAD + length
            continue
        following = _next_record(window, at + 1, progress) if fits else None
        if following is None:
            kind = "truncated record" if spans or length is not None else "lost bytes"
            damage.append((kind, f"the last {size - at} bytes, from byte {at}"))
            break
        damage.append(("lost bytes", f"bytes {at} to {following - 1}"))
        at = following
    return spans, sound, damage


def _next_record(
    window: _Window, start: int, progress: Callable[[int], None]
) -> int | None:
    """Returns the position of the next sound record, or None."""
    size = window.size
    last = size - _OVERHEAD + 1
    for low in range(start, last, _WINDOW):
        progress(low)
        count = min(_WINDOW, last - low)
        data = window.read(low, count + _HEADER.size - 1)
        for at in _headers(data):
            position = low + int(at)
            (length,) = struct.unpack_from("<Q", data, int(at))
            if position + _OVERHEAD + length > size:
                continue
            found, stored = _checksums(window, position + _HEADER.size, length)
            if found == stored:
                return position
    return None


def _headers(window: bytes) -> np.ndarray:
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


def _checksums(window: _Window, offset: int, length: int) -> tuple[int, int]:
    """Returns the checksum of the data of a record, and that stored behind it."""
    found = masked_crc32c(window.read(offset, length))
    return found, _FOOTER.unpack(window.read(offset + length, _FOOTER.size))[0]


def read_record(path: pathlib.Path, offset: int, length: int) -> bytes:
    """Returns the data of one record; safe to call from several threads."""
    with open(path, "rb", buffering=0) as file:
        return _read_at(file, offset, length)


def _read_at(file: IO[bytes], offset: int, length: int) -> bytes:
    """Returns bytes of an unbuffered file; fewer if it ends before."""
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
        ValueError: The file ends before an offset.
    """
    with open(path, "rb", buffering=0) as file:
        data = b"".join(_read_at(file, at, _FOOTER.size) for at in offsets.tolist())
    if len(data) != _FOOTER.size * len(offsets):
        raise ValueError("the file ends before an offset")
    return np.frombuffer(data, "<u4")


def write_record(file: IO[bytes], data: bytes) -> None:
    """Appends a record to a file that is open for writing bytes."""
    length = struct.pack("<Q", len(data))
    file.write(length)
    file.write(_FOOTER.pack(masked_crc32c(length)))
    file.write(data)
    file.write(_FOOTER.pack(masked_crc32c(data)))
