"""Paths that TensorFlow reads as they are.

TensorFlow takes the path of a SavedModel's variables for a pattern: in a folder
called `run [1]` it finds no file.
"""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

_PATTERN = frozenset("*?[]\\") - {os.sep}


@contextlib.contextmanager
def plain_path(folder: str | os.PathLike[str]) -> Iterator[str]:
    """Yields a path to a folder without the special characters of patterns.

    It is the folder's own path where that has none, else a temporary link, or a copy
    where the system allows no links.
    """
    path = os.fspath(folder)
    if not _PATTERN & set(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="odapi-") as temporary:
        link = pathlib.Path(temporary) / "saved_model"
        try:
            link.symlink_to(pathlib.Path(path).absolute(), target_is_directory=True)
        except OSError:
            shutil.copytree(path, link)
        yield str(link)
