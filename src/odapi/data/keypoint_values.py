"""Keypoint values of annotations: one rule for all formats.

Sources store the numbers as they find them, with visibility as float, and `BaseSource`
applies `clean_keypoints` to every sample. A keypoint is labeled if its visibility is
above 0 and its position is finite; others have the position NaN.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from odapi.data.numbers import number_of
from odapi.data.problems import KEPT, Problems

_X, _Y = ("x", "X"), ("y", "Y")
_VISIBILITY = ("v", "visibility", "visible", "score", "confidence")
_MAX_VISIBILITY = 2
# Distances outside the image, relative to its size: counted, and unlabeled.
_OUTSIDE, _FAR = 0.1, 1.0


def flat_length(values: Any) -> int:
    """Returns the number of values of one keypoint list, 0 if it is not flat."""
    if not isinstance(values, list | tuple):
        return 0
    return 0 if any(isinstance(v, list | tuple | dict) for v in values) else len(values)


def are_triples(values: Sequence[Any]) -> bool:
    """Returns whether a flat list can be `x, y, visibility`, by its every third value.

    Visibility is 0, 1, 2 or a score, possibly -1, which coordinates rarely are.
    """
    if len(values) % 3:
        return False
    third = np.array([number_of(v) for v in values[2::3]])
    return not ((third > _MAX_VISIBILITY + 1) | (third < -1)).any()


def read_keypoints(
    values: Any, count: int, pairs: bool = True
) -> tuple[np.ndarray | None, bool]:
    """Reads the keypoints of an object from a JSON value.

    It is a flat list of `x, y, visibility` or of pairs, a list of these, or a list of
    dicts with x, y and visibility.

    Args:
        values: The JSON value.
        count: The number of keypoints of the class.
        pairs: Whether a flat list may consist of pairs.

    Returns:
        `[count, 3]` float64 x, y, visibility, with NaN for values that are not
        numbers, or None if it does not have `count` keypoints; and whether these are
        pairs, whose visibility is 2 except at (0, 0).
    """
    if isinstance(values, list) and len(values) == 3 * count:
        numbers = _as_numbers(values)  # True of nearly every object.
        if numbers is not None:
            return numbers.reshape(count, 3), False
    rows = _rows(values, count, pairs)
    if rows is None or len(rows) != count or len({len(r) for r in rows}) != 1:
        return None, False
    table = np.array([[number_of(v) for v in row] for row in rows], np.float64)
    if table.shape[1] == 3:
        return table, False
    visibility = np.where((table != 0).any(1), _MAX_VISIBILITY, 0)
    return np.column_stack([table, visibility]), True


def _as_numbers(values: list[Any]) -> np.ndarray | None:
    """Returns a flat list of numbers as float64, None if it is anything else."""
    try:
        array = np.array(values)
    except (ValueError, OverflowError):  # Lists of different lengths.
        return None
    is_flat = array.ndim == 1 and array.dtype.kind in "if"
    return array.astype(np.float64) if is_flat else None


def _rows(values: Any, count: int, pairs: bool) -> list[list[Any]] | None:
    """Returns one list of two or three values per keypoint; None if it has none."""
    if not isinstance(values, list | tuple) or not values:
        return None
    if len(values) == 1 and flat_length(values[0]) > 3:
        values = values[0]
    if all(isinstance(v, dict) for v in values):
        rows = [_row_of_dict(v) for v in values]
    elif all(isinstance(v, list | tuple) for v in values):
        rows = [list(v) for v in values]
    elif flat_length(values):
        paired = pairs and len(values) == 2 * count and not are_triples(values)
        width = 2 if paired else 3
        if len(values) % width:
            return None
        rows = [list(values[i : i + width]) for i in range(0, len(values), width)]
    else:
        return None
    return rows if all(len(row) in (2, 3) for row in rows) else None


def _row_of_dict(point: dict[str, Any]) -> list[Any]:
    found = [
        next((point[name] for name in names if name in point), None)
        for names in (_X, _Y, _VISIBILITY)
    ]
    if not any(name in point for name in _VISIBILITY):
        found.pop()
    return found


def clean_keypoints(
    points: np.ndarray,
    visibility: np.ndarray | None,
    problems: Problems,
    where: Callable[[int], str],
) -> tuple[np.ndarray, np.ndarray]:
    """Decides which keypoints are labeled.

    Args:
        points: `[n, k, 2]`, normalized y and x.
        visibility: `[n, k]` as annotated; None: 2 where positions are finite.
        problems: Counts what is changed, once per object and kind.
        where: Returns the name of the object with an index, for messages.

    Returns:
        Positions `[n, k, 2]` float32, NaN if unlabeled, and visibility `[n, k]` int32:
        0, 1 or 2.
    """
    with np.errstate(over="ignore"):  # Infinite positions are counted.
        points = np.array(points, np.float32)
    finite = np.isfinite(points).all(-1)
    if visibility is None:
        visibility = np.where(finite, _MAX_VISIBILITY, 0)
    seen = np.asarray(visibility, np.float64)
    lost = ~(seen >= 0) | ((seen > 0) & ~finite)
    odd = ~lost & (seen != 0) & (seen != 1) & (seen != _MAX_VISIBILITY)
    if lost.any():
        unknown = np.where(seen > 0, np.nan, seen)  # The position is not known.
        _count(lost, unknown, "unusable keypoint", problems, where)
    if odd.any():
        _count(odd, seen, "visibility other than 0, 1, 2", problems, where)
    labels = np.where(odd, _MAX_VISIBILITY, np.where(lost, 0, seen)).astype(np.int32)
    points[labels == 0] = np.nan
    _drop_far(points, labels, problems, where)
    return points, labels


def _drop_far(
    points: np.ndarray,
    labels: np.ndarray,
    problems: Problems,
    where: Callable[[int], str],
) -> None:
    """Makes keypoints far outside the image unlabeled, in place."""
    beyond = np.maximum(-points, points - 1).max(-1)
    outside = beyond > _OUTSIDE  # Comparisons with NaN are False.
    if not outside.any():
        return
    far = beyond > _FAR
    points[far], labels[far] = np.nan, 0
    kind = "keypoint outside the image"
    for i in np.flatnonzero(outside.any(1)):
        if far[i].any():
            problems.found(kind, where(int(i)))
        if (outside[i] & ~far[i]).any():
            problems.add(kind, KEPT, where(int(i)))


def _count(
    found: np.ndarray,
    values: np.ndarray,
    kind: str,
    problems: Problems,
    where: Callable[[int], str],
) -> None:
    for i in np.flatnonzero(found.any(1)):
        k = int(np.flatnonzero(found[i])[0])
        value = f"{values[i, k]:.4g}"
        problems.found(kind, f"{where(int(i))}, keypoint {k + 1} ({value})")


def count_outside_boxes(
    points: np.ndarray,
    boxes: np.ndarray,
    problems: Problems,
    where: Callable[[int], str],
) -> None:
    """Counts objects most of whose keypoints are far from their box.

    Args:
        points: `[n, k, 2]`, normalized; NaN if unlabeled.
        boxes: `[n, 4]`, normalized.
        problems: Counts the objects.
        where: Returns the name of the object with an index.
    """
    # Twice as large as the box: annotators draw boxes around visible parts only.
    margin = (boxes[:, 2:] - boxes[:, :2]) / 2
    low, high = (
        boxes[:, None, :2] - margin[:, None],
        boxes[:, None, 2:] + margin[:, None],
    )
    labeled = np.isfinite(points).all(-1)
    outside = labeled & ((points < low) | (points > high)).any(-1)
    has_area = (boxes[:, 2:] > boxes[:, :2]).all(1)
    apart = has_area & (2 * outside.sum(1) > labeled.sum(1))
    for i in np.flatnonzero(apart):
        problems.found("keypoints outside their box", where(int(i)))
