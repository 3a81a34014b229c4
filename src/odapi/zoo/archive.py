"""Unpacks an archive: nothing leaves its folder, and that is whole or not there."""

import pathlib
import shutil
import tarfile
import zlib
from collections.abc import Callable

from odapi import files
from odapi.errors import CheckpointError

_BLOCK = 1 << 20


def unpack(
    archive: pathlib.Path,
    folder: pathlib.Path,
    advance: Callable[[int], None] = lambda done: None,
) -> pathlib.Path:
    """Unpacks a .tar.gz into a folder, which gets its name when all is there.

    An archive with one folder, as those of the zoo, becomes that folder.

    Args:
        archive: The file.
        folder: Must not be there yet.
        advance: Gets the bytes of each file that was written.

    Raises:
        CheckpointError: The archive is damaged or not to be trusted, or the disk is
            full; nothing is left then.
    """
    files.remove_unfinished(folder.parent, folder.name)
    writing = files.unfinished_path(folder)
    try:
        writing.mkdir(parents=True)
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                advance(_write(tar, member, writing, archive))
        files.sync_tree(writing)
        files.move_into_place(_top(writing), folder)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise _failed(archive, folder, error) from error
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    return folder


def _write(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    folder: pathlib.Path,
    archive: pathlib.Path,
) -> int:
    """Writes one member; returns its bytes."""
    target = folder / _safe(member, archive)
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    if source is None:
        return 0
    # Never over what another member wrote.
    with source, open(target, "xb") as file:
        shutil.copyfileobj(source, file, _BLOCK)
    return member.size


def _safe(member: tarfile.TarInfo, archive: pathlib.Path) -> pathlib.PurePosixPath:
    """Returns the path of a member, which is one within the archive's folder."""
    path = pathlib.PurePosixPath(member.name)
    problem = ""
    if not (member.isreg() or member.isdir()):
        problem = "is a link" if member.issym() or member.islnk() else "is a device"
    elif path.is_absolute() or ".." in path.parts:
        problem = "leads out of the archive"
    elif "\\" in member.name or ":" in member.name or "\0" in member.name:
        problem = "has a name that some systems take for another place"
    if problem:
        raise CheckpointError(
            str(archive),
            f"cannot be trusted: {member.name!r} {problem}; nothing was unpacked",
            hint="delete it, and download it from a place that you trust",
        )
    return path


def _top(folder: pathlib.Path) -> pathlib.Path:
    """The only folder in a folder, or the folder itself."""
    inside = list(folder.iterdir())
    if not inside:
        raise tarfile.ReadError("the archive is empty")
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _failed(
    archive: pathlib.Path, folder: pathlib.Path, error: Exception
) -> CheckpointError:
    if isinstance(error, OSError) and error.errno is not None:
        return CheckpointError(
            str(folder),
            f"could not be written: {error.strerror}",
            hint="make room, or name another place with --output; the archive is kept",
        )
    return CheckpointError(
        str(archive),
        f"is damaged: {error}",
        hint="delete it and run the same command again",
    )
