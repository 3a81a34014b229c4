"""Keypoints of the objects of a tf.Example.

The lists hold the keypoints of all objects in sequence, the same number for each, or
the numbers in `keypoint/num`. Whatever is ambiguous is left out, since a wrong border
would give keypoints to the next object.
"""

from typing import Any

import numpy as np

from odapi.data.tfrecord.feature_values import (
    ExampleError,
    checked,
    decoded,
    floats_of,
    numbers_of,
    values_of,
)
from odapi.wording import counted

POINTS = "image/object/keypoint/"
MALFORMED = "malformed keypoints"

# Kind of problem, and a description of the features.
Fault = tuple[str, str]


def read_keypoints(
    features: Any, count: int, faults: list[Fault]
) -> tuple[dict[str, np.ndarray], list[list[str]]]:
    """Reads keypoints, their visibility, depths and names.

    Args:
        features: Features by name.
        count: Number of objects.
        faults: Gets a row for keypoints that are left out.

    Returns:
        `keypoints [n, k, 2]` and `keypoint_visibility [n, k]` as stored, `[n, k]`
        depths and their weights if stored; and `[n][k]` names, empty without names.
        Objects with fewer keypoints than others are padded with NaN and "".
    """
    try:
        return _read(features, count, faults)
    except ExampleError as error:
        faults.append((MALFORMED, str(error)))
        return {}, []


def _read(
    features: Any, count: int, faults: list[Fault]
) -> tuple[dict[str, np.ndarray], list[list[str]]]:
    x, y = floats_of(features, POINTS + "x"), floats_of(features, POINTS + "y")
    if len(x) != len(y):
        raise ExampleError(f"{len(x)} x and {len(y)} y of keypoints")
    if not len(x) or not count:
        return {}, []
    texts = [decoded(text) for text in values_of(features, POINTS + "text")]
    if texts:
        checked(texts, len(x), POINTS + "text")
    places = _places(len(x), _widths(features, len(x), count, texts))
    points = np.stack([_placed(y, places), _placed(x, places)], -1)
    seen = floats_of(features, POINTS + "visibility")
    if len(seen):
        checked(seen, len(x), POINTS + "visibility")
    else:
        seen = np.where(np.isfinite(x) & np.isfinite(y), 2, 0).astype(np.float32)
    visibility = _placed(seen, places, 0)
    names = (
        [[texts[p] if p >= 0 else "" for p in row] for row in places] if texts else []
    )
    for i, row in enumerate(names):
        twice = next((n for n in row if n and row.count(n) > 1), None)
        if twice:
            visibility[i] = 0
            names[i] = [""] * len(row)
            faults.append((MALFORMED, f"object {i + 1}: two with the name {twice!r}"))
    found = {"keypoints": points, "keypoint_visibility": visibility}
    return found | _depths(features, len(x), places), names


def _widths(features: Any, total: int, count: int, texts: list[str]) -> list[int]:
    """Returns the number of keypoints of each object.

    `keypoint/num` is the number of labeled keypoints, as the original writes it, or of
    all that are stored.

    Raises:
        ExampleError: It cannot be known.
    """
    numbers = numbers_of(features, POINTS + "num", "int64").tolist()
    if len(numbers) == count and sum(numbers) == total and min(numbers) >= 0:
        return numbers
    if total % count:
        raise ExampleError(
            f"{POINTS}x: {counted(total, 'value')} for {counted(count, 'object')}"
        )
    widths = [total // count] * count
    if not numbers and texts and "" not in texts:
        runs = _runs_of_names(texts)
        if len(runs) == count and runs != widths:
            raise ExampleError(
                f"{POINTS}text: names repeat after {runs[0]}, not {widths[0]}; "
                f"{POINTS}num would tell the number of each object"
            )
    return widths


def _runs_of_names(texts: list[str]) -> list[int]:
    """Returns the lengths of the longest runs in which no name repeats."""
    runs: list[int] = []
    seen: set[str] = set()
    for text in texts:
        if text in seen or not runs:
            runs.append(0)
            seen = set()
        seen.add(text)
        runs[-1] += 1
    return runs


def _places(total: int, widths: list[int]) -> np.ndarray:
    """Returns `[n, k]`: the position of each keypoint in the lists, -1 for padding."""
    columns = np.arange(max(widths))
    starts = np.cumsum([0, *widths[:-1]])[:, None]
    return np.where(columns < np.array(widths)[:, None], starts + columns, -1)


def _placed(
    values: np.ndarray, places: np.ndarray, missing: float = np.nan
) -> np.ndarray:
    return np.where(places >= 0, values[places], missing).astype(np.float32)


def _depths(features: Any, total: int, places: np.ndarray) -> dict[str, np.ndarray]:
    """Returns depths and depth weights of keypoints, `[n, k]`."""
    depths = floats_of(features, POINTS + "z")
    if not len(depths):
        return {}
    weights = floats_of(features, POINTS + "z/weights")
    weights = weights if len(weights) else np.ones(total, np.float32)
    checked(depths, total, POINTS + "z")
    checked(weights, total, POINTS + "z/weights")
    return {
        "keypoint_depths": _placed(depths, places),
        "keypoint_depth_weights": _placed(weights, places, 0),
    }
