"""Image files by name: files, folders, globs, and a list on standard input."""

import collections
import concurrent.futures
import functools
import glob
import itertools
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from odapi.data.image.decode import decode_image
from odapi.errors import DataError
from odapi.files import (
    IMAGE_SUFFIXES,
    is_image_file,
    matching_paths,
    read_image_file,
)

_THREADS = 4
_WEB = re.compile(r"(https?|ftp|s3|gs)://")
_AHEAD = 16  # Images decoded in advance: hides the disk, fits into memory.


class ReadImage(NamedTuple):
    """An image file, or the reason why it cannot be read."""

    path: pathlib.Path
    image: np.ndarray | None  # [h, w, c] uint8
    problem: str = ""


def find_images(
    names: Iterable[str], ignored: collections.Counter[str] | None = None
) -> list[pathlib.Path]:
    """Returns the image files of names, each once, in the order of the names.

    Args:
        names: Files; folders, whose images at any depth are taken in natural order;
            globs such as "shots/**/*.jpg"; "-" reads names from standard input, one
            per line.
        ignored: Counts the other files of folders, by suffix.

    Raises:
        DataError: A glob matches no file, a folder has no image, a name is a web
            address, or no name is given.
    """
    found: dict[pathlib.Path, None] = {}
    others: collections.Counter[str] = (
        collections.Counter() if ignored is None else ignored
    )
    for name in names:
        given = _from_stdin() if str(name) == "-" else [str(name)]
        for path in itertools.chain.from_iterable(_expand(g, others) for g in given):
            found[path] = None
    if not found:
        raise DataError(
            "images", "none were given", hint="name files, folders or globs"
        )
    return list(found)


def read_images(
    paths: Iterable[pathlib.Path], channels: int = 3
) -> Iterator[ReadImage]:
    """Yields the images in order; threads decode some of them in advance.

    Args:
        paths: The files.
        channels: Number of channels to decode, see `decode_image`.
    """
    read, waiting = functools.partial(read_image, channels=channels), iter(paths)
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        ahead = [pool.submit(read, p) for p in itertools.islice(waiting, _AHEAD)]
        while ahead:
            yield ahead.pop(0).result()
            ahead += [pool.submit(read, p) for p in itertools.islice(waiting, 1)]


def read_image(path: pathlib.Path, channels: int = 3) -> ReadImage:
    """Returns one image, or the reason why it cannot be read."""
    try:
        data = read_image_file(path)
        return ReadImage(path, decode_image(data, str(path), channels=channels))
    except OSError as error:
        return ReadImage(path, None, error.strerror or str(error))
    except DataError as error:
        return ReadImage(path, None, error.problem)


def _from_stdin() -> list[str]:
    if sys.stdin is None or sys.stdin.isatty():
        raise DataError(
            "-", "reads file names from standard input, but nothing is piped into it",
            hint="ls *.jpg | odapi predict CHECKPOINT -",
        )  # fmt: skip
    return [line.strip() for line in sys.stdin if line.strip()]


def _expand(name: str, ignored: collections.Counter[str]) -> list[pathlib.Path]:
    if not name.strip():
        raise DataError(
            "images", "a name is empty", hint="the current folder is named '.'"
        )
    path = pathlib.Path(name).expanduser()
    if path.is_dir():
        return _in_folder(path, name, ignored)
    if _WEB.match(name):
        raise DataError(name, "is a web address", hint="download the image first")
    if not path.exists() and glob.has_magic(name):
        matches = matching_paths(str(path), recursive=True)
        images = sorted((pathlib.Path(m) for m in matches), key=_natural)
        images = [p for p in images if p.is_file()]
        if not images:
            raise DataError(name, "no file matches")
        return images
    # A missing file is reported with those that cannot be read.
    return [path]


def _in_folder(
    folder: pathlib.Path, name: str, ignored: collections.Counter[str]
) -> list[pathlib.Path]:
    others: collections.Counter[str] = collections.Counter()
    images = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        if is_image_file(path):
            images.append(path)
        elif not path.name.startswith("."):
            others[path.suffix.lower() or "without suffix"] += 1
    if not images:
        there = f"; not looked at: {ignored_files(others)}" if others else ""
        raise DataError(
            name,
            f"the folder contains no image{there}",
            hint=f"images end in {', '.join(IMAGE_SUFFIXES)}",
        )
    ignored.update(others)
    return sorted(images, key=_natural)


def ignored_files(counts: Mapping[str, int]) -> str:
    """Returns numbers of files by suffix as text.

    >>> ignored_files({".txt": 1, ".heic": 2})
    '2 .heic, 1 .txt'
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number} {suffix}" for suffix, number in ordered)


def _natural(path: pathlib.Path) -> list[tuple[int, str]]:
    """Returns a sort key that puts frame_2 before frame_10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(p), "") if p.isdigit() else (-1, p.lower()) for p in parts]
