"""Outlines of masks as polygons that decode to the same pixels."""

import numpy as np


def outline(mask: np.ndarray) -> np.ndarray:
    """Returns the border of a mask as one polygon along the edges of its pixels.

    Several parts and holes are joined by lines that lead there and back, which enclose
    nothing: COCO's polygons are filled by the even-odd rule.

    Args:
        mask: `[h, w]`, 0 where there is no object.

    Returns:
        Corners `[n, 2]` int, x and y in pixels; empty for an empty mask.
    """
    inside = np.pad(np.asarray(mask) != 0, 1)
    rows = inside[1:] ^ inside[:-1]
    # A corner of the border belongs to one or three of the four pixels around it.
    y, x = np.nonzero(rows[:, 1:] ^ rows[:, :-1])
    if not len(x):
        return np.zeros((0, 2), np.int64)
    rings = _rings(_partners(y, x), _partners(x, y))
    start = rings[0][:1]
    closed = [np.concatenate([ring, ring[:1], start]) for ring in rings[1:]]
    order = np.concatenate([rings[0], *([start] if closed else []), *closed])
    return np.column_stack([x, y])[order]


def _partners(line: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Returns the other end of the edge of each corner along its row or column."""
    order = np.lexsort((position, line))
    partners = np.empty_like(order)
    partners[order[0::2]] = order[1::2]
    partners[order[1::2]] = order[0::2]
    return partners


def _rings(along_row: np.ndarray, along_column: np.ndarray) -> list[np.ndarray]:
    """Returns the corners of each closed ring, in order."""
    rows, columns = along_row.tolist(), along_column.tolist()
    seen = [False] * len(rows)
    rings = []
    for first in range(len(rows)):
        ring: list[int] = []
        corner = first
        while not seen[corner]:
            other = rows[corner]
            seen[corner] = seen[other] = True
            ring += (corner, other)
            corner = columns[other]
        if ring:
            rings.append(np.array(ring))
    return rings
