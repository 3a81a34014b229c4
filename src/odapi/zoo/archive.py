"""Safe unpacking of archives into a folder that appears only when it is complete.

The whole file is read, beyond the last member, since the checksum of gzip is at its
end. Paths and kinds of members are checked by `tarfile`'s "data" filter. Links, which
it allows within the archive, are refused here: no archive of the zoo has any.
"""

import gzip
import pathlib
import shutil
import tarfile
import zlib
from collections.abc import Callable

from odapi import files
from odapi.errors import CheckpointError

MAX_BYTES = 16 << 30  # The largest archive of the zoo unpacks to less than 2 GB.

_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
_PAGE = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")
_AGAIN = "delete it and run the same command again"


class _TooLargeError(Exception):
    pass


class _Stream(gzip.GzipFile):
    """A gzip file that ends with an error when it unpacks to too many bytes."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() + max(size or 0, 0) > MAX_BYTES:
            raise _TooLargeError
        return super().read(size)


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
        CheckpointError: The archive is damaged, unsafe or unpacks to more than
            `MAX_BYTES`, or the disk is full; nothing is written then.
        RuntimeError: This Python has no safe unpacking (3.11.4 has it).
    """
    _check_python()
    _check_kind(archive)
    files.remove_unfinished(folder.parent, folder.name)
    writing = files.unfinished_path(folder)
    try:
        writing.mkdir(parents=True)
        _extract(archive, writing, advance)
        files.sync_tree(writing)
        files.move_into_place(_top(writing), folder)
    except _TooLargeError as error:
        raise CheckpointError(
            str(archive),
            f"unpacks to more than {MAX_BYTES} bytes; nothing was unpacked",
            hint="no archive of the zoo is that large; if you trust it, unpack it "
            f"yourself: tar -xzf {archive}",
        ) from error
    except (
        tarfile.TarError, EOFError, zlib.error, OSError, ValueError, MemoryError,
        OverflowError,
    ) as error:  # fmt: skip
        if isinstance(error, CheckpointError):
            raise
        raise _failed(archive, folder, error) from error
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    return folder


def _extract(
    archive: pathlib.Path, folder: pathlib.Path, advance: Callable[[int], None]
) -> None:
    with _Stream(archive) as stream:
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            for member in tar:
                _check_member(member, folder, archive)
                if member.offset_data + member.size > MAX_BYTES:
                    raise _TooLargeError
                tar.extract(member, folder, set_attrs=False, filter="data")
                advance(member.size)
        # Only zeros follow; at the end, the checksum of gzip is compared.
        while block := stream.read(_BLOCK):
            if block.strip(b"\0"):
                raise tarfile.ReadError("the header of a file in it is damaged")


def _check_kind(archive: pathlib.Path) -> None:
    """Raises CheckpointError for files that are certainly no .tar.gz."""
    try:
        with open(archive, "rb") as file:
            start = file.read(512)
    except OSError as error:
        raise CheckpointError(
            str(archive), f"cannot be read: {error.strerror}"
        ) from error
    if start.startswith(_GZIP):
        return
    problem, hint = "is no .tar.gz archive", _AGAIN
    if not start:
        problem = "is an empty file, not an archive"
    elif start.lstrip().lower().startswith(_PAGE):
        problem = "is a web page, not an archive"
        hint = (
            "a proxy or a login page answered instead of the server; delete the file "
            "and download it with a browser, or from a mirror (--base-url)"
        )
    elif files.is_lfs_pointer(start):
        problem = "is a Git LFS pointer, not an archive"
        hint = "fetch the content: git lfs pull"
    raise CheckpointError(str(archive), problem, hint=hint)


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
        hint=_AGAIN,
    )
