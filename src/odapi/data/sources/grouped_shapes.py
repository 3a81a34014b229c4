"""Shapes of annotation tools as objects: boxes, masks and keypoints of one group."""

import collections
import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from odapi.data.sources.base import MaskOf, Size

Box = tuple[float, float, float, float]  # Pixels: top, left, bottom, right.
NamedPoints = dict[str, tuple[float, float, float]]  # y, x, visibility by name.


@dataclasses.dataclass
class Shape:
    """A shape with an area, or a skeleton.

    Args:
        where: Name for messages.
        label: The class.
        box: Around the shape.
        mask_of: Decoder of its mask; None for a rectangle and a skeleton.
        is_box: Whether it is a rectangle, which gives the box of its object.
        group: Shapes of one class and one group are one object; None for a shape of
            its own.
        points: Keypoints.
        values: Fields of a sample, such as `difficult`.
    """

    where: str
    label: str
    box: Box
    mask_of: MaskOf | None = None
    is_box: bool = False
    group: Any = None
    points: NamedPoints = dataclasses.field(default_factory=dict)
    values: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class ShapeObject:
    """An object: shapes of one class and one group.

    Args:
        shapes: Its shapes, in order; not empty.
    """

    shapes: list[Shape]

    @property
    def label(self) -> str:
        """The class."""
        return self.shapes[0].label

    @property
    def where(self) -> str:
        """Name for messages."""
        return self.shapes[0].where

    @property
    def group(self) -> Any:
        """The group of its shapes, or None."""
        return self.shapes[0].group

    @property
    def points(self) -> NamedPoints:
        """The keypoints of its shapes."""
        return {k: v for shape in self.shapes for k, v in shape.points.items()}

    @property
    def box(self) -> Box:
        """The box: that of its rectangle, or else around all shapes."""
        boxes = [s.box for s in self.shapes if s.is_box]
        array = np.array(boxes or [s.box for s in self.shapes])
        low, high = array[:, :2].min(0).tolist(), array[:, 2:].max(0).tolist()
        return low[0], low[1], high[0], high[1]

    def mask_of(self) -> MaskOf | None:
        """Returns the decoder of the mask: the union of those of its shapes."""
        masks = [s.mask_of for s in self.shapes if s.mask_of is not None]
        return functools.partial(_union, masks) if masks else None

    def value(self, key: str, default: Any) -> Any:
        """Returns the value of a field, of the first shape that has it."""
        return next((s.values[key] for s in self.shapes if key in s.values), default)


def _union(masks: Iterable[MaskOf], size: Size) -> np.ndarray:
    total = np.zeros(size, np.uint8)
    for mask_of in masks:
        total |= mask_of(size)
    return total


def grouped(shapes: Iterable[Shape]) -> list[ShapeObject]:
    """Returns the objects of shapes, in the order of their first shapes.

    Shapes of one class and one group are one object, but several rectangles are
    several objects.
    """
    found: list[ShapeObject] = []
    groups: dict[Any, list[ShapeObject]] = collections.defaultdict(list)
    for shape in shapes:
        own = groups[shape.group, shape.label] if shape.group is not None else []
        fitting = [o for o in own if not (shape.is_box and _has_box(o))]
        if fitting:
            fitting[0].shapes.append(shape)
        else:
            found.append(ShapeObject([shape]))
            own.append(found[-1])
    return found


def _has_box(found: ShapeObject) -> bool:
    return any(shape.is_box for shape in found.shapes)


def pasted(mask: np.ndarray, top: int, left: int, size: Size) -> np.ndarray:
    """Returns a mask of an image that has `mask` with its first pixel at top, left.

    What lies outside the image is cut.
    """
    whole = np.zeros(size, np.uint8)
    rows = slice(max(top, 0), max(top + mask.shape[0], 0))
    columns = slice(max(left, 0), max(left + mask.shape[1], 0))
    part = whole[rows, columns]
    inside = mask[max(-top, 0) :, max(-left, 0) :]
    part[:] = inside[: part.shape[0], : part.shape[1]]
    return whole
