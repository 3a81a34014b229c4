"""Masks of one image that are decoded one at a time, on access.

A hundred masks of 12 megapixels take a gigabyte; after resizing, they take a few
megabytes.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from odapi.data.image import warp
from odapi.data.image.warp import Axis

# Decodes a mask, uint8 [h, w] in {0, 1}.
Decode = Callable[[], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class LazyMasks:
    """An array-like uint8 `[n, h, w]` whose masks are decoded on access.

    Args:
        decoders: One function per object, called on access; None: the mask is empty.
        size: Height and width.
        transposed: Whether rows and columns are exchanged after decoding.
    """

    decoders: tuple[Decode | None, ...]
    size: tuple[int, int]
    transposed: bool = False

    dtype = np.dtype(np.uint8)
    ndim = 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of objects, height and width, as of an array."""
        height, width = self.size
        return (
            len(self.decoders),
            *((width, height) if self.transposed else self.size),
        )

    def __len__(self) -> int:
        return len(self.decoders)

    def __getitem__(self, index: Any) -> "np.ndarray | LazyMasks":
        """Returns one mask, or those of a slice, a list of indices or flags."""
        if isinstance(index, int | np.integer):
            return self._mask(self.decoders[index])
        rows = np.arange(len(self))[index]
        if rows.ndim != 1:
            raise IndexError("masks can be indexed by object only")
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
        return dataclasses.replace(self, transposed=not self.transposed)

    def _mask(self, decode: Decode | None) -> np.ndarray:
        if decode is None:
            return np.zeros(self.shape[1:], np.uint8)
        mask = decode()
        return np.ascontiguousarray(mask.T) if self.transposed else mask


def sampled_masks(masks: Any, rows: Axis, columns: Axis) -> LazyMasks:
    """Returns `masks [n, h, w]` on the grid of two axes, each sampled on access.

    Args:
        masks: An array, or `LazyMasks`.
        rows, columns: The sampling grid, see `LazyImage`.
    """
    decoders = (
        functools.partial(_sampled, masks, index, rows, columns)
        for index in range(len(masks))
    )
    return LazyMasks(tuple(decoders), (rows.size, columns.size))


def _sampled(masks: Any, index: int, rows: Axis, columns: Axis) -> np.ndarray:
    return warp.sample_masks(masks[index : index + 1], rows, columns)[0]
