"""Lines of YOLO label files: boxes, polygons, and boxes with keypoints."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from odapi.data.mask_encoding import decode_segmentation
from odapi.data.problems import Problems
from odapi.data.sources.base import MaskOf
from odapi.data.sources.yolo_keypoints import KeypointShape
from odapi.errors import DataError
from odapi.wording import counted

# A polygon may exceed its image a little; a visibility of 2 or a pixel is beyond.
_LOW, _HIGH = -0.5, 1.5
_BOX = 4  # Numbers of a box; a confidence may follow.
_ROUNDING = 1e-6  # Of coordinates that are written with few digits.

Box = tuple[float, float, float, float]


@dataclasses.dataclass
class Row:
    """The object of one line.

    Args:
        box: Normalized `(y_min, x_min, y_max, x_max)`.
        mask_of: Decoder of its polygon, or None.
        points: `[k, 3]` x, y and visibility, or None without keypoints.
    """

    box: Box
    mask_of: MaskOf | None = None
    points: np.ndarray | None = None


class LineReader:
    """Converts the numbers of a line to an object.

    Args:
        keypoints: The keypoints of objects, or None.
        problems: Counts malformed boxes, masks and keypoints.
    """

    def __init__(self, keypoints: KeypointShape | None, problems: Problems):
        self.keypoints = keypoints
        self.problems = problems

    def read(self, texts: Sequence[str], where: str) -> Row | None:
        """Returns an object, or None if its box is malformed.

        Args:
            texts: The numbers after the class.
            where: The line, for messages.
        """
        values = [_number(text) for text in texts]
        needed = _BOX if self.keypoints or len(values) <= _BOX + 1 else len(values)
        for text, value in zip(texts[:needed], values, strict=False):
            if value is None:
                self._malformed(where, f"{text!r} is no number")
                return None
        if len(values) < _BOX:
            self._malformed(where, f"{counted(len(values), 'number')}, a box has 4")
            return None
        if self.keypoints:
            return self._with_keypoints(values, where)
        if len(values) <= _BOX + 1:
            return Row(_box(values))
        return self._polygon(np.array(values, np.float64), where)

    def _with_keypoints(self, values: list[float | None], where: str) -> Row:
        row = Row(_box(values))
        shape = self.keypoints
        if shape is None or len(values) <= _BOX + 1:
            return row
        given, expected = values[_BOX:], shape.count * shape.dimensions
        if len(given) != expected:
            self.problems.found(
                "malformed keypoints",
                f"{where} ({counted(len(given), 'number')} of keypoints, kpt_shape "
                f"says "
                f"{expected})",
            )
        elif None in given:
            self.problems.found("malformed keypoints", f"{where} (no number)")
        else:
            row.points = _points(given, shape)
        return row

    def _polygon(self, values: np.ndarray, where: str) -> Row | None:
        """Returns an object with a mask; the box is that of the polygon."""
        is_odd = len(values) % 2 == 1
        polygon = values[: len(values) - is_odd].reshape(-1, 2)
        if polygon.min() < _LOW or polygon.max() > _HIGH:
            self._malformed(
                where,
                f"{counted(len(values), 'number')}, neither a box nor a polygon, whose "
                "coordinates are 0 to 1; keypoints need kpt_shape",
            )
            return None
        low, high = polygon.min(0), polygon.max(0)
        row = Row((low[1], low[0], high[1], high[0]))
        if is_odd:
            self.problems.found(
                "malformed mask",
                f"{where} ({counted(len(values), 'number')}, but a polygon has pairs)",
            )
        else:
            row.mask_of = functools.partial(_polygon_mask, polygon)
        return row

    def _malformed(self, where: str, reason: str) -> None:
        self.problems.found("malformed box", f"{where} ({reason})")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _box(values: Sequence[float | None]) -> Box:
    x, y, width, height = (float(v or 0) for v in values[:_BOX])
    return y - height / 2, x - width / 2, y + height / 2, x + width / 2


def _polygon_mask(polygon: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    scaled = polygon * np.array(size[::-1], np.float64)
    return decode_segmentation([scaled.reshape(-1)], size)


def _points(values: Sequence[float | None], shape: KeypointShape) -> np.ndarray:
    """Returns `[k, 3]`: x, y, visibility; of pairs, all but (0, 0) are visible."""
    given = np.array(values, np.float64).reshape(shape.count, shape.dimensions)
    if shape.dimensions == 3:
        return given
    visibility = np.where((given != 0).any(1), 2, 0)
    return np.column_stack([given, visibility])


class KeypointGuess:
    """Recognizes lines of keypoints in a dataset without `kpt_shape`.

    Read as polygons, they would become masks and boxes of the whole image.
    """

    _SHARE = 0.9  # Of the lines; some keypoints lie outside of their box.

    def __init__(self) -> None:
        self._lengths: set[int] = set()
        self._first = ""
        self._lines = self._visible = self._triples = self._pairs = 0
        self._contained = self._polygons = 0

    def add(self, texts: Sequence[str], where: str) -> None:
        """Adds the numbers of a line, without its class."""
        if len(texts) <= _BOX + 1 or len(self._lengths) > 1:
            return
        self._lengths.add(len(texts))
        self._first = self._first or where
        values = np.array([_number(text) for text in texts], np.float64)
        self._lines += 1
        rest = values[_BOX:]
        if len(rest) % 3 == 0:
            points = rest.reshape(-1, 3)
            if np.isin(points[:, 2], (0, 1, 2)).all():
                self._triples += 1
                self._visible += bool((points[:, 2] == 2).any())
                self._contained += _contains(values[:_BOX], points[:, :2])
        if len(rest) % 2 == 0 and _contains(values[:_BOX], rest.reshape(-1, 2)):
            self._pairs += 1
            self._polygons += _is_polygon(values.reshape(-1, 2))

    def check(self, name: str) -> None:
        """Raises an error if the lines are keypoints.

        Args:
            name: Name of the dataset, for the message.

        Raises:
            DataError: Names the first line and the `kpt_shape` that it suggests.
        """
        dimensions = self._dimensions()
        if dimensions is None:
            return
        (length,) = self._lengths
        count = (length - _BOX) // dimensions
        raise DataError(
            name,
            f"{length} numbers per object, as in {self._first}, look like a box and "
            f"{counted(count, 'keypoint')}, not like a polygon; kpt_shape is missing",
            hint=f"write kpt_shape: [{count}, {dimensions}] in data.yaml; if they are "
            "polygons, add the option lines=polygons to the path",
        )

    def _dimensions(self) -> int | None:
        if len(self._lengths) != 1:
            return None
        enough = self._SHARE * self._lines
        if self._triples == self._lines and (
            self._visible or self._contained >= enough
        ):
            return 3
        # Small polygons near the center of the image pass as a box with keypoints.
        are_polygons = self._polygons >= self._SHARE * self._pairs
        return 2 if self._pairs >= enough and not are_polygons else None


def _contains(box: np.ndarray, points: np.ndarray) -> bool:
    """Returns whether four numbers are a box within the image that has the points."""
    center, size = box[:2], box[2:]
    low, high = center - size / 2, center + size / 2
    margin = 0.05 * size + 1e-3
    if not ((size > 0) & (low > -0.01) & (high < 1.01)).all():
        return False
    known = points[(points != 0).any(1)]
    return bool(((known >= low - margin) & (known <= high + margin)).all())


def _is_polygon(points: np.ndarray) -> bool:
    """Returns whether points `[k, 2]` are a polygon rather than a box and keypoints.

    It is convex, as are most polygons that all have the same number of corners, and its
    second point, which would be the size of a box, is near the others.
    """
    others = np.delete(points, 1, axis=0)
    low, high = others.min(0), others.max(0)
    margin = 2 * (high - low).max()
    is_near = ((points[1] >= low - margin) & (points[1] <= high + margin)).all()
    if not is_near or (points == 0).all(1).any():  # (0, 0): an unlabeled keypoint.
        return False
    edges = (np.roll(points, -1, axis=0) - points)[:, None]
    offsets = points[None] - points[:, None]
    # [edge, point]: negative to the left of an edge, positive to the right.
    sides = edges[..., 0] * offsets[..., 1] - edges[..., 1] * offsets[..., 0]
    return bool((sides > -_ROUNDING).all() or (sides < _ROUNDING).all())
