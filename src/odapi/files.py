"""Atomic file and folder writing, JSON files, and the suffixes of image files.

Every file that odapi writes goes through this module: it is written under a temporary
name beside its final one and renamed when complete, so that a reader, or the next run
after a crash, sees either the old content or the new one.
"""

import contextlib
import errno
import glob
import itertools
import json
import os
import pathlib
import shutil
import stat
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, Literal

from odapi.errors import DataError, OdapiError

Pathlike = str | os.PathLike[str]

IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".jpe", ".jfif",
    ".ppm", ".pgm", ".jp2", ".avif",
)  # fmt: skip

_MAX_IMAGE_BYTES = (1 << 31) - 1  # OpenCV decodes no more.
_ESCAPED = "backslashreplace"  # For file names that are not UTF-8.
_TEXT = {"encoding": "utf-8", "errors": _ESCAPED, "newline": ""}
_LFS = b"version https://git-lfs"
_UNFINISHED = ".writing-"
_REPLACED = ".replaced-"
_MAX_NAME_BYTES = 200  # Systems allow 255, which a mark or suffix must not exceed.
_MAX_PATTERN = 4096  # Of Linux; other systems allow less.
_counter = itertools.count()  # Threads of a process may write the same file.


def is_image_file(path: Pathlike) -> bool:
    """Returns whether a file name has one of `IMAGE_SUFFIXES`, in any case."""
    return os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES


def matching_paths(pattern: str, recursive: bool = False) -> list[str]:
    """Returns the paths that match a pattern with `*`, `?` and `[...]`, in any order.

    Args:
        pattern: Beyond the longest path that systems open, it matches nothing; Python
            takes seconds to translate such a pattern.
        recursive: `**` matches folders at any depth.
    """
    if len(pattern) > _MAX_PATTERN:
        return []
    return glob.glob(pattern, recursive=recursive)


def unfinished_path(path: Pathlike) -> pathlib.Path:
    """Returns a new temporary name for a file or folder, beside its final name."""
    path = pathlib.Path(path)
    name = shortened(path.name)
    return path.with_name(f"{_UNFINISHED}{name}-{os.getpid()}-{next(_counter)}")


def shortened(name: str, limit: int = _MAX_NAME_BYTES) -> str:
    """Returns a name of at most `limit` bytes; cut ones end in a checksum.

    >>> shortened("x" * 300, 12), shortened("short")
    ('xxx-1b432d13', 'short')
    """
    data = os.fsencode(name)
    if len(data) <= limit:
        return name
    checksum = f"-{zlib.crc32(data):08x}"
    return data[: limit - len(checksum)].decode("utf-8", "ignore") + checksum


@contextlib.contextmanager
def atomic_open(
    path: Pathlike, mode: Literal["w", "wb"] = "wb", durable: bool = False
) -> Iterator[IO[Any]]:
    """Opens a file for writing that appears only if the block ends without an error.

    Folders are made as needed.

    Args:
        path: The file; existing content is replaced.
        mode: "w" for UTF-8 text, whose line ends are written as given, or "wb". What
            is not Unicode, such as file names of other encodings, is escaped.
        durable: Whether to wait until the content is on the disk, so that it
            survives a power failure.

    Raises:
        OSError: The file cannot be written; the old content is kept.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = unfinished_path(path)
    options = {} if mode == "wb" else _TEXT
    try:
        with open(writing, mode, **options) as file:  # type: ignore[call-overload]
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(writing, path)
    except BaseException:
        with contextlib.suppress(OSError):
            writing.unlink(missing_ok=True)
        raise
    if durable:
        sync([path.parent])


def write_bytes(
    path: Pathlike,
    data: bytes,
    durable: bool = False,
    error: type[OdapiError] = DataError,
) -> pathlib.Path:
    """Writes a file atomically and returns its path.

    Raises:
        OdapiError: Of the type `error`: the file cannot be written.
    """
    try:
        with atomic_open(path, "wb", durable) as file:
            file.write(data)
    except OSError as problem:
        raise unwritable(path, problem, error) from problem
    return pathlib.Path(path)


def write_text(
    path: Pathlike,
    text: str,
    durable: bool = False,
    error: type[OdapiError] = DataError,
) -> pathlib.Path:
    """Writes UTF-8 text atomically, as `write_bytes` does."""
    return write_bytes(path, text.encode("utf-8", _ESCAPED), durable, error)


def read_text(path: Pathlike, error: type[OdapiError] = DataError) -> str:
    """Returns the text of a file, with line feeds as line ends.

    Raises:
        OdapiError: Of the type `error`: the file cannot be read or is not text.
    """
    return decode_text(_read(path, error), os.fspath(path), error)


def read_file(path: Pathlike, size: int = -1) -> bytes:
    """Returns the content of a file, or its first `size` bytes.

    Raises:
        OSError: It cannot be read, or is no file: reading a named pipe or a device may
            never end. What a shell pipes into `/dev/stdin` or `/dev/fd` is read.
    """
    mode = os.stat(path).st_mode
    piped = stat.S_ISFIFO(mode) and os.fspath(path).startswith(("/dev/", "/proc/"))
    if not stat.S_ISREG(mode) and not piped:
        kind = next((name for test, name in _KINDS if test(mode)), "no file")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", os.fspath(path))
    with open(path, "rb") as file:
        return file.read(size)


_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_image_file(path: Pathlike, size: int = -1) -> bytes:
    """Returns the content of an image file, or its first `size` bytes.

    Raises:
        OSError: It cannot be read, is no file, or is larger than any image.
    """
    if size < 0 and os.stat(path).st_size > _MAX_IMAGE_BYTES:
        raise OSError(errno.EFBIG, "it has more than 2 GB", os.fspath(path))
    return read_file(path, size)


def _read(path: Pathlike, error: type[OdapiError], hint: str = "") -> bytes:
    try:
        return read_file(path)
    except OSError as problem:
        reason = f"cannot be read: {problem.strerror or problem}"
        raise error(os.fspath(path), reason, hint) from problem


def decode_text(data: bytes, source: str, error: type[OdapiError] = DataError) -> str:
    """Returns bytes as text, with line feeds as line ends and without a byte mark.

    Args:
        data: UTF-8, or UTF-16 with a byte order mark.
        source: The file, for the error.
        error: Type of the error to raise.

    Raises:
        OdapiError: Of the type `error`: the bytes are not UTF-8; the place is file
            and line.
    """
    refuse_lfs_pointer(data, source, error)
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as problem:
        start = problem.start  # In `problem.object`, which lacks the mark.
        line = problem.object.count(b"\n", 0, start) + 1
        raise error(
            f"{source}:{line}",
            f"byte 0x{problem.object[start]:02x} is not UTF-8",
            hint="save the file as UTF-8 text",
        ) from problem
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_lfs_pointer(start: bytes) -> bool:
    """Returns whether a file that begins with `start` is a pointer of Git LFS."""
    return start.startswith(_LFS)


def refuse_lfs_pointer(
    start: bytes, source: str, error: type[OdapiError] = DataError
) -> None:
    """Raises an error if a file that begins with `start` is a pointer of Git LFS.

    Raises:
        OdapiError: Of the type `error`: the content of the file was not fetched.
    """
    if is_lfs_pointer(start):
        raise error(
            source,
            "is a Git LFS pointer, not the file itself",
            hint="fetch the content: git lfs pull",
        )


def write_json(
    path: Pathlike,
    content: Any,
    indent: int | None = 2,
    durable: bool = False,
    error: type[OdapiError] = DataError,
) -> pathlib.Path:
    """Writes JSON as UTF-8 with a final newline, atomically, as `write_bytes` does."""
    text = json.dumps(content, indent=indent, ensure_ascii=False) + "\n"
    data = text.encode("utf-8", _ESCAPED)  # In JSON, these are its own escapes.
    return write_bytes(path, data, durable, error)


def read_json(
    path: Pathlike, error: type[OdapiError] = DataError, hint: str = ""
) -> Any:
    """Returns the content of a JSON file.

    Raises:
        OdapiError: Of the type `error`: the file cannot be read or is not JSON.
    """
    data = _read(path, error, hint)
    refuse_lfs_pointer(data, os.fspath(path), error)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as problem:
        reason = f"cannot be read: not valid JSON: {problem}"
        raise error(os.fspath(path), reason, hint) from problem


def read_json_object(path: Pathlike) -> dict[str, Any]:
    """Returns the object in a JSON file, or {} if it is missing or damaged."""
    try:
        content = read_json(path)
    except OdapiError:
        return {}
    return content if isinstance(content, dict) else {}


@contextlib.contextmanager
def atomic_folder(path: Pathlike) -> Iterator[pathlib.Path]:
    """Yields a temporary folder that becomes `path` if the block ends without an error.

    All files are on the disk before the folder gets its name.

    Args:
        path: The folder; an existing one is replaced.

    Raises:
        OSError: The folder cannot be written; the old one is kept.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = unfinished_path(path)
    writing.mkdir()
    try:
        yield writing
        sync_tree(writing)
        move_into_place(writing, path)
    except (Exception, KeyboardInterrupt):
        shutil.rmtree(writing, ignore_errors=True)
        raise


def move_into_place(source: pathlib.Path, target: pathlib.Path) -> None:
    """Renames a complete file or folder to its final name, replacing the old one."""
    replaced = replaced_path(target)
    if target.is_dir():
        shutil.rmtree(replaced, ignore_errors=True)
        target.rename(replaced)
    source.rename(target) if source.is_dir() else os.replace(source, target)
    sync([target.parent])
    shutil.rmtree(replaced, ignore_errors=True)


def remove_folder(path: pathlib.Path) -> None:
    """Deletes a folder under a temporary name, so that no half of it is ever seen."""
    doomed = unfinished_path(path)
    try:
        path.rename(doomed)
    except OSError:  # On Windows, a file in it may be open: the next start deletes it.
        return
    shutil.rmtree(doomed, ignore_errors=True)


def replaced_path(path: pathlib.Path) -> pathlib.Path:
    """Returns the name of an old folder between the two renames of its replacement."""
    return path.with_name(_REPLACED + path.name)


def remove_unfinished(parent: pathlib.Path, name: str = "*") -> None:
    """Deletes what killed processes left behind in a folder.

    Call it only when no other process writes there. A folder whose replacement was
    interrupted gets its name back.

    Args:
        parent: The folder to clean.
        name: Final name of the files or folders, as a glob.
    """
    for left in parent.glob(f"{_UNFINISHED}{name}-*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    for old in parent.glob(f"{_REPLACED}{name}"):
        final = old.with_name(old.name.removeprefix(_REPLACED))
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(final)


def sync_tree(folder: pathlib.Path) -> None:
    """Waits until a folder and everything in it are on the disk."""
    sync([*folder.rglob("*"), folder])


def sync(paths: Iterable[pathlib.Path]) -> None:
    """Waits until files and folders are on the disk."""
    for path in paths:
        if os.name == "nt" and path.is_dir():  # Windows cannot open folders.
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as problem:
            # Some network file systems cannot sync folders.
            if not path.is_dir() or problem.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(descriptor)


def unwritable(
    path: Pathlike, problem: OSError, error: type[OdapiError] = DataError
) -> OdapiError:
    """Returns the error for a file that cannot be written."""
    reason = f"cannot be written: {problem.strerror or problem}"
    return error(os.fspath(path), reason)
