"""Output files: a new name, or a file that odapi wrote."""

import glob
import os
import pathlib
from collections.abc import Callable

from odapi.errors import OutputError
from odapi.files import Pathlike
from odapi.outputs.folder import unused_name
from odapi.outputs.writable import probe_file, refused_paths, shown_path
from odapi.wording import first_names


def _never(path: pathlib.Path) -> bool:
    return False


def check_new_file(
    file: Pathlike, is_ours: Callable[[pathlib.Path], bool] = _never
) -> pathlib.Path:
    """Checks the path of a file before any work, and returns it.

    Args:
        file: The file.
        is_ours: Recognizes an existing file that odapi wrote, which may be replaced.

    Raises:
        OutputError: It exists already, or cannot be written.
    """
    path = pathlib.Path(file)
    with refused_paths(path):
        if path.is_dir():
            raise OutputError(
                shown_path(path),
                "is a folder; a file is needed",
                hint=f"name a file in it: {shown_path(path / 'NAME')}",
            )
        if path.exists() and not path.is_file():
            problem = "is a device, pipe or socket; a file is needed"
            raise OutputError(shown_path(path), problem, hint="choose a new file name")
        if os.path.lexists(path) and not (path.exists() and is_ours(path)):
            mine = "" if is_ours is _never else ", and odapi did not write it"
            raise existing_file(path, f"exists already{mine}")
    probe_file(path)
    return path


def check_new_shards(prefix: str) -> None:
    """Checks that no file `prefix-00000-of-0000N` exists, and that one can be written.

    Prefixes of remote file systems, such as "gs://bucket/a", are not checked.

    Raises:
        OutputError: There is such a file, or the prefix cannot be written.
    """
    if "://" in prefix:
        return
    path = pathlib.Path(os.path.expanduser(prefix))
    with refused_paths(path):
        there = sorted(path.parent.glob(f"{glob.escape(path.name)}-*-of-*"))
    if there:
        names = first_names((shown_path(file.name) for file in there), 3)
        raise existing_file(path, f"has files already: {names}")
    probe_file(path)


def existing_file(path: pathlib.Path, problem: str) -> OutputError:
    """Returns the error for a file that is not replaced."""
    new = unused_name(path, path.stem, path.suffix)
    return OutputError(
        shown_path(path), problem, hint=f"choose a new name, such as {shown_path(new)}"
    )
