"""Storage of the index of a TFRecord file, and whether it is still that of the file.

A stored index is used only if its own bytes are those that were written, and the file
is the one that was indexed: the same size and modification time and, if it may have
been copied or replaced since, the same checksum of every record.
"""

import dataclasses
import hashlib
import io
import json
import pathlib

import numpy as np

from odapi.data.tfrecord.record_index import RecordIndex
from odapi.data.tfrecord.records import read_checksums
from odapi.errors import DataError
from odapi.files import atomic_open

Path = pathlib.Path

_VERSION = 5  # Of the stored format; increase it when the format changes.
_ARRAYS = ("offsets", "lengths", "checksums")
_DIGEST = 32  # Bytes of a SHA-256 in front of the content.


@dataclasses.dataclass(frozen=True)
class Stamp:
    """State of a file.

    Args:
        content: Version of the format, bytes, modification time: equal for a copy.
        identity: Inode, and time of the last change of its content or its name; other
            ones for a copy, or after the modification time was set.
    """

    content: tuple[int, ...]
    identity: tuple[int, ...]


def stamp_of(file: Path) -> Stamp:
    """Returns the state of a file.

    Raises:
        DataError: There is no such file.
    """
    try:
        status = file.stat()
    except OSError as error:
        raise DataError(str(file), f"cannot be read: {error.strerror}") from error
    return Stamp(
        (_VERSION, status.st_size, status.st_mtime_ns),
        (status.st_ino, status.st_ctime_ns),
    )


def load_index(place: Path, file: Path, data: Path, stamp: Stamp) -> RecordIndex | None:
    """Returns a stored index; None if it is missing, damaged, or of another file.

    Args:
        place: The stored index.
        file: The TFRecord file.
        data: The uncompressed file that records are read from: `file`, or another.
        stamp: State of `file`.
    """
    try:
        content = place.read_bytes()
        if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
            return None
        with np.load(io.BytesIO(content[_DIGEST:]), allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            if tuple(about.pop("stamp")) != stamp.content:
                return None
            identities = about.pop("identities")
            index = RecordIndex(
                path=data,
                name=str(file),
                classes=[tuple(c) for c in about.pop("classes")],
                keypoint_names=[tuple(n) for n in about.pop("keypoint_names")],
                damage=[tuple(d) for d in about.pop("damage")],
                **{key: stored[key] for key in _ARRAYS},
                **about,
            )
        if identities == _identities(data, stamp):
            return index
        # What was unpacked from another file says nothing about this one.
        if data != file.absolute() or not _is_of(index, data):
            return None
    except (OSError, ValueError, LookupError, TypeError):
        return None
    save_index(place, index, stamp)  # The next time it needs no check.
    return index


def _identities(data: Path, stamp: Stamp) -> list[list[int]]:
    """Returns the identity of the TFRecord file, and of the one that is read."""
    return [list(stamp.identity), list(stamp_of(data).identity)]


def _is_of(index: RecordIndex, data: Path) -> bool:
    """Returns whether a file has the records of an index, by their checksums."""
    found = read_checksums(data, index.offsets + index.lengths)
    return np.array_equal(found, index.checksums)


def save_index(place: Path, index: RecordIndex, stamp: Stamp) -> bool:
    """Writes an index atomically; returns whether it could be written."""
    about = dataclasses.asdict(index)
    arrays = {key: about.pop(key) for key in _ARRAYS}
    del about["path"], about["name"]  # They depend on the caller.
    try:
        about["stamp"] = stamp.content
        about["identities"] = _identities(index.path, stamp)
        place.parent.mkdir(parents=True, exist_ok=True)
        # Root can write anywhere, but a read-only folder is respected.
        if not place.parent.stat().st_mode & 0o222:
            return False
        content = io.BytesIO()
        np.savez(content, **arrays, about=np.array(json.dumps(about)))
        data = content.getvalue()
        with atomic_open(place) as file:
            file.write(hashlib.sha256(data).digest() + data)
    except OSError:
        return False
    return True
