"""Cached listings of folders, and files in them whose names are spelled otherwise."""

import collections
import functools
import os
import pathlib
import unicodedata
import urllib.parse
from collections.abc import Iterator

Path = pathlib.Path


@functools.lru_cache(maxsize=64)
def names_in(folder: Path) -> frozenset[str]:
    """Returns the names in a folder, which is faster than a stat call per file."""
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()


@functools.lru_cache(maxsize=64)
def _by_spelling(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = collections.defaultdict(list)
    for name in names_in(folder):
        found[spelling(name)].append(name)
    return found


def walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yields folder, subfolders and file names from `root` down, as os.walk.

    Links are followed, each folder is visited once. Subfolders that are removed from
    the list are left out.

    Raises:
        OSError: A folder cannot be read, such as for lack of permission.
    """
    seen = set()
    for folder, folders, names in os.walk(root, onerror=_refuse, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # A link to a folder above.
            folders.clear()
            continue
        seen.add(real)
        yield Path(folder), folders, names


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def forget() -> None:
    """Clears the cache, since files may have been added."""
    names_in.cache_clear()
    _by_spelling.cache_clear()


def spelling(name: str) -> str:
    """Returns what names have in common that tools and systems spell differently.

    Tools quote names as in URLs, macOS decomposes accents, Windows ignores case.

    >>> spelling("%C3%89cran%201.JPG")
    'écran 1.jpg'
    """
    unquoted = urllib.parse.unquote(name)
    # Some letters decompose when their case is folded.
    folded = unicodedata.normalize("NFC", unquoted).casefold()
    return unicodedata.normalize("NFC", folded)


def similar_name(folder: Path, name: str) -> str | None:
    """Returns the name in a folder that equals `name`, or else its only spelling."""
    if name in names_in(folder):
        return name
    others = _by_spelling(folder).get(spelling(name), [])
    return others[0] if len(others) == 1 else None


def similar_path(folder: Path, relative: str) -> Path | None:
    """Returns the existing path below `folder`, with any spelling of its parts."""
    path = folder
    for part in relative.split("/"):
        if part == "..":
            path = path / part
        elif part not in ("", "."):
            found = similar_name(path, part)
            if found is None:
                return None
            path = path / found
    return path
