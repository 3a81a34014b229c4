"""TFRecord files: length, checksum, bytes, checksum - and again.

Source: https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format
details": a record is a uint64 length, the masked CRC-32C of its 8 bytes, the data,
and the masked CRC-32C of the data; all little-endian.
"""

import dataclasses
import mmap
import pathlib
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

from odapi.data.tfrecord.crc32c import crc32c_all, mask, masked_crc32c

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_BATCH = 8 << 20  # Bytes whose checksums are taken at once.
_WINDOW = 1 << 20  # Bytes that are searched at once for the next record.


@dataclasses.dataclass
class Records:
    """Where the data of the sound records of a file lie.

    Args:
        offsets, lengths: `[n]` int64, bytes.
        numbers: `[n]` int64, which record of the file each is, from 0.
        damage: (kind of problem, what) for each record that is lost.
    """

    offsets: np.ndarray
    lengths: np.ndarray
    numbers: np.ndarray
    damage: list[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.offsets)


def scan_records(path: pathlib.Path) -> Records:
    """Finds all records of an uncompressed file and checks every checksum.

    A record whose data is damaged costs that record; one whose length is damaged
    costs the bytes up to the next sound record.
    """
    if path.stat().st_size == 0:
        return _select([], [], [])
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        memoryview(data) as view,
    ):
        spans, damage = _walk(view)
        keep = []
        for batch in _batches(spans):
            good = _sound(view, batch)
            keep += good.tolist()
            first = len(keep) - len(batch)
            damage += [
                ("corrupt record", f"record {first + int(i)}, checksum of the data")
                for i in np.flatnonzero(~good)
            ]
    return _select(spans, keep, damage)


def _select(
    spans: list[tuple[int, int]], keep: list[bool], damage: list[tuple[str, str]]
) -> Records:
    kept = np.array(keep, bool)
    both = np.array(spans, np.int64).reshape(-1, 2)[kept]
    return Records(both[:, 0].copy(), both[:, 1].copy(), np.flatnonzero(kept), damage)


def is_record_file(data: bytes) -> bool:
    """Whether bytes begin with the header of a record."""
    return len(data) >= _HEADER.size and _length(memoryview(data), 0) is not None


def _length(view: memoryview, at: int) -> int | None:
    """Returns the length in the header at `at`, or None where it is no header."""
    length, crc = _HEADER.unpack_from(view, at)
    return length if _crc_of_length(view[at : at + 8]) == crc else None


_BYTE_TABLE: list[int] = []


def _crc_of_length(eight: memoryview) -> int:
    """The masked checksum of eight bytes; NumPy would take ten times as long."""
    if not _BYTE_TABLE:
        for byte in range(256):
            for _ in range(8):
                byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
            _BYTE_TABLE.append(byte)
    crc = 0xFFFFFFFF
    for byte in eight:
        crc = crc >> 8 ^ _BYTE_TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _walk(
    view: memoryview,
) -> tuple[list[tuple[int, int]], list[tuple[str, str]]]:
    """Returns the (offset, length) of every record whose length is sound."""
    spans: list[tuple[int, int]] = []
    damage: list[tuple[str, str]] = []
    at, size = 0, len(view)
    while at < size:
        fits = size - at >= _HEADER.size
        length = _length(view, at) if fits else None
        if length is not None and at + 16 + length <= size:
            spans.append((at + 12, length))
            at += 16 + length
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
    """Returns where the next sound record begins, or None."""
    size = len(view)
    for low in range(start, size - 15, _WINDOW):
        count = min(_WINDOW, size - 15 - low)
        for at in _header_candidates(view[low : low + count + 11], count):
            place = low + int(at)
            length = _length(view, place)
            if length is None or place + 16 + length > size:
                continue
            if _sound(view, [(place + 12, length)]).all():
                return place
    return None


def _header_candidates(window: memoryview, count: int) -> np.ndarray:
    """Returns the offsets whose 4th to 7th byte could be those of a length."""
    # No record has 256 TiB, and few bytes in an image are zero three times.
    data = np.frombuffer(window, np.uint8)
    zeros = (data[5 : count + 5] | data[6 : count + 6] | data[7 : count + 7]) == 0
    return np.flatnonzero(zeros)


def _batches(spans: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    batch: list[tuple[int, int]] = []
    total = 0
    for span in spans:
        batch.append(span)
        total += span[1]
        if total >= _BATCH:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _sound(view: memoryview, spans: list[tuple[int, int]]) -> np.ndarray:
    """Returns `[n]` bool: whether the data of each record has its checksum."""
    stored = [_FOOTER.unpack_from(view, at + length)[0] for at, length in spans]
    data = [view[at : at + length] for at, length in spans]
    good = mask(crc32c_all(data)) == np.array(stored, np.uint32)
    for part in data:
        part.release()  # The map cannot be closed while views of it are alive.
    return good


def read_record(path: pathlib.Path, offset: int, length: int) -> bytes:
    """Returns the data of one record; each call has a file position of its own."""
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


def write_record(file: BinaryIO, data: bytes) -> None:
    """Appends a record to a file that is open for writing bytes."""
    length = struct.pack("<Q", len(data))
    file.write(length)
    file.write(_FOOTER.pack(_crc_of_length(memoryview(length))))
    file.write(data)
    file.write(_FOOTER.pack(masked_crc32c(data)))


def write_records(path: pathlib.Path, records: Iterable[bytes]) -> int:
    """Writes a file of records; returns how many."""
    count = 0
    with open(path, "wb") as file:
        for data in records:
            write_record(file, data)
            count += 1
    return count
