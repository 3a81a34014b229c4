"""Masks of one image that are decoded when they are looked at, one at a time.

A hundred masks of 12 megapixels take a gigabyte; what a model sees of them takes a
few megabytes.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

# Decodes a mask, uint8 [h, w] in {0, 1}.
Decode = Callable[[], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class LazyMasks:
    """Looks like an array uint8 `[n, h, w]`; as a whole it is made at need only.

    Args:
        decoders: A function an object, called at each look; None: the mask is empty.
        size: Height and width.
        turned: Rows and columns change places after decoding.
    """

    decoders: tuple[Decode | None, ...]
    size: tuple[int, int]
    turned: bool = False

    dtype = np.dtype(np.uint8)
    ndim = 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """Objects, height and width, as of an array."""
        height, width = self.size
        return (len(self.decoders), *((width, height) if self.turned else self.size))

    def __len__(self) -> int:
        return len(self.decoders)

    def __getitem__(self, index: Any) -> "np.ndarray | LazyMasks":
        """Returns one mask, or for a slice, a list or flags the masks of some."""
        if isinstance(index, int | np.integer):
            return self._mask(self.decoders[index])
        rows = np.arange(len(self))[index]
        if rows.ndim != 1:
            raise IndexError("masks are picked by object only")
        chosen = tuple(self.decoders[i] for i in rows)
        return dataclasses.replace(self, decoders=chosen)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self._mask(decode) for decode in self.decoders)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = np.zeros(self.shape, np.uint8)
        for row, mask in zip(whole, self, strict=True):
            row[...] = mask
        return whole if dtype is None else whole.astype(dtype)

    def swapaxes(self, first: int, second: int) -> "LazyMasks":
        """Returns the masks with rows and columns exchanged."""
        if {first % 3, second % 3} != {1, 2}:
            raise ValueError("only rows and columns can be exchanged")
        return dataclasses.replace(self, turned=not self.turned)

    def _mask(self, decode: Decode | None) -> np.ndarray:
        if decode is None:
            return np.zeros(self.shape[1:], np.uint8)
        mask = decode()
        return np.ascontiguousarray(mask.T) if self.turned else mask
