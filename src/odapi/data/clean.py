"""Validation and repair of annotated boxes."""

import math
from collections.abc import Callable

import numpy as np

from odapi.data.image.header import Header
from odapi.data.problems import KEPT, Problems

_ASPECT_TOLERANCE = 0.01  # Of a rescaled image, from rounding its size.
_PIXEL = 0.999  # Pixels; sides of one pixel are not exact in float32.
_ROUNDING = 0.5  # Pixels by which a box may exceed the image without being counted.

Size = tuple[int, int]


def annotated_size(height: float, width: float) -> Size | None:
    """Returns the size of an image that an annotation gives, in pixels.

    Returns:
        (height, width), or None if it is unknown: below 1, which some tools write, or
        no finite number.
    """
    known = all(1 <= side < math.inf for side in (height, width))
    return (int(height), int(width)) if known else None


def clean_boxes(
    boxes: np.ndarray,
    size: Size,
    problems: Problems,
    where: Callable[[int], str],
) -> tuple[np.ndarray, np.ndarray]:
    """Repairs boxes where possible, and decides which to keep.

    Args:
        boxes: `[n, 4]` float, normalized `[y_min, x_min, y_max, x_max]`.
        size: (height, width) of the image in pixels, for the tolerance.
        problems: Counts everything that is changed or dropped.
        where: Returns the name of the box with an index, for messages.

    Returns:
        Boxes `[n, 4]` float32 within [0, 1], and `[n]` bool: the boxes to keep.
    """
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    clipped = np.clip(boxes, 0.0, 1.0).astype(np.float32)
    low, high = clipped[:, :2], clipped[:, 2:]
    sound = np.asarray(np.isfinite(boxes).all(1) & (high > low).all(1))
    unit = np.array([*size, *size], np.float64)
    large = ((high - low) * unit[:2] >= _PIXEL).all()
    if sound.all() and large and (np.abs(boxes - clipped) * unit <= _ROUNDING).all():
        return clipped, sound  # True of nearly every image.
    keep = np.ones(len(boxes), bool)
    for i, box in enumerate(boxes):
        for kind in _repair(box, unit):
            problems.found(kind, where(i))
            keep[i] = keep[i] and kind not in _UNUSABLE
    boxes[~keep] = 0.0
    return boxes.astype(np.float32), keep


_UNUSABLE = ("NaN box", "box outside the image", "box without area")


def _repair(box: np.ndarray, unit: np.ndarray) -> list[str]:
    """Repairs one box in place; returns the kinds of problems found."""
    if not np.isfinite(box).all():
        return ["NaN box"]
    found = []
    low, high = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
    if (low != box[:2]).any():
        found.append("inverted box")
    if (low == high).any():
        return [*found, "box without area"]
    if (low >= 1).any() or (high <= 0).any():
        return [*found, "box outside the image"]
    box[:] = np.concatenate([low, high])
    clipped = np.clip(box, 0.0, 1.0)
    if (np.abs(box - clipped) * unit > _ROUNDING).any():
        found.append("box beyond the image")
    box[:] = clipped
    # A side may become 0 in float32.
    if not (np.float32(box[2:]) > np.float32(box[:2])).all():
        found.append("box without area")
    elif ((box[2:] - box[:2]) * unit[:2] < _PIXEL).any():
        found.append("box smaller than a pixel")
    return found


def reference_size(
    header: Header, annotated: Size | None, problems: Problems, image_id: str
) -> tuple[bool, Size]:
    """Decides whether to apply the EXIF orientation of an image.

    It is applied unless the annotated size shows that the boxes were drawn on the
    pixels as they are stored.

    Args:
        header: Of the image, with its size.
        annotated: (height, width) that the annotation gives, or None.
        problems: Counts rotated images and wrong sizes.
        image_id: For `problems`.

    Returns:
        Whether to apply the orientation, and the (height, width) that the pixel
        coordinates of the annotation refer to.
    """
    shown, stored = header.shown_size, header.stored_size
    if shown is None or stored is None:
        raise ValueError("the header has no size")
    turn, reference = True, shown
    if annotated is not None and annotated != shown:
        if annotated == stored:
            turn, reference = False, stored
        else:
            problems.found("wrong image size", image_id)
            if same_shape(annotated, shown):
                reference = annotated
            elif same_shape(annotated, stored):
                turn, reference = False, annotated
    if header.orientation != 1:
        if turn:
            problems.found("EXIF orientation", image_id)
        else:
            problems.add("EXIF orientation", KEPT, image_id)
    return turn, reference


def same_shape(size: Size, other: Size) -> bool:
    """Returns whether one size is the other rescaled, up to rounding."""
    ratio = size[0] * other[1] / max(size[1] * other[0], 1)
    return abs(ratio - 1) <= _ASPECT_TOLERANCE
