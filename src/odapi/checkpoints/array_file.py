"""Reads HDF5 files of arrays, with a checksum and with bounds on claimed sizes.

A file of odapi ends with a line that HDF5 does not read: the SHA-256 of all bytes
before it. It is compared before HDF5 sees the file, whose library can crash on damaged
ones. Files without the line, of other programs and of old versions, are accepted.
"""

import hashlib
import math
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import h5py
import numpy as np

from odapi.checkpoints.zip_file import MAX_COMPRESSION
from odapi.errors import CheckpointError
from odapi.files import Pathlike

Shapes = Mapping[str, tuple[int, ...]]

_MARK = b"\nodapi sha256 "
_LINE_SIZE = len(_MARK) + 64 + 1
_BLOCK = 1 << 20
_KINDS = "biufc"  # Of NumPy dtypes: numbers.


def with_checksum(image: bytes) -> list[bytes]:
    """Returns the parts of a file: its content, and the line with its checksum."""
    return [image, _MARK + hashlib.sha256(image).hexdigest().encode() + b"\n"]


def read_arrays(
    path: Pathlike, check: Callable[[Shapes], None] = lambda shapes: None
) -> dict[str, np.ndarray]:
    """Returns the arrays of an HDF5 file by their names.

    Args:
        path: The file.
        check: Called with the shapes before any array is read; may raise.

    Raises:
        CheckpointError: The file is missing, damaged or not HDF5, differs from its
            checksum, or claims more data than it has.
    """
    file = pathlib.Path(path)
    if not file.is_file():
        problem = "is a folder, not a file" if file.is_dir() else "does not exist"
        raise CheckpointError(str(file), problem)
    try:
        _check_sum(file)
        with h5py.File(file, "r") as opened:
            datasets = _datasets(opened)
            _check_claims(datasets, file)
            check({name: item.shape for name, item in datasets.items()})
            return {name: np.asarray(item[()]) for name, item in datasets.items()}
    except CheckpointError:
        raise
    except Exception as error:  # A damaged file raises any type of error in h5py.
        reason = str(error).strip("'\"") or type(error).__name__
        raise _damaged(file, f"cannot be read: {reason}") from error


def _check_sum(file: pathlib.Path) -> None:
    """Raises CheckpointError if a file differs from the checksum at its end."""
    size = file.stat().st_size
    with open(file, "rb") as opened:
        if size < _LINE_SIZE:
            return
        opened.seek(size - _LINE_SIZE)
        line = opened.read()
        if not line.startswith(_MARK):
            return
        opened.seek(0)
        digest, left = hashlib.sha256(), size - _LINE_SIZE
        while left:
            block = opened.read(min(_BLOCK, left))
            if not block:
                break
            digest.update(block)
            left -= len(block)
    if digest.hexdigest().encode() != line[len(_MARK) : -1]:
        raise _damaged(file, "is damaged: its content differs from its checksum")


def _datasets(opened: h5py.File) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    opened.visititems(visit)
    return found


def _check_claims(datasets: Mapping[str, h5py.Dataset], file: pathlib.Path) -> None:
    """Raises CheckpointError for data that the file cannot contain."""
    limit = total = os.path.getsize(file)
    for name, item in datasets.items():
        if item.external or item.is_virtual:
            raise CheckpointError(str(file), f"{name} is stored in another file")
        if item.dtype.kind not in _KINDS or item.shape is None:
            raise CheckpointError(
                str(file), f"{name} has the type {item.dtype}, not numbers"
            )
        size = math.prod(item.shape) * item.dtype.itemsize
        if item.chunks:
            stored = item.id.get_storage_size()
            largest = max(size, math.prod(item.chunks) * item.dtype.itemsize)
            fits = stored <= limit and largest <= MAX_COMPRESSION * stored
        else:
            total -= size
            fits = total >= 0
        if not fits:
            raise _damaged(
                file,
                f"is damaged: it has {limit} bytes, but {name} claims the shape "
                f"{item.shape} of {item.dtype}",
            )


def _damaged(file: pathlib.Path, problem: str) -> CheckpointError:
    return CheckpointError(
        str(file), problem, hint="copy the file again, or use another checkpoint"
    )
