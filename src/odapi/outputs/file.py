"""Output files: a new name, or a file that odapi wrote."""

import os
import pathlib

from odapi.errors import OutputError
from odapi.files import Pathlike
from odapi.outputs.folder import new_place
from odapi.outputs.writable import probe_file, refused_paths, shown_path


def check_new_file(file: Pathlike) -> pathlib.Path:
    """Checks the path of a new file before any work, and returns it.

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
        if os.path.lexists(path):
            raise existing_file(path, "exists already")
    probe_file(path)
    return path


def existing_file(path: pathlib.Path, problem: str) -> OutputError:
    """Returns the error for a file that is not replaced."""
    return OutputError(
        shown_path(path),
        problem,
        hint=f"choose a new name, such as {shown_path(new_place(path))}",
    )
