"""Paths of Windows in configs that are read on another system."""

import glob
import os
import pathlib
import re

from odapi.files import matching_paths

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def is_windows_path(path: str) -> bool:
    """Returns True for paths with backslashes or a drive, on other systems."""
    return os.sep == "/" and ("\\" in path or _DRIVE.match(path) is not None)


def find_here(path: str, folder: pathlib.Path) -> str | None:
    r"""Returns the path here of a file that a Windows path means; None if none exists.

    Of a path with a drive, the longest end that exists is taken:
    `C:\work\annotations\map.pbtxt` becomes `annotations/map.pbtxt`.

    Args:
        path: A path for which `is_windows_path` is true; may be a glob.
        folder: Searched after the current folder.
    """
    has_drive = _DRIVE.match(path) is not None
    parts = [p for p in re.split(r"[\\/]+", path[2:] if has_drive else path) if p]
    for start in range(len(parts) if has_drive else 1):
        end = "/".join(parts[start:])
        if not has_drive and path[0] in "\\/":
            end = f"/{end}"
        for place in (end, str(folder / end)):
            if os.path.exists(place) or (
                glob.has_magic(place) and matching_paths(place)
            ):
                return place
    return None
