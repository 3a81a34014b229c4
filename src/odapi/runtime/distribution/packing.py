"""Values as bytes, for other processes: JSON, with arrays behind it.

No pickle: what comes over a network must not run code.
"""

import json
import struct
from typing import Any

import numpy as np

_LENGTH = struct.Struct("<q")
_ARRAY = "\0array"


def pack(value: Any) -> bytes:
    """Returns a value as bytes.

    Args:
        value: Of dicts with string keys, lists, strings, numbers, booleans, None and
            NumPy arrays of numbers. Tuples become lists.
    """
    arrays: list[np.ndarray] = []
    head = json.dumps(_without_arrays(value, arrays)).encode()
    return b"".join([_LENGTH.pack(len(head)), head, *(a.tobytes() for a in arrays)])


def unpack(data: bytes) -> Any:
    """Returns the value that `pack` got."""
    (length,) = _LENGTH.unpack_from(data)
    start = _LENGTH.size + length
    return _with_arrays(json.loads(data[_LENGTH.size : start]), data, [start])


def _without_arrays(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, dict):
        return {str(k): _without_arrays(v, arrays) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(v, arrays) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"an array of {array.dtype} cannot be sent")
        arrays.append(array)
        return {_ARRAY: [array.dtype.str, array.shape]}
    return value


def _with_arrays(value: Any, data: bytes, place: list[int]) -> Any:
    """Puts the arrays back, in order; `place` has the byte at which the next begins."""
    if isinstance(value, list):
        return [_with_arrays(v, data, place) for v in value]
    if not isinstance(value, dict):
        return value
    if value.keys() != {_ARRAY}:
        return {k: _with_arrays(v, data, place) for k, v in value.items()}
    name, shape = value[_ARRAY]
    dtype, count = np.dtype(name), int(np.prod(shape, dtype=int))
    array = np.frombuffer(data, dtype, count, place[0]).reshape(shape).copy()
    place[0] += array.nbytes
    return array
