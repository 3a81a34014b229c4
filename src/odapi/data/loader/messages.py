"""Messages between processes: pickles in a pipe, large arrays in shared memory."""

import mmap
import os
import pathlib
import pickle
import struct
import tempfile
from typing import IO, Any

import numpy as np

_SIZE = struct.Struct("<q")
# Smaller arrays are sent in the pickle.
_LARGE = 1 << 14
_MEMORY = pathlib.Path("/dev/shm")  # A folder in memory, on Linux.


def send(pipe: IO[bytes], message: Any, arrays: "Writable | None" = None) -> None:
    """Writes a message.

    Args:
        pipe: Unbuffered.
        message: Anything that can be pickled.
        arrays: Memory for large arrays, until the next message; None sends them
            through the pipe.
    """
    large: list[pickle.PickleBuffer] = []

    def keep_small(buffer: pickle.PickleBuffer) -> bool:
        if arrays is None or buffer.raw().nbytes < _LARGE:
            return True
        large.append(buffer)
        return False

    pickled = pickle.dumps(message, protocol=5, buffer_callback=keep_small)
    sizes = arrays.put([buffer.raw() for buffer in large]) if arrays else []
    head = pickle.dumps(sizes)
    frame = [_SIZE.pack(len(head)), _SIZE.pack(len(pickled)), head, pickled]
    data = memoryview(b"".join(frame))
    while data.nbytes:
        data = data[pipe.write(data) :]


def receive(pipe: IO[bytes], arrays: "Readable | None" = None) -> Any:
    """Reads a message.

    Raises:
        EOFError: The other process has ended.
    """
    sizes = _read(pipe, 2 * _SIZE.size)
    (head,), (length,) = _SIZE.iter_unpack(sizes)
    data = memoryview(_read(pipe, head + length))
    large = pickle.loads(data[:head])
    buffers = arrays.take(large) if arrays else []
    return pickle.loads(data[head:], buffers=buffers)


def _read(pipe: IO[bytes], size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view.nbytes:
        count = pipe.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        view = view[count:]
    return data


class Writable:
    """Shared memory that another process reads; grows as needed.

    Attributes:
        path: The file of the memory; the reader deletes it when it opens it, so that no
            kill leaves it behind.
    """

    def __init__(self) -> None:
        folder = _MEMORY if os.access(_MEMORY, os.W_OK) else None
        self._file, self.path = tempfile.mkstemp(prefix="odapi-", dir=folder)
        self._map: mmap.mmap | None = None

    def put(self, arrays: list[memoryview]) -> list[int]:
        """Overwrites the memory with arrays; returns their sizes in bytes."""
        sizes = [array.nbytes for array in arrays]
        total = sum(sizes)
        if total and (self._map is None or total > len(self._map)):
            os.ftruncate(self._file, total)
            self._map = mmap.mmap(self._file, total)
        start = 0
        for array, size in zip(arrays, sizes, strict=True):
            self._map[start : start + size] = array  # type: ignore[index]
            start += size
        return sizes


class Readable:
    """The reading side of a `Writable`; deletes its file."""

    def __init__(self, path: str):
        self._file = os.open(path, os.O_RDWR)
        os.unlink(path)
        self._map: mmap.mmap | None = None

    def take(self, sizes: list[int]) -> list[np.ndarray]:
        """Returns copies of the arrays of these sizes, as bytes."""
        total = sum(sizes)
        if total and (self._map is None or total > len(self._map)):
            self._map = mmap.mmap(self._file, total)
        ends = np.cumsum(sizes, dtype=int).tolist()
        return [
            np.frombuffer(self._map, np.uint8, size, end - size).copy()  # type: ignore[arg-type]
            for size, end in zip(sizes, ends, strict=True)
        ]

    def close(self) -> None:
        """Releases the memory."""
        os.close(self._file)
        self._map = None
