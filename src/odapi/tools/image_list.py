"""The images of a large prediction: listed once, and divided into shards.

The list is a file in the output folder with one JSON line `[id, name]` per image. Each
shard is a range of its lines, so that a worker reads its own part only, and a later
run finds the same images in the same shards.
"""

import contextlib
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import IO, NamedTuple

from odapi.data.sources.base import BaseSource
from odapi.data.sources.open import KINDS, open_source
from odapi.data.sources.tfrecord import find_files
from odapi.data.tfrecord.records import is_record_file
from odapi.data.tfrecord.unpacked import is_compressed
from odapi.errors import DataError
from odapi.files import atomic_open, is_image_file, read_text
from odapi.inference.image_files import find_images
from odapi.inference.images import numbers_of

FILE = "images.jsonl"
_HEAD = 12  # Bytes of the header of a record.


class Entry(NamedTuple):
    """One image: its id and, of image files, its path as given."""

    id: int | str
    name: str


class Part(NamedTuple):
    """The images of a shard: a range of lines of the list.

    Args:
        shard: Number of the shard, from 0.
        first: Number of its first image, from 0.
        size: Number of its images.
        offset: Position of its first line in the file, in bytes.
    """

    shard: int
    first: int
    size: int
    offset: int


class ImageList:
    """The images that a source names.

    Args:
        source: A file, folder or glob of image files; a text file (.txt) with one of
            these per line; a dataset such as `coco:PATH`; or a file or glob of TFRecord
            files.

    Attributes:
        spec: The dataset; "" for image files.

    Raises:
        DataError: The source names no image, or the dataset cannot be read.
    """

    def __init__(self, source: str):
        self.spec = _dataset_of(source)
        if self.spec:
            self._ids: list[int | str] = list(open_images(self.spec).image_ids)
            self._names = [""] * len(self._ids)
            return
        names = _listed_names(source) if source.endswith(".txt") else [source]
        paths = find_images(names)
        numbers = numbers_of(paths)
        self._ids = [numbers.get(path, i) for i, path in enumerate(paths, 1)]
        self._names = [str(path) for path in paths]

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Entry]:
        return map(Entry, self._ids, self._names)

    @property
    def root(self) -> str:
        """The folder where relative names start; "" if all are absolute."""
        relative = any(n and not os.path.isabs(n) for n in self._names)
        return os.getcwd() if relative else ""

    @functools.cached_property
    def digest(self) -> str:
        """A checksum of the ids and names in their order."""
        digest = hashlib.sha256()
        for line in self._lines():
            digest.update(line)
        return digest.hexdigest()

    def parts(self, shards: int) -> list[Part]:
        """Returns the shards: ranges of nearly the same length, in order."""
        total, made, offset, first = len(self), [], 0, 0
        lengths = [len(line) for line in self._lines()]
        for shard in range(shards):
            last = (shard + 1) * total // shards
            made.append(Part(shard, first, last - first, offset))
            offset += sum(lengths[first:last])
            first = last
        return made

    def write(self, folder: pathlib.Path) -> None:
        """Writes the list into a folder."""
        with atomic_open(folder / FILE, durable=True) as file:
            file.writelines(self._lines())

    def _lines(self) -> Iterator[bytes]:
        for entry in self:
            yield (json.dumps(entry) + "\n").encode()  # ASCII, whatever the names.


def read_part(folder: str | os.PathLike[str], part: Part) -> list[Entry]:
    """Returns the images of a shard."""
    with open(pathlib.Path(folder) / FILE, "rb") as file:
        file.seek(part.offset)
        return list(_entries(file, part.size))


def read_list(folder: str | os.PathLike[str]) -> list[Entry]:
    """Returns all images of a list; [] if the file is missing or damaged."""
    with contextlib.suppress(OSError, ValueError):
        with open(pathlib.Path(folder) / FILE, "rb") as file:
            return list(_entries(file, -1))
    return []


def _entries(file: IO[bytes], count: int) -> Iterator[Entry]:
    for number, line in enumerate(file):
        if number == count:
            return
        yield Entry(*json.loads(line))


@functools.lru_cache(maxsize=1)
def open_images(spec: str) -> BaseSource:
    """Opens a dataset for its images, once per process.

    Raises:
        DataError: It cannot be read.
    """
    return open_source(spec, load_masks=False).with_keys(())


def _dataset_of(source: str) -> str:
    """Returns the spec of a dataset; "" if the source names image files."""
    kind, colon, _ = source.partition(":")
    if colon and kind in KINDS and not os.path.exists(source):
        return source
    if is_image_file(source) or source.endswith(".txt") or os.path.isdir(source):
        return ""
    try:
        first = find_files([source])[0]
        with open(first, "rb") as file:
            is_records = is_record_file(file.read(_HEAD))
        is_records = is_records or (".record" in first.name and is_compressed(first))
    except (DataError, OSError):
        return ""  # Reported by the search for images.
    return f"tfrecord:{source}" if is_records else ""


def _listed_names(source: str) -> list[str]:
    path = pathlib.Path(source).expanduser()
    names = [line.strip() for line in read_text(path).splitlines()]
    names = [name for name in names if name]
    if not names:
        raise DataError(source, "names no image", hint="write one path per line")
    return names
