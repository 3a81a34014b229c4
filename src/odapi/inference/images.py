"""Images for prediction: files, arrays, PIL images, and iterables of them."""

import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from odapi.errors import DataError
from odapi.inference.image_files import ReadImage, find_images, read_images

_NO_PATH = pathlib.Path()
_ACCEPTED = (
    "a path, folder or glob, a NumPy array [h, w, 3] uint8 RGB or a batch of them, a "
    "PIL image, or a list or iterator of these"
)


class Images(NamedTuple):
    """Images to predict on, read as they are needed.

    Args:
        rows: The images, or why one cannot be read.
        total: Number of images; None if it is unknown (an iterator).
        ids: Image ids by path, where file names are numbers.
        from_files: Whether all images are files.
    """

    rows: Iterator[ReadImage]
    total: int | None
    ids: dict[pathlib.Path, int]
    from_files: bool = False


def open_images(source: Any) -> Images:
    """Returns the images that a user means.

    Args:
        source: A file, a folder, a glob, "-" (names on standard input), an array
            `[h, w, 3]` or a batch `[b, h, w, 3]` uint8 RGB, a PIL image, a list of
            these, or any iterator of them, which is read lazily.

    Raises:
        DataError: The source is none of these, or names no image.
    """
    if isinstance(source, str | os.PathLike):
        return _files([source])
    if _is_array(source):
        images = _split(np.asarray(source))
        return Images(map(_row, images), len(images), {})
    if _is_pil(source):
        return Images(iter([_row(source)]), 1, {})
    if isinstance(source, dict | bytes) or not isinstance(source, Iterable):
        raise DataError(
            "images",
            f"cannot be of type {type(source).__name__}",
            hint=f"accepted are {_ACCEPTED}",
        )
    if not isinstance(source, list | tuple):
        return Images(_lazy(iter(source)), None, {})
    return _list(source)


def _list(source: list[Any] | tuple[Any, ...]) -> Images:
    if not source:
        raise DataError("images", "none were given", hint=f"accepted are {_ACCEPTED}")
    if all(isinstance(item, str | os.PathLike) for item in source):
        return _files(source)
    sizes = [_count(item) for item in source]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    return Images(_lazy(iter(source)), total, {})


def _count(item: Any) -> int | None:
    """Returns the number of images of an item; None for a name, which may be many."""
    if _is_array(item):
        return len(item) if np.ndim(item) == 4 else 1
    return 1 if _is_pil(item) else None


def _files(names: Iterable[Any]) -> Images:
    paths = find_images(os.fspath(name) for name in names)
    return Images(read_images(paths), len(paths), _numbers(paths), True)


def _numbers(paths: list[pathlib.Path]) -> dict[pathlib.Path, int]:
    """Returns the numbers that file names are; {} if one is not, or occurs twice."""
    numbers = {p: int(p.stem) for p in paths if p.stem.isdecimal()}
    return numbers if len(set(numbers.values())) == len(paths) else {}


def _lazy(items: Iterator[Any]) -> Iterator[ReadImage]:
    for item in items:
        if isinstance(item, str | os.PathLike):
            yield from read_images(find_images([os.fspath(item)]))
        elif _is_array(item):
            yield from map(_row, _split(np.asarray(item)))
        else:
            yield _row(item)


def _row(image: Any) -> ReadImage:
    if _is_pil(image):
        image = np.asarray(image.convert("RGB"))
    elif not _is_array(image):
        raise DataError(
            "images",
            f"cannot contain {type(image).__name__}",
            hint=f"accepted are {_ACCEPTED}",
        )
    return ReadImage(_NO_PATH, as_rgb_uint8(np.asarray(image)))


def _is_array(value: Any) -> bool:
    """Returns whether a value is an array or a tensor of a backend."""
    return isinstance(value, np.ndarray) or (
        hasattr(value, "__array__") and hasattr(value, "shape")
    )


def _is_pil(value: Any) -> bool:
    return hasattr(value, "convert") and hasattr(value, "mode")


def _split(array: np.ndarray) -> list[np.ndarray]:
    """Returns the images of a batch `[b, h, w, c]`, or the one image."""
    return list(array) if array.ndim == 4 else [array]


def as_rgb_uint8(image: np.ndarray) -> np.ndarray:
    """Returns an image as `[h, w, 3]` uint8 RGB.

    Grayscale becomes RGB, an alpha channel is dropped.

    Args:
        image: `[h, w]`, or `[h, w, c]` with 1, 3 or 4 channels, uint8.

    Raises:
        DataError: It has another type or shape.
    """
    if image.dtype != np.uint8:
        raise _wrong_type(image)
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if image.ndim not in (2, 3) or channels not in (1, 3, 4) or not image.size:
        hint = "accepted are [h, w, 3], [h, w, 4] (alpha is dropped) and [h, w]"
        if image.ndim in (3, 4) and image.shape[-3] in (1, 3, 4) and image.size:
            hint = "channels come last: image.transpose(1, 2, 0)"
        raise DataError(
            "images", f"must be [h, w, 3] uint8 RGB, got shape {image.shape}", hint
        )
    if image.ndim == 2:
        image = image[..., None]
    if channels == 1:
        return np.repeat(image, 3, axis=-1)
    return np.ascontiguousarray(image[..., :3])


def _wrong_type(image: np.ndarray) -> DataError:
    problem = f"must be uint8 RGB from 0 to 255, got {image.dtype}"
    hint = "convert it: image.astype('uint8')"
    if image.size and image.dtype.kind in "fiu":
        low, high = float(np.min(image)), float(np.max(image))
        problem += f" with values from {low:g} to {high:g}"
        if image.dtype.kind == "f":
            scale = " * 255" if 0 <= low and high <= 1 else ""
            hint = f"convert it: (image{scale}).round().astype('uint8')"
    return DataError("images", problem, hint)


def batches(rows: Iterator[ReadImage], size: int) -> Iterator[list[ReadImage]]:
    """Yields lists of `size` images, the last one shorter."""
    while batch := list(itertools.islice(rows, size)):
        yield batch
