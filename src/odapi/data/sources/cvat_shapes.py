"""Shapes of CVAT's XML: boxes, polygons, ellipses, masks and skeletons."""

import functools
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

import numpy as np

from odapi.data.image.limit import max_image_pixels
from odapi.data.mask_encoding import decode_segmentation
from odapi.data.numbers import number_of
from odapi.data.problems import Problems
from odapi.data.sources.base import MaskOf, Size
from odapi.data.sources.grouped_shapes import Box, NamedPoints, Shape, pasted

Element = ElementTree.Element

_NO_OBJECTS = ("points", "polyline", "cuboid")
_TRUE = ("1", "true", "yes")

# Attribute of an object -> field of a sample; as CVAT names them in imports of
# COCO and Pascal VOC.
_FLAGS = {"difficult": "difficult", "is_crowd": "is_crowd", "iscrowd": "is_crowd"}


def read_shape(
    element: Element, label: str, where: str, problems: Problems
) -> Shape | None:
    """Returns the shape of an element; None if it makes no object.

    Args:
        element: `box`, `polygon`, `ellipse`, `mask`, `skeleton`, or another one.
        label: The class.
        where: For messages.
        problems: Counts elements that cannot be used.
    """
    if element.tag in _NO_OBJECTS:
        problems.found("shape of another kind", f"{where} ({element.tag})")
        return None
    if element.tag == "tag":
        problems.found("image label", where)
        return None
    if element.tag not in _READERS:
        return None
    if not label:
        problems.found("object without class", where)
        return None
    points: NamedPoints = {}
    if element.tag == "skeleton":
        points = _skeleton(element)
        box, mask_of = _around(list(points.values())), None
    else:
        box, mask_of = _READERS[element.tag](element)
    if not np.isfinite(box).all():
        problems.found("malformed box", where)
        return None
    group = element.get("group_id", "0")
    return Shape(
        where,
        label,
        box,
        mask_of,
        element.tag == "box",
        None if group in ("", "0") else group,
        points,
        _values(element),
    )


def _values(element: Element) -> dict[str, bool | int]:
    values: dict[str, bool | int] = {}
    for attribute in element.iterfind("attribute"):
        name = attribute.get("name", "").strip().lower()
        text = (attribute.text or "").strip().lower()
        if name in _FLAGS:
            values[_FLAGS[name]] = text in _TRUE
        elif name == "track_id" and text.isdecimal() and int(text) < 2**31:
            values["track_ids"] = int(text)
    return values


def _number(element: Element, name: str) -> float:
    return number_of(element.get(name))


def _rectangle(element: Element) -> tuple[Box, MaskOf | None]:
    left, top, right, bottom = (
        _number(element, side) for side in ("xtl", "ytl", "xbr", "ybr")
    )
    angle = number_of(element.get("rotation", "0"))
    if not angle or not np.isfinite([left, top, right, bottom, angle]).all():
        return (top, left, bottom, right), None
    turn = math.radians(angle)
    width, height = abs(right - left), abs(bottom - top)
    half_x = (abs(math.cos(turn)) * width + abs(math.sin(turn)) * height) / 2
    half_y = (abs(math.sin(turn)) * width + abs(math.cos(turn)) * height) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return (y - half_y, x - half_x, y + half_y, x + half_x), None


def _polygon(element: Element) -> tuple[Box, MaskOf | None]:
    corners = _corners(element)
    flat = [side for y, x, _ in corners for side in (x, y)]
    return _around(corners), functools.partial(decode_segmentation, [flat])


def _corners(element: Element) -> list[tuple[float, float, float]]:
    """Returns y, x and 2 of each pair in `points="x,y;x,y"`; NaN if malformed."""
    corners = []
    for pair in element.get("points", "").split(";"):
        numbers = [number_of(part) for part in pair.split(",")]
        x, y = numbers if len(numbers) == 2 else (math.nan, math.nan)
        corners.append((y, x, 2.0))
    return corners


def _around(points: Sequence[tuple[float, float, float]]) -> Box:
    """Returns the box around points; NaN without points."""
    if not points:
        return math.nan, math.nan, math.nan, math.nan
    array = np.array(points)
    low, high = array.min(0).tolist(), array.max(0).tolist()
    return low[0], low[1], high[0], high[1]


def _ellipse(element: Element) -> tuple[Box, MaskOf | None]:
    x, y, across, down = (_number(element, name) for name in ("cx", "cy", "rx", "ry"))
    turn = math.radians(number_of(element.get("rotation", "0")))
    if not np.isfinite([x, y, across, down, turn]).all():
        return _around(()), None
    half_x = math.hypot(across * math.cos(turn), down * math.sin(turn))
    half_y = math.hypot(across * math.sin(turn), down * math.cos(turn))
    box = (y - half_y, x - half_x, y + half_y, x + half_x)
    return box, functools.partial(_ellipse_mask, (x, y), (across, down), turn)


def _ellipse_mask(
    center: tuple[float, float], radii: tuple[float, float], turn: float, size: Size
) -> np.ndarray:
    if not all(radii):
        raise ValueError("an ellipse without area")
    y, x = np.ogrid[: size[0], : size[1]]
    right, down = x + 0.5 - center[0], y + 0.5 - center[1]
    with np.errstate(over="ignore", invalid="ignore"):  # Far outside the image.
        along = (right * math.cos(turn) + down * math.sin(turn)) / radii[0]
        across = (down * math.cos(turn) - right * math.sin(turn)) / radii[1]
        return (along**2 + across**2 <= 1).astype(np.uint8)


def _mask(element: Element) -> tuple[Box, MaskOf | None]:
    left, top, width, height = (
        _number(element, name) for name in ("left", "top", "width", "height")
    )
    box = (top, left, top + height, left + width)
    if not np.isfinite(box).all():
        return box, None
    place = (int(top), int(left), int(height), int(width))
    return box, functools.partial(_decode_runs, element.get("rle", ""), place)


def _decode_runs(text: str, place: tuple[int, int, int, int], size: Size) -> np.ndarray:
    """Returns the mask of row-wise run lengths within a box, of which the first is 0.

    Raises:
        ValueError: The runs do not fill the box.
    """
    top, left, height, width = place
    if not 0 < height * width <= max_image_pixels():
        raise ValueError(f"a mask of {height} x {width}")
    runs = np.array([int(run) for run in text.split(",") if run.strip()], np.int64)
    if (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"run lengths sum to {runs.sum()}, not to {height} x {width}")
    values = (np.arange(len(runs)) % 2).astype(np.uint8)
    return pasted(np.repeat(values, runs).reshape(height, width), top, left, size)


def _skeleton(element: Element) -> NamedPoints:
    """Returns the keypoints of a skeleton; those outside the image are left out."""
    found: NamedPoints = {}
    for point in element.iterfind("points"):
        if point.get("outside") == "1" or not point.get("label"):
            continue
        y, x, _ = _corners(point)[0]
        visibility = 1.0 if point.get("occluded") == "1" else 2.0
        found[point.get("label", "")] = (y, x, visibility)
    return found


_READERS = {
    "box": _rectangle,
    "polygon": _polygon,
    "ellipse": _ellipse,
    "mask": _mask,
    "skeleton": _rectangle,  # Its keypoints are read instead.
}
