"""Masks of boxes pasted onto whole images with NumPy, as windows and as COCO RLE.

No full-size image is allocated per mask: 100 masks of 4000 x 3000 pixels would take a
gigabyte. A mask is a window of the image that its box covers, and is encoded as the run
lengths of COCO: column by column, beginning with a run of zeros.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

Rle = dict[str, Any]  # {"size": [h, w], "counts": str}


class MaskWindow(NamedTuple):
    """The part of a mask that its box covers; outside of it the mask is 0."""

    top: int
    left: int
    pixels: np.ndarray  # [h, w] bool


def paste_masks(
    masks: np.ndarray,
    boxes: np.ndarray,
    size: tuple[int, int],
    threshold: float = 0.5,
) -> Iterator[MaskWindow]:
    """Yields masks of boxes as windows of an image, one at a time.

    The first and last row of a mask lie on the edges of its box, and 0 and 1 of the
    boxes on the centers of the image's first and last row. In between, masks are
    interpolated bilinearly; pixels above the threshold are True.

    Args:
        masks: `[n, h, w]`, float, or integers if they are binary already.
        boxes: `[n, 4]` normalized to the image.
        size: Height and width of the image, in pixels.
        threshold: Interpolated values must be above it.

    Source: the original's `utils/ops.py`, `reframe_box_masks_to_image_masks`, and the
    threshold of `eval_util.py`.
    """
    masks = np.asarray(masks)
    for mask, box in zip(masks, np.asarray(boxes, np.float64), strict=True):
        top, rows = _axis(box[0], box[2], mask.shape[0], size[0])
        left, columns = _axis(box[1], box[3], mask.shape[1], size[1])
        # Column by column, like run lengths; matrix products are faster than gathering.
        values = columns @ (rows @ np.asarray(mask, np.float32)).T
        yield MaskWindow(top, left, (values > threshold).T)


def paste_window(window: MaskWindow, size: tuple[int, int]) -> np.ndarray:
    """Pastes a window onto an empty image; returns `[h, w]` uint8 in {0, 1}."""
    whole = np.zeros(size, np.uint8)
    top, left, pixels = window
    whole[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return whole


def run_lengths(window: MaskWindow, size: tuple[int, int]) -> list[int]:
    """Returns the run lengths of the mask of a whole image.

    >>> run_lengths(MaskWindow(1, 1, np.array([[True], [True]])), (4, 3))
    [5, 2, 5]
    """
    height, width = size
    top, left, pixels = window
    # An additional row of zeros terminates the runs of each column.
    columns = np.zeros((pixels.shape[1], pixels.shape[0] + 1), bool)
    columns[:, :-1] = pixels.T
    flat = columns.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size and flat[0]:
        changes = np.concatenate([[0], changes])
    column, row = np.divmod(changes, pixels.shape[0] + 1)
    at = (left + column) * height + top + row
    if pixels.shape[0] == height and len(at) > 2:
        # A run at the end of a column continues at the start of the next.
        same = np.flatnonzero(at[1:-1:2] == at[2::2])
        at = np.delete(at, np.concatenate([2 * same + 1, 2 * same + 2]))
    ends = np.concatenate([[0], at, [height * width]])
    counts = np.diff(ends)
    # A mask that includes the last pixel has no zeros after it.
    counts = counts[:-1] if counts[-1] == 0 and len(at) else counts
    return [int(count) for count in counts]


def window_rle(window: MaskWindow, size: tuple[int, int]) -> Rle:
    """Returns the compressed RLE of a mask, its counts as str for JSON."""
    return compress_rle(run_lengths(window, size), size)


def compress_rle(counts: list[int], size: tuple[int, int]) -> Rle:
    """Returns the compressed RLE of run lengths, its counts as str for JSON."""
    from hotcoco import mask

    height, width = (int(side) for side in size)
    made = mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    text = made["counts"]
    return {
        "size": [height, width],
        "counts": text.decode("ascii") if isinstance(text, bytes) else text,
    }


def _axis(first: float, last: float, cells: int, length: int) -> tuple[int, np.ndarray]:
    """Returns the first pixel that a box covers, and the interpolation weights.

    Weights are `[pixels, cells]`: of each cell of the mask in each pixel.
    """
    if not (np.isfinite(first) and np.isfinite(last)) or last <= first:
        return 0, np.zeros((0, cells), np.float32)
    if length == 1:
        low, places = 0, np.array([0.5])
        places = places[(places >= first) & (places <= last)]
    else:
        low = max(int(np.ceil(first * (length - 1) - 1e-6)), 0)
        high = min(int(np.floor(last * (length - 1) + 1e-6)), length - 1)
        places = np.arange(low, high + 1) / (length - 1)
    places = np.clip((places - first) / (last - first), 0, 1) * (cells - 1)
    weights = 1 - np.abs(places[:, None] - np.arange(cells))
    return low, np.maximum(weights, 0).astype(np.float32)
