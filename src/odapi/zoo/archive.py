"""Safe unpacking of archives into a folder that appears only when it is complete.

Paths and kinds of members are checked by `tarfile`'s "data" filter. Links, which it
allows within the archive, are refused here: no archive of the zoo has any.
"""

import pathlib
import shutil
import tarfile
import zlib
from collections.abc import Callable

from odapi import files
from odapi.errors import CheckpointError


def unpack(
    archive: pathlib.Path,
    folder: pathlib.Path,
    advance: Callable[[int], None] = lambda done: None,
) -> pathlib.Path:
    """Unpacks a .tar.gz file into a new folder.

    The only folder of an archive, as in those of the zoo, becomes that folder.

    Args:
        archive: The file.
        folder: Must not exist yet.
        advance: Called with the size of each file that was written.

    Raises:
        CheckpointError: The archive is damaged or unsafe, or the disk is full; nothing
            is written then.
        RuntimeError: This Python has no safe unpacking (3.11.4 has it).
    """
    _check_python()
    files.remove_unfinished(folder.parent, folder.name)
    writing = files.unfinished_path(folder)
    try:
        writing.mkdir(parents=True)
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                _check_member(member, writing, archive)
                tar.extract(member, writing, set_attrs=False, filter="data")
                advance(member.size)
        files.sync_tree(writing)
        files.move_into_place(_top(writing), folder)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise _failed(archive, folder, error) from error
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    return folder


def _check_python() -> None:
    if not hasattr(tarfile, "data_filter"):
        raise RuntimeError(
            "unpacking archives needs Python 3.11.4 or later, whose tarfile module "
            "has extraction filters"
        )


def _check_member(
    member: tarfile.TarInfo, folder: pathlib.Path, archive: pathlib.Path
) -> None:
    """Raises CheckpointError if a member must not be written below `folder`."""
    path, problem = pathlib.PurePosixPath(member.name), ""
    if not (member.isreg() or member.isdir()):
        problem = "is a link" if member.issym() or member.islnk() else "is a device"
    elif path.is_absolute() or ".." in path.parts:
        problem = "points outside of the archive"
    elif "\\" in member.name or ":" in member.name or "\0" in member.name:
        problem = "has a name that is a path on Windows"
    elif member.isreg() and (folder / member.name).exists():
        problem = "occurs twice"
    else:
        try:
            tarfile.data_filter(member, str(folder))
        except tarfile.FilterError as error:
            problem = str(error)
    if problem:
        raise CheckpointError(
            str(archive),
            f"is unsafe: {member.name!r} {problem}; nothing was unpacked",
            hint="delete it, and download it from a source that you trust",
        )


def _top(folder: pathlib.Path) -> pathlib.Path:
    """Returns the only folder in a folder, or the folder itself."""
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
            hint="free disk space, or choose another folder with --output; the archive "
            "is kept",
        )
    return CheckpointError(
        str(archive),
        f"is damaged: {error}",
        hint="delete it and run the same command again",
    )
