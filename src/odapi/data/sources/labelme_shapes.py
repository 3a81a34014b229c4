"""Shapes of LabelMe files: rectangles, polygons, circles, masks, points."""

import base64
import binascii
import functools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from odapi.data.mask_encoding import decode_png_mask, decode_segmentation
from odapi.data.numbers import number_of
from odapi.data.problems import Problems
from odapi.data.sources.base import Size
from odapi.data.sources.grouped_shapes import (
    Box,
    Shape,
    ShapeObject,
    grouped,
    pasted,
)

Json = dict[str, Any]

_POLYGONS = ("polygon", "rotation", "quadrilateral")  # The latter of X-AnyLabeling.
_WITH_AREA = ("rectangle", "circle", "mask", *_POLYGONS)
_NO_CLASS = ("", "__ignore__", "_background_")


def read_objects(
    shapes: Iterable[Any], name: str, problems: Problems
) -> list[ShapeObject]:
    """Returns the objects of a file.

    Points of a group are the keypoints of its only object.

    Args:
        shapes: The list in the file.
        name: Of the file, for messages.
        problems: Counts shapes that cannot be used.
    """
    areas, points = [], []
    for entry, kind, corners, where in _sound(shapes, name, problems):
        if kind == "point":
            points.append((entry, corners, where))
        else:
            areas.append(_shape(entry, kind, corners, where))
    found = grouped(areas)
    for entry, corners, where in points:
        label, group = _label(entry), _group(entry)
        own = [o for o in found if o.group == group] if group is not None else []
        if len(own) == 1 and label not in own[0].points:
            x, y = corners[0].tolist()
            own[0].shapes[0].points[label] = (y, x, 2.0)
        else:
            problems.found("shape of another kind", f"{where} (point)")
    return found


def _sound(
    shapes: Iterable[Any], name: str, problems: Problems
) -> Iterator[tuple[Json, str, np.ndarray, str]]:
    """Yields the shapes of known kinds with sound points and a class."""
    for number, entry in enumerate(shapes, 1):
        where = f"{name}, shape {number}"
        if not isinstance(entry, dict):
            problems.found("malformed box", where)
            continue
        kind = str(entry.get("shape_type") or "polygon")
        if kind not in _WITH_AREA and kind != "point":
            problems.found("shape of another kind", f"{where} ({kind})")
            continue
        points = _points(entry.get("points"))
        if points is None or len(points) < (1 if kind == "point" else 2):
            problems.found("malformed box", where)
        elif _label(entry) in _NO_CLASS:
            problems.found("object without class", where)
        else:
            yield entry, kind, points, where


def _label(entry: Json) -> str:
    label = entry.get("label")
    return "" if label is None else str(label).strip()


def _group(entry: Json) -> Any:
    value = entry.get("group_id")
    return str(value) if isinstance(value, list | dict) else value


def _points(values: Any) -> np.ndarray | None:
    """Returns points `[k, 2]`, or None if one is not a pair of finite numbers."""
    if not isinstance(values, list) or not values:
        return None
    if any(not isinstance(v, list) or len(v) != 2 for v in values):
        return None
    points = np.array([[number_of(x), number_of(y)] for x, y in values])
    return points if np.isfinite(points).all() else None


def _shape(entry: Json, kind: str, points: np.ndarray, where: str) -> Shape:
    mask_of = None
    if kind == "circle":
        mask_of = functools.partial(_circle_mask, points)
    elif kind == "mask":
        mask_of = functools.partial(_stored_mask, str(entry.get("mask") or ""), points)
    elif kind in _POLYGONS:
        flat = points.reshape(-1).tolist()
        mask_of = functools.partial(decode_segmentation, [flat])
    return Shape(
        where,
        _label(entry),
        _box(kind, points),
        mask_of,
        kind == "rectangle",
        _group(entry),
        values={"difficult": True} if entry.get("difficult") is True else {},
    )


def _box(kind: str, points: np.ndarray) -> Box:
    low, high = points.min(0), points.max(0)
    if kind == "circle":
        radius = math.dist(points[0], points[1])
        low, high = points[0] - radius, points[0] + radius
    if kind == "mask":
        high = high + 1  # The last pixel is part of it.
    return low[1], low[0], high[1], high[0]


def _circle_mask(points: np.ndarray, size: Size) -> np.ndarray:
    """Returns the mask of a circle: its center, and a point on it."""
    y, x = np.ogrid[: size[0], : size[1]]
    with np.errstate(over="ignore"):  # Far outside the image.
        distance = np.hypot(x + 0.5 - points[0, 0], y + 0.5 - points[0, 1])
    return (distance <= math.dist(points[0], points[1])).astype(np.uint8)


def _stored_mask(text: str, points: np.ndarray, size: Size) -> np.ndarray:
    """Returns the mask of a PNG in base64 that is as large as its box."""
    try:
        mask = decode_png_mask(base64.b64decode(text))
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from error
    left, top = np.floor(points.min(0)).astype(int).tolist()
    return pasted(mask, top, left, size)
