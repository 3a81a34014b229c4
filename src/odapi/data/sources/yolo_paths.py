"""Files and folders that a data.yaml or a list of images refers to."""

import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

from odapi.data.sources.listing import similar_path
from odapi.errors import DataError
from odapi.files import read_text

Path = pathlib.Path


class PathFinder:
    """Finds paths that were written for another folder or another machine.

    Archives are unpacked under other names, Roboflow's paths start at a subfolder,
    CVAT's with `data/`, and many are absolute paths of the machine of the author. A
    path that does not exist is searched without its leading parts.

    Args:
        folder: Folder of the description file.
        root: Value of its `path`, or `folder`.
    """

    def __init__(self, folder: Path, root: Path):
        self.bases = list(dict.fromkeys((root, folder)))
        self.folder = folder
        self.parent = folder.resolve().parent
        self._last: tuple[Path, int] | None = None  # Base, number of parts removed.

    def find(self, value: str, exists: Callable[[Path], bool]) -> Path | None:
        """Returns the path that `value` refers to, or None.

        Args:
            value: As written in the file.
            exists: Whether a path is of the wanted kind.
        """
        return self.exact(value, exists) or self.moved(value, exists)

    def exact(self, value: str, exists: Callable[[Path], bool]) -> Path | None:
        """Returns the path as written, relative to one of the folders, or None."""
        value = value.replace("\\", "/")
        for base in (*self.bases, self.parent, Path()):
            if exists(base / value):
                return self._short(base / value)
        return None

    def _short(self, path: Path) -> Path:
        """Returns a path found from the parent as one below the folder, if it is."""
        inner = self.folder.resolve()
        if path.is_relative_to(self.parent) and path.is_relative_to(inner):
            return self.folder / path.relative_to(inner)
        return path

    def moved(self, value: str, exists: Callable[[Path], bool]) -> Path | None:
        """Returns the path without its leading parts, or in another spelling."""
        parts = _parts(value.replace("\\", "/"))
        if self._last is not None:  # Lists of a thousand paths have the same prefix.
            base, removed = self._last
            place = base.joinpath(*parts[removed:])
            if removed < len(parts) and exists(place):
                return place
        for removed in range(len(parts)):
            for base in self.bases:
                place = base.joinpath(*parts[removed:])
                if exists(place):
                    self._last = base, removed
                    return place
        return self._similar(parts, exists)

    def _similar(self, parts: list[str], exists: Callable[[Path], bool]) -> Path | None:
        """Finds names that differ by URL encoding, Unicode normalization or case."""
        for removed in range(len(parts)):
            for base in self.bases:
                place = similar_path(base, "/".join(parts[removed:]))
                if place is not None and exists(place):
                    return place
        return None

    def searched(self) -> str:
        """Returns the searched folders, each once, for messages."""
        places: dict[Path, str] = {}
        for place in (*self.bases, self.parent):
            places.setdefault(place.resolve(), str(place))
        return ", ".join(places.values())


def _parts(value: str) -> list[str]:
    """Returns the names in a path, without a drive, `.` and leading `..`."""
    parts = [p for p in value.split("/") if p not in ("", ".")]
    if parts and parts[0].endswith(":"):
        parts = parts[1:]
    while parts and parts[0] == "..":
        parts = parts[1:]
    return parts


class SplitPaths:
    """Resolves the paths of splits, and notices if two become the same.

    Args:
        finder: Finds the paths.
    """

    def __init__(self, finder: PathFinder):
        self.finder = finder
        self._found: dict[str, tuple[str, bool]] = {}

    def resolve(self, value: str, place: str) -> Path:
        """Returns the existing file or folder that a split refers to.

        Args:
            value: As written in the file.
            place: File and line, for messages.

        Raises:
            DataError: It does not exist, or another value leads to the same place.
        """
        exact = self.finder.exact(value, Path.exists)
        found = exact or self.finder.moved(value, Path.exists)
        if found is None:
            raise DataError(
                place,
                f"{value!r} does not exist; searched {self.finder.searched()}",
                hint="correct `path`, or the paths of the splits; or give the folder "
                "of the images: ?images=DIR; or read another split: ?split=NAME",
            )
        was_moved = exact is None
        other, other_moved = self._found.setdefault(
            os.path.abspath(found), (value, was_moved)
        )
        if other != value and (was_moved or other_moved):
            raise DataError(
                place,
                f"{other!r} and {value!r} would both be {found}",
                hint="correct the paths of the splits",
            )
        return found


def listed_images(file: Path, finder: PathFinder) -> Iterator[Path]:
    """Yields the images that a text file lists, found or not.

    Raises:
        DataError: The file is not text.
    """
    for line in read_text(file).split("\n"):
        value = line.strip()
        if value:
            relative = file.parent / value.replace("\\", "/")
            if relative.is_file():
                yield relative
            else:
                yield finder.find(value, Path.is_file) or relative


def text_lines(file: Path) -> Sequence[str]:
    """Returns the lines of a text file without the empty ones at its end.

    Raises:
        DataError: The file cannot be read or is not text.
    """
    lines = [line.strip() for line in read_text(file).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines
