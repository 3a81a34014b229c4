"""Names of the classes of YOLO datasets."""

import pathlib
from collections.abc import Iterable
from typing import Any

from odapi.data.numbers import is_whole
from odapi.data.sources.listing import names_in
from odapi.data.sources.yolo_paths import PathFinder, text_lines
from odapi.data.sources.yolo_yaml import DataFile
from odapi.errors import DataError

Path = pathlib.Path

NAME_FILES = ("classes.txt", "obj.names", "labels.txt", "classes.names")

MAX_CLASSES = 100_000  # Numbers beyond are no class numbers.


def class_names(file: DataFile, finder: PathFinder) -> list[str]:
    """Returns the class names by number; empty if the file names none.

    Raises:
        DataError: They are neither a list nor numbered.
    """
    names = file.get("names")
    if names is None:
        return []
    if isinstance(names, str):  # Darknet, and old files of YOLO.
        found = finder.find(names, Path.is_file)
        if found is not None:
            return names_in_file(found)
    by_number = _numbered(names)
    if by_number is None or max(by_number, default=0) > MAX_CLASSES:
        raise DataError(
            file.place("names"),
            f"names must be a list of texts or numbered from 0, got {shorten(names)}",
            hint="write names: [cat, dog]",
        )
    for number, name in by_number.items():
        if not name:
            raise DataError(file.place("names"), f"class {number} has no name")
    last = max(by_number, default=-1)
    return [by_number.get(i, f"class {i}") for i in range(last + 1)]


def _numbered(names: Any) -> dict[int, str] | None:
    """Returns texts by number, from a list or a mapping; None for anything else."""
    if isinstance(names, list):
        names = {str(i): name for i, name in enumerate(names)}
    if not isinstance(names, dict):
        return None
    if not all(is_whole(k) and isinstance(v, str) for k, v in names.items()):
        return None
    return {int(k): v for k, v in names.items()}


def shorten(value: Any) -> str:
    """Returns the beginning of a value, for messages."""
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]} ..."


def names_in_file(file: Path) -> list[str]:
    """Returns the class names in a text file, one per line.

    Raises:
        DataError: The file is not text, or a line before the last name is empty.
    """
    names = text_lines(file)
    for number, name in enumerate(names, 1):
        if not name:
            raise DataError(
                f"{file}:{number}",
                "is empty; line 1 names class 0, line 2 class 1, and so on",
                hint="remove the line, or write the name of the class",
            )
    return list(names)


def names_beside(folders: Iterable[Path]) -> list[str]:
    """Returns the class names in files such as `classes.txt`; empty if there are none.

    Raises:
        DataError: Two files differ.
    """
    found: dict[Path, list[str]] = {}
    for folder in dict.fromkeys(folders):
        for name in NAME_FILES:
            if name in names_in(folder) and (folder / name).is_file():
                found[folder / name] = names_in_file(folder / name)
    if not found:
        return []
    first, names = next(iter(found.items()))
    for file, other in found.items():
        if other != names:
            raise DataError(
                str(file),
                f"names the classes {', '.join(other)}, but {first} names "
                f"{', '.join(names)}",
                hint="correct or remove one of them, or read one split: ?split=NAME",
            )
    return names
