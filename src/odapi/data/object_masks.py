"""Masks of objects on their image: what fits it, and boxes made from masks."""

import cv2
import numpy as np

from odapi.data.clean import Size, same_shape
from odapi.data.mask_encoding import resize_mask
from odapi.data.problems import DROPPED, Problems

_MIN_INSIDE = 0.5  # Share of a mask's pixels in its box.


def fit_mask(
    mask: np.ndarray,
    size: Size,
    box: np.ndarray | None,
    problems: Problems,
    where: str,
    may_be_empty: bool = False,
) -> np.ndarray:
    """Returns a mask at the size of its image; an unusable one becomes empty.

    Args:
        mask: `[h, w]` uint8, the whole image at any scale.
        size: (height, width) of the image.
        box: Normalized box of the object; None if it has none.
        problems: Counts masks that are empty, of another shape than the image, or
            mostly outside the box.
        where: The object, for messages.
        may_be_empty: Whether an empty mask stands for none and is not counted.
    """
    empty = np.zeros(size, np.uint8)
    if not _is_rescaled(mask.shape, size):
        height, width = mask.shape
        place = f"{where} ({height} x {width}, image {size[0]} x {size[1]})"
        problems.found("mask of another shape", place)
        return empty
    scaled = mask.shape != tuple(size)
    mask = resize_mask(mask, size)
    total = cv2.countNonZero(mask)
    if not total and not may_be_empty:
        problems.found("empty mask", where)
    elif box is not None and _inside(mask, box) < _MIN_INSIDE * total:
        if scaled:  # More likely the box alone, of the same shape as the image.
            problems.add("mask outside its box", DROPPED, where)
            return empty
        problems.found("mask outside its box", where)
    return mask


def _is_rescaled(shape: tuple[int, ...], size: Size) -> bool:
    """Returns whether a mask can be the image at another scale, rounded to pixels."""
    if len(shape) != 2 or 0 in shape:
        return False
    if same_shape((shape[0], shape[1]), size):
        return True
    low = max((side - 1) / whole for side, whole in zip(shape, size, strict=True))
    high = min((side + 1) / whole for side, whole in zip(shape, size, strict=True))
    return low < high


def _inside(mask: np.ndarray, box: np.ndarray) -> int:
    """Returns the number of pixels in a box, which is extended to whole pixels."""
    height, width = mask.shape
    y_min, x_min = np.floor(box[:2] * [height, width]).astype(int).clip(0)
    y_max, x_max = np.ceil(box[2:] * [height, width]).astype(int)
    part = mask[y_min:y_max, x_min:x_max]
    return cv2.countNonZero(np.ascontiguousarray(part)) if part.size else 0


def box_of_mask(mask: np.ndarray) -> np.ndarray | None:
    """Returns the normalized box around the pixels of a mask; None if it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    box = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1], np.float64)
    return box / np.tile(mask.shape, 2)


def box_of_keypoints(points: np.ndarray) -> np.ndarray | None:
    """Returns the box around keypoints `[k, 2]`; None if they span no area.

    Args:
        points: Normalized y and x; NaN if unlabeled.
    """
    labeled = points[np.isfinite(points).all(-1)].astype(np.float64)
    if not len(labeled):
        return None
    low, high = labeled.min(0), labeled.max(0)
    return np.concatenate([low, high]) if (high > low).all() else None


def lack_boxes(boxes: np.ndarray) -> np.ndarray:
    """Returns `[n]` bool: boxes with a side that is not finite, or without area."""
    finite = np.isfinite(boxes).all(1)
    return np.asarray(~finite | (boxes[:, 2:] == boxes[:, :2]).any(1))
