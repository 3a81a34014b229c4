"""The marker file of an output folder: which command wrote which files."""

import dataclasses
import os
import pathlib
import zlib
from collections.abc import Iterable, Mapping

from odapi.errors import OutputError
from odapi.files import read_json_object, write_json

MARKER = ".odapi"

_MAX_HASHED = 1 << 16  # Larger files are compared by their size only.

Signature = tuple[int, int]  # Size in bytes; CRC-32 of small files, else 0.


@dataclasses.dataclass(frozen=True)
class Marker:
    """Content of a marker file.

    Args:
        kind: Name of the kind of the folder.
        files: Signatures by relative path with "/"; None while the folder is being
            written, and in folders of versions without marker files.
    """

    kind: str
    files: Mapping[str, Signature] | None = None


def read_marker(folder: pathlib.Path) -> Marker | None:
    """Returns the marker of a folder; None if it is missing or damaged."""
    content = read_json_object(folder / MARKER)
    kind, files = content.get("kind"), content.get("files")
    if not isinstance(kind, str):
        return None
    if not isinstance(files, dict):
        return Marker(kind)
    return Marker(kind, {name: _signature(value) for name, value in files.items()})


def write_marker(folder: pathlib.Path, marker: Marker) -> None:
    """Writes the marker of a folder.

    Raises:
        OutputError: The file cannot be written.
    """
    files = None
    if marker.files is not None:
        files = {name: list(marker.files[name]) for name in sorted(marker.files)}
    content = {"kind": marker.kind, "files": files}
    write_json(folder / MARKER, content, indent=1, error=OutputError)


def signatures(
    folder: pathlib.Path, files: Iterable[pathlib.Path]
) -> dict[str, Signature]:
    """Returns the signatures of files by their path relative to a folder."""
    return {f.relative_to(folder).as_posix(): signature(f) for f in files}


def signature(file: pathlib.Path) -> Signature:
    """Returns size and checksum of a file."""
    size = file.stat().st_size
    return size, 0 if size > _MAX_HASHED else zlib.crc32(file.read_bytes())


def is_unchanged(file: pathlib.Path, written: Signature) -> bool:
    """Returns whether a file is still as odapi wrote it."""
    return not os.path.islink(file) and signature(file) == written


def _signature(value: object) -> Signature:
    if isinstance(value, list) and len(value) == 2:
        size, checksum = value
        if isinstance(size, int) and isinstance(checksum, int):
            return size, checksum
    return -1, 0  # Damaged: no file has it.
