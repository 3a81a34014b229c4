"""Checksums of the files of a SavedModel, which show whether a copy is damaged.

TensorFlow checks those of variables only: a changed byte of `saved_model.pb`, in which
the weights are constants, would change the detections silently.
"""

import pathlib

import google_crc32c

from odapi.errors import CheckpointError
from odapi.files import read_json_object, write_json

FILE = "checksums.json"
_BLOCK = 1 << 20


def write_checksums(folder: pathlib.Path) -> None:
    """Writes `checksums.json`: the CRC-32C of every other file by its name."""
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != FILE
    )
    write_json(folder / FILE, {name: _crc(folder / name) for name in names})


def check_files(folder: pathlib.Path) -> None:
    """Compares the files of a SavedModel with their checksums, if it has any.

    Raises:
        CheckpointError: A file is missing or differs.
    """
    for name, expected in read_json_object(folder / FILE).items():
        file = folder / name
        if not file.is_file():
            raise damaged(folder, f"{name} is missing")
        if _crc(file) != expected:
            raise damaged(folder, f"{name} does not have its checksum")


def damaged(folder: pathlib.Path, reason: str) -> CheckpointError:
    """Returns the error for a SavedModel that cannot be used."""
    return CheckpointError(
        str(folder),
        f"is damaged: {reason}",
        hint="export it again (odapi export CHECKPOINT FOLDER), or copy it again",
    )


def _crc(file: pathlib.Path) -> str:
    checksum = google_crc32c.Checksum()
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            checksum.update(block)
    return checksum.digest().hex()
