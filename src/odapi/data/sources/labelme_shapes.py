"""Shapes of LabelMe files as objects: boxes, masks and keypoints."""

import base64
import binascii
import collections
import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from odapi.data.mask_encoding import decode_png_mask, decode_segmentation
from odapi.data.numbers import number_of
from odapi.data.problems import Problems
from odapi.data.sources.base import MaskOf, Size

Json = dict[str, Any]
Box = tuple[float, float, float, float]  # Pixels: top, left, bottom, right.

_POLYGONS = ("polygon", "rotation", "quadrilateral")  # The latter of X-AnyLabeling.
_WITH_AREA = ("rectangle", "circle", "mask", *_POLYGONS)
_NO_CLASS = ("", "__ignore__", "_background_")


@dataclasses.dataclass
class Shape:
    """A shape of a file.

    Args:
        number: Place in the file, from 1.
        label: The class, or the name of a keypoint.
        kind: "rectangle", "polygon", "circle", "mask" or "point".
        points: `[k, 2]`, x and y in pixels.
        group: `group_id`; None for a shape of its own.
        is_difficult: Flag of X-AnyLabeling.
        mask: Base64 of a PNG within the box, for "mask".
    """

    number: int
    label: str
    kind: str
    points: np.ndarray
    group: Any
    is_difficult: bool
    mask: str


@dataclasses.dataclass
class LabelMeObject:
    """An object: shapes of one class and one group.

    Args:
        label: The class.
        shapes: Its shapes, in order; not empty.
        points: Keypoints by name: y, x, visibility.
    """

    label: str
    shapes: list[Shape]
    points: dict[str, tuple[float, float, float]] = dataclasses.field(
        default_factory=dict
    )

    @property
    def number(self) -> int:
        """Place of its first shape in the file, from 1."""
        return self.shapes[0].number

    def box(self) -> Box:
        """Returns the box: that of its rectangle, or else around all shapes."""
        boxes = [_box(s) for s in self.shapes if s.kind == "rectangle"]
        boxes = boxes or [_box(s) for s in self.shapes]
        low, high = np.array(boxes).min(0), np.array(boxes).max(0)
        return (*low[:2].tolist(), *high[2:].tolist())  # type: ignore[return-value]

    def mask_of(self) -> MaskOf | None:
        """Returns the decoder of the mask: all shapes but rectangles."""
        shapes = [s for s in self.shapes if s.kind != "rectangle"]
        return functools.partial(_union, shapes) if shapes else None


def read_objects(
    shapes: Iterable[Any], name: str, problems: Problems
) -> list[LabelMeObject]:
    """Returns the objects of a file.

    Shapes of one class and one group are one object, unless they are several
    rectangles. Points of a group are the keypoints of its only object.

    Args:
        shapes: The list in the file.
        name: Of the file, for messages.
        problems: Counts shapes that cannot be used.
    """
    found: list[LabelMeObject] = []
    grouped: dict[Any, list[LabelMeObject]] = collections.defaultdict(list)
    points = []
    for shape in _sound(shapes, name, problems):
        if shape.kind == "point":
            points.append(shape)
            continue
        own = grouped[shape.group] if shape.group is not None else []
        same = [o for o in own if o.label == shape.label and _fits(o, shape)]
        if same:
            same[0].shapes.append(shape)
            continue
        found.append(LabelMeObject(shape.label, [shape]))
        own.append(found[-1])
    for shape in points:
        own = grouped.get(shape.group, []) if shape.group is not None else []
        if len(own) == 1 and shape.label not in own[0].points:
            x, y = shape.points[0].tolist()
            own[0].points[shape.label] = (y, x, 2.0)
        else:
            where = f"{name}, shape {shape.number} (point)"
            problems.found("shape of another kind", where)
    return found


def _fits(found: LabelMeObject, shape: Shape) -> bool:
    is_second = any(s.kind == "rectangle" for s in found.shapes)
    return not (shape.kind == "rectangle" and is_second)


def _sound(shapes: Iterable[Any], name: str, problems: Problems) -> Iterator[Shape]:
    """Yields the shapes of known kinds with sound points and a class."""
    for number, entry in enumerate(shapes, 1):
        where = f"{name}, shape {number}"
        if not isinstance(entry, dict):
            problems.found("malformed box", where)
            continue
        kind = str(entry.get("shape_type") or "polygon")
        label = entry.get("label")
        label = "" if label is None else str(label).strip()
        if kind not in _WITH_AREA and kind != "point":
            problems.found("shape of another kind", f"{where} ({kind})")
            continue
        points = _points(entry.get("points"))
        if points is None or len(points) < {"point": 1, "circle": 2}.get(kind, 2):
            problems.found("malformed box", where)
            continue
        if label in _NO_CLASS:
            problems.found("object without class", where)
            continue
        yield Shape(
            number,
            label,
            "polygon" if kind in _POLYGONS else kind,
            points,
            _group(entry.get("group_id")),
            entry.get("difficult") is True,
            str(entry.get("mask") or ""),
        )


def _group(value: Any) -> Any:
    return str(value) if isinstance(value, list | dict) else value


def _points(values: Any) -> np.ndarray | None:
    """Returns points `[k, 2]`, or None if one is not a pair of finite numbers."""
    if not isinstance(values, list) or not values:
        return None
    pairs = [v for v in values if isinstance(v, list) and len(v) == 2]
    if len(pairs) != len(values):
        return None
    points = np.array([[number_of(x), number_of(y)] for x, y in pairs])
    return points if np.isfinite(points).all() else None


def _box(shape: Shape) -> Box:
    low, high = shape.points.min(0), shape.points.max(0)
    if shape.kind == "circle":
        center, radius = _circle(shape)
        low, high = center - radius, center + radius
    if shape.kind == "mask":
        high = high + 1  # The last pixel is part of it.
    return low[1], low[0], high[1], high[0]


def _circle(shape: Shape) -> tuple[np.ndarray, float]:
    """Returns center and radius; the second point lies on the circle."""
    center = shape.points[0]
    return center, math.dist(center, shape.points[1])


def _union(shapes: Iterable[Shape], size: Size) -> np.ndarray:
    """Returns the mask of all shapes.

    Raises:
        ValueError: One of them has no mask.
    """
    total = np.zeros(size, np.uint8)
    for shape in shapes:
        if shape.kind == "circle":
            center, radius = _circle(shape)
            y, x = np.ogrid[: size[0], : size[1]]
            inside = np.hypot(x + 0.5 - center[0], y + 0.5 - center[1]) <= radius
            total |= inside.astype(np.uint8)
        elif shape.kind == "mask":
            _paste(total, shape)
        else:
            total |= decode_segmentation([shape.points.reshape(-1).tolist()], size)
    return total


def _paste(total: np.ndarray, shape: Shape) -> None:
    """Adds a mask that is stored within its box."""
    try:
        mask = decode_png_mask(base64.b64decode(shape.mask, validate=False))
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from error
    left, top = np.floor(shape.points.min(0)).astype(int)
    rows = slice(max(top, 0), max(top + mask.shape[0], 0))
    columns = slice(max(left, 0), max(left + mask.shape[1], 0))
    part = total[rows, columns]
    inside = mask[max(-top, 0) :, max(-left, 0) :]
    part |= inside[: part.shape[0], : part.shape[1]]
