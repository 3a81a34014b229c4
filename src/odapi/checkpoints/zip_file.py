"""Checks zip files, such as .npz and .keras, before they are loaded."""

import pathlib
import zipfile
from collections.abc import Iterable

from odapi.errors import CheckpointError

MAX_COMPRESSION = 1100  # Deflate reaches 1032.


def check_zip(path: pathlib.Path, members: Iterable[str] = ()) -> None:
    """Reads a zip file once and compares the checksums of all its members.

    Args:
        path: The file.
        members: Names that it must have.

    Raises:
        CheckpointError: It is no zip file, truncated or damaged, or lacks a member.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            names = set(opened.namelist())
            size = sum(member.file_size for member in opened.infolist())
            if size > MAX_COMPRESSION * path.stat().st_size:
                raise zipfile.BadZipFile(f"it claims to contain {size} bytes")
            damaged = opened.testzip()
    except Exception as error:  # Damage raises any type of error in zipfile.
        if isinstance(error, FileNotFoundError):
            raise CheckpointError(str(path), "does not exist") from error
        raise _damaged(path, str(error) or type(error).__name__) from error
    if damaged is not None:
        raise _damaged(path, f"the checksum of {damaged} in it is wrong")
    for name in members:
        if name not in names:
            raise _damaged(path, f"it contains no {name}")


def _damaged(path: pathlib.Path, reason: str) -> CheckpointError:
    return CheckpointError(
        str(path),
        f"cannot be read: {reason}",
        hint="the file is damaged or of another kind; copy or download it again",
    )
