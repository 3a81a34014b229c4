"""Objects of the quick start's images: handwritten digits or drawn shapes."""

import dataclasses
import importlib.util
from collections.abc import Callable

import cv2
import numpy as np

from odapi.errors import MissingPackageError, unknown_choice

_DIGITS = ("zero", "one", "two", "three", "four")
_SHAPE_SIZE = 48  # Pixels of a drawn shape, enough for the largest object.
_SHAPES_PER_CLASS = 60  # Different drawings per shape, before the split.
_HELD_OUT = 0.25


@dataclasses.dataclass(frozen=True)
class Glyphs:
    """Masks of single objects.

    Args:
        names: Names of the classes.
        masks: `[n, s, s]` float32 in 0..1, the coverage of each pixel; a border
            of one pixel is empty, so that enlarged strokes have smooth edges.
        classes: `[n]` int32, index into `names`.
    """

    names: tuple[str, ...]
    masks: np.ndarray
    classes: np.ndarray


def has_digits() -> bool:
    """Returns whether the package with the handwritten digits is installed."""
    return importlib.util.find_spec("sklearn") is not None


def load(kind: str, split: str) -> Glyphs:
    """Returns the objects of a split: no mask of `train` is in `val`.

    Args:
        kind: "digits" (handwritten, from scikit-learn) or "shapes" (drawn here).
        split: "train" or "val".

    Raises:
        ConfigError: The kind or the split is unknown.
        MissingPackageError: scikit-learn is not installed, for digits.
    """
    if kind not in _KINDS:
        raise unknown_choice("quickstart objects", kind, _KINDS)
    if split not in ("train", "val"):
        raise unknown_choice("quickstart split", split, ("train", "val"))
    glyphs = _KINDS[kind]()
    rows = np.concatenate(
        [
            _part(np.flatnonzero(glyphs.classes == c), split)
            for c in range(len(glyphs.names))
        ]
    )
    return dataclasses.replace(
        glyphs, masks=glyphs.masks[rows], classes=glyphs.classes[rows]
    )


def _part(rows: np.ndarray, split: str) -> np.ndarray:
    # The digits are ordered by writer: the last quarter is by other writers.
    cut = round(len(rows) * (1 - _HELD_OUT))
    return rows[:cut] if split == "train" else rows[cut:]


def _digits() -> Glyphs:
    if not has_digits():
        raise MissingPackageError("quickstart digits", "scikit-learn", "quickstart")
    from sklearn.datasets import load_digits

    data = load_digits()
    # Five classes instead of ten, to train within minutes.
    rows = data.target < len(_DIGITS)
    masks = np.pad(data.images[rows] / 16.0, ((0, 0), (1, 1), (1, 1)))
    classes = data.target[rows].astype(np.int32)
    return Glyphs(_DIGITS, masks.astype(np.float32), classes)


def _shapes() -> Glyphs:
    rng = np.random.default_rng(0)
    masks: list[np.ndarray] = []
    for draw in _DRAW.values():
        different: dict[bytes, np.ndarray] = {}
        while len(different) < _SHAPES_PER_CLASS:
            mask = _draw_shape(draw, rng)
            different[mask.tobytes()] = mask
        masks.extend(different.values())
    classes = np.repeat(np.arange(len(_DRAW), dtype=np.int32), _SHAPES_PER_CLASS)
    return Glyphs(tuple(_DRAW), np.stack(masks), classes)


def _draw_shape(draw: Callable, rng: np.random.Generator) -> np.ndarray:
    """Draws at four times the size and shrinks: soft edges."""
    size = 4 * _SHAPE_SIZE
    canvas = np.zeros((size, size), np.uint8)
    draw(canvas, rng)
    mask = cv2.resize(canvas, (_SHAPE_SIZE, _SHAPE_SIZE), interpolation=cv2.INTER_AREA)
    return np.pad(mask.astype(np.float32) / 255, 1)


def _regular(corners: int, inner: float = 1.0) -> Callable:
    """Returns a function that draws a polygon, or a star where `inner` < 1."""

    def draw(canvas: np.ndarray, rng: np.random.Generator) -> None:
        size = len(canvas)
        turns = np.arange(corners) / corners + rng.uniform(-0.06, 0.06) - 0.25
        radii = np.where(np.arange(corners) % 2, inner, 1.0) * 0.48 * size
        points = np.stack(
            [np.cos(turns * 2 * np.pi) * radii, np.sin(turns * 2 * np.pi) * radii], 1
        )
        points += rng.uniform(-0.02, 0.02, points.shape) * size + size / 2
        cv2.fillPoly(canvas, [points.astype(np.int32)], 255)

    return draw


def _circle(canvas: np.ndarray, rng: np.random.Generator) -> None:
    size = len(canvas)
    axes = (rng.uniform(0.40, 0.48, 2) * size).astype(int).tolist()
    turn = rng.uniform(0, 180)
    cv2.ellipse(canvas, (size // 2, size // 2), axes, turn, 0, 360, 255, -1)


def _ring(canvas: np.ndarray, rng: np.random.Generator) -> None:
    _circle(canvas, rng)
    size = len(canvas)
    hole = round(rng.uniform(0.2, 0.28) * size)
    cv2.circle(canvas, (size // 2, size // 2), hole, 0, -1)


def _cross(canvas: np.ndarray, rng: np.random.Generator) -> None:
    size = len(canvas)
    halves = (rng.uniform(0.08, 0.16, 2) * size).astype(int).tolist()
    ends = (rng.uniform(0.42, 0.48, 2) * size).astype(int).tolist()
    middle = size // 2
    for half_x, half_y in ((ends[0], halves[0]), (halves[1], ends[1])):
        first = (middle - half_x, middle - half_y)
        cv2.rectangle(canvas, first, (middle + half_x, middle + half_y), 255, -1)


_DRAW: dict[str, Callable] = {
    "circle": _circle,
    "ring": _ring,
    "triangle": _regular(3),
    "square": _regular(4),
    "star": _regular(10, inner=0.4),
    "cross": _cross,
}
_KINDS: dict[str, Callable[[], Glyphs]] = {"digits": _digits, "shapes": _shapes}
