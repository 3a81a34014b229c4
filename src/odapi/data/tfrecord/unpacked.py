"""Compressed TFRecord files, which are unpacked into the user's cache for reading."""

import hashlib
import json
import os
import pathlib
import tempfile
import zlib
from collections.abc import Callable
from typing import IO, Any

from odapi.data.tfrecord.records import is_record_file
from odapi.files import atomic_open

Path = pathlib.Path

_CHUNK = 1 << 20  # Bytes of the compressed file that are read at a time.
_UNPACKED = 1 << 24  # Bytes that are unpacked at a time: gzip shrinks zeros to 1/1000.


def cache_folder() -> Path:
    """Returns the cache folder: ODAPI_CACHE, or that of the user; absolute."""
    given = os.environ.get("ODAPI_CACHE")
    if given:
        return Path(given).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return (Path(base) / "odapi").absolute()


def cached_path(file: Path, suffix: str, *more: Any) -> Path:
    """Returns the path in the cache of what belongs to a file.

    Args:
        file: The file.
        suffix: End of the name.
        more: What it depends on besides the path of the file.
    """
    name = json.dumps([str(file.resolve()), *more])
    key = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:16]
    return cache_folder() / "records" / f"{key}-{file.name}{suffix}"


def is_compressed(file: Path) -> bool:
    """Returns whether a file is compressed by gzip or zlib."""
    with open(file, "rb") as source:
        start = source.read(12)
    is_zlib = (
        len(start) > 1 and start[0] == 0x78 and (start[0] << 8 | start[1]) % 31 == 0
    )
    # A length of 35 615 bytes looks like gzip; the checksum disambiguates.
    return (start.startswith(b"\x1f\x8b") or is_zlib) and not is_record_file(start)


def unpack(
    file: Path, place: Path, progress: Callable[[int], None]
) -> tuple[Path, bool]:
    """Unpacks a compressed file as far as possible.

    Args:
        file: The compressed file.
        place: The file to write.
        progress: Called with the number of compressed bytes that were read so far.

    Returns:
        The unpacked file, elsewhere if the folder cannot be made; whether `file` was
        complete.

    Raises:
        OSError: It cannot be written.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        place = Path(tempfile.mkdtemp(prefix="odapi-")) / place.name
    with atomic_open(place) as target, open(file, "rb") as source:
        return place, _inflate(source, target, progress)


def _inflate(
    source: IO[bytes], target: IO[bytes], progress: Callable[[int], None]
) -> bool:
    """Unpacks gzip or zlib as far as possible; returns whether it was complete."""
    while True:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        while not member.eof:
            chunk = member.unconsumed_tail or source.read(_CHUNK)
            if not chunk:
                return False
            progress(source.tell())
            try:
                target.write(member.decompress(chunk, _UNPACKED))
            except zlib.error:
                return False
        rest = member.unused_data
        source.seek(-len(rest), os.SEEK_CUR)
        if not source.read(1):
            return True
        source.seek(-1, os.SEEK_CUR)  # Gzip files may be concatenated.
