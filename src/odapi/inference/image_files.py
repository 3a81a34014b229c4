"""Image files by name: files, folders, globs, and a list on standard input."""

import concurrent.futures
import glob
import itertools
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from odapi.data.image.decode import decode_image
from odapi.errors import DataError
from odapi.files import IMAGE_SUFFIXES, is_image_file, read_image_file

_THREADS = 4
_AHEAD = 16  # Images decoded in advance: hides the disk, fits into memory.


class ReadImage(NamedTuple):
    """An image file, or the reason why it cannot be read."""

    path: pathlib.Path
    image: np.ndarray | None  # [h, w, 3] uint8
    problem: str = ""


def find_images(names: Iterable[str]) -> list[pathlib.Path]:
    """Returns the image files of names, each once, in the order of the names.

    Args:
        names: Files; folders, whose images at any depth are taken in natural order;
            globs such as "shots/**/*.jpg"; "-" reads names from standard input, one
            per line.

    Raises:
        DataError: A glob matches no file, a folder has no image, or no name is given.
    """
    found: dict[pathlib.Path, None] = {}
    for name in names:
        given = _from_stdin() if str(name) == "-" else [str(name)]
        for path in itertools.chain.from_iterable(_expand(g) for g in given):
            found[path] = None
    if not found:
        raise DataError(
            "images", "none were given", hint="name files, folders or globs"
        )
    return list(found)


def read_images(paths: Iterable[pathlib.Path]) -> Iterator[ReadImage]:
    """Yields the images in order; threads decode some of them in advance."""
    waiting = iter(paths)
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        ahead = [pool.submit(_read, p) for p in itertools.islice(waiting, _AHEAD)]
        while ahead:
            yield ahead.pop(0).result()
            ahead += [pool.submit(_read, p) for p in itertools.islice(waiting, 1)]


def _read(path: pathlib.Path) -> ReadImage:
    try:
        return ReadImage(path, decode_image(read_image_file(path), str(path)))
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


def _expand(name: str) -> list[pathlib.Path]:
    path = pathlib.Path(name).expanduser()
    if path.is_dir():
        inside = (p for p in path.rglob("*") if is_image_file(p))
        images = sorted((p for p in inside if p.is_file()), key=_natural)
        if not images:
            raise DataError(
                name,
                "the folder contains no image",
                hint=f"images end in {', '.join(IMAGE_SUFFIXES)}",
            )
        return images
    if not path.exists() and glob.has_magic(name):
        matches = glob.glob(str(path), recursive=True)
        images = sorted((pathlib.Path(m) for m in matches), key=_natural)
        images = [p for p in images if p.is_file()]
        if not images:
            raise DataError(name, "no file matches")
        return images
    # A missing file is reported with those that cannot be read.
    return [path]


def _natural(path: pathlib.Path) -> list[tuple[int, str]]:
    """Returns a sort key that puts frame_2 before frame_10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(p), "") if p.isdigit() else (-1, p.lower()) for p in parts]
