"""Images for prediction: files, arrays, PIL images, bytes, and iterables of them."""

import collections
import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from odapi.errors import DataError
from odapi.inference.image_files import ReadImage, find_images, read_images
from odapi.inference.image_in_memory import ACCEPTED, as_array, is_array, is_one, read

_NO_FILES: Mapping[str, int] = {}


class Images(NamedTuple):
    """Images to predict on, read as they are needed.

    Args:
        rows: The images, or why one cannot be read.
        total: Number of images; None if it is unknown (an iterator).
        ids: Image ids by path, where file names are numbers.
        from_files: Whether all images are files.
        ignored: Number of other files in the folders, by suffix.
    """

    rows: Iterator[ReadImage]
    total: int | None
    ids: dict[pathlib.Path, int]
    from_files: bool = False
    ignored: Mapping[str, int] = _NO_FILES


def open_images(source: Any, channels: int = 3) -> Images:
    """Returns the images that a user means.

    Args:
        source: A file, a folder, a glob, "-" (names on standard input), an array
            `[h, w, c]` or a batch `[b, h, w, c]` uint8 RGB, a PIL image, the bytes of
            an image file, an open file, a list of these, or any iterator of them,
            which is read lazily.
        channels: Number of channels of the images that the model takes.

    Raises:
        DataError: The source is none of these, or names no image.
    """
    if isinstance(source, str | os.PathLike):
        return _files([source], channels)
    if is_array(source):
        source = as_array(source)
        # Arrays of objects are lists of images of several sizes.
        if source.dtype != object or not source.ndim:
            images = _split(source)
            return Images(_lazy(iter(images), channels), len(images), {})
        source = list(source)
    if is_one(source):
        return Images(_lazy(iter([source]), channels), 1, {})
    if isinstance(source, dict) or not isinstance(source, Iterable):
        raise DataError(
            "images",
            f"cannot be of type {type(source).__name__}",
            hint=f"accepted are {ACCEPTED}",
        )
    if not isinstance(source, list | tuple):
        ignored: collections.Counter[str] = collections.Counter()
        rows = _lazy(iter(source), channels, ignored)
        return Images(rows, None, {}, ignored=ignored)
    return _list(source, channels)


def _list(source: list[Any] | tuple[Any, ...], channels: int) -> Images:
    if not source:
        raise DataError("images", "none were given", hint=f"accepted are {ACCEPTED}")
    if all(isinstance(item, str | os.PathLike) for item in source):
        return _files(source, channels)
    sizes = [_count(item) for item in source]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    ignored: collections.Counter[str] = collections.Counter()
    return Images(_lazy(iter(source), channels, ignored), total, {}, ignored=ignored)


def _count(item: Any) -> int | None:
    """Returns the number of images of an item; None for a name, which may be many."""
    if is_array(item):
        return len(item) if len(item.shape) == 4 else 1
    return 1 if is_one(item) else None


def _files(names: Iterable[Any], channels: int) -> Images:
    ignored: collections.Counter[str] = collections.Counter()
    paths = find_images((os.fspath(name) for name in names), ignored)
    rows = read_images(paths, channels)
    return Images(rows, len(paths), numbers_of(paths), True, ignored)


def numbers_of(paths: list[pathlib.Path]) -> dict[pathlib.Path, int]:
    """Returns the numbers that file names are; {} if one is not, or occurs twice."""
    numbers = {p: int(p.stem) for p in paths if p.stem.isdecimal()}
    return numbers if len(set(numbers.values())) == len(paths) else {}


def _lazy(
    items: Iterator[Any],
    channels: int,
    ignored: collections.Counter[str] | None = None,
) -> Iterator[ReadImage]:
    number = 0
    for item in items:
        if isinstance(item, str | os.PathLike):
            yield from read_images(find_images([os.fspath(item)], ignored), channels)
            continue
        for image in _split(as_array(item)) if is_array(item) else [item]:
            number += 1
            yield read(image, number, channels)


def _split(array: np.ndarray) -> list[np.ndarray]:
    """Returns the images of a batch `[b, h, w, c]`, or the one image."""
    return list(array) if array.ndim == 4 else [array]


def batches(rows: Iterator[ReadImage], size: int) -> Iterator[list[ReadImage]]:
    """Yields lists of `size` images, the last one shorter."""
    while batch := list(itertools.islice(rows, size)):
        yield batch
