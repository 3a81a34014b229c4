"""Label placement that hides as little of the image as possible."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from odapi.draw.text import fit_text, text_size
from odapi.geometry.overlap import pairwise_overlap_area

# Maximum hidden part of a label; beyond it, the label is omitted.
_MAX_HIDDEN = 0.25
_SMALLEST = 9  # Pixels; smaller letters are illegible.
_SHRINK = 0.75  # Tried if the label does not fit.


class Label(NamedTuple):
    """A line of text on a filled box."""

    owner: int  # Index of the object.
    text: str
    box: tuple[int, int, int, int]  # top, left, bottom, right in pixels, end exclusive
    height: int  # Of the font.
    margin: int


def place_labels(
    boxes: np.ndarray,
    captions: Sequence[str],
    image_size: tuple[int, int],
    height: int,
) -> list[Label]:
    """Returns the labels that fit, in the order of `captions`.

    Earlier objects are placed first. A label is placed above, below, beside or, as a
    last resort, inside its box.

    Args:
        boxes: `[n, 4]` int, top, left, bottom, right in pixels, end inclusive.
        captions: Text of each; "" for none.
        image_size: (height, width) in pixels.
        height: Of the font, in pixels.
    """
    placed: list[Label] = []
    areas = np.asarray(boxes, float).reshape(-1, 4) + [0, 0, 1, 1]
    for index, caption in enumerate(captions):
        if not caption:
            continue
        taken = np.array([label.box for label in placed], float).reshape(-1, 4)
        for size in dict.fromkeys((height, max(_SMALLEST, int(_SHRINK * height)))):
            label, hidden = _best(index, caption, areas, taken, image_size, size)
            if label is not None and hidden <= _MAX_HIDDEN:
                placed.append(label)
                break
    return placed


def _best(
    index: int,
    caption: str,
    areas: np.ndarray,
    taken: np.ndarray,
    image_size: tuple[int, int],
    height: int,
) -> tuple[Label | None, float]:
    """Returns the label at its best position, and its hidden part."""
    margin = max(2, height // 5)
    text = fit_text(caption, height, image_size[1] - 2 * margin)
    if not text:
        return None, 1.0
    text_width, ascent = text_size(text, height)
    size = (ascent + 2 * margin, text_width + 2 * margin)
    if size[0] > image_size[0]:
        return None, 1.0
    places = _places(areas[index], size, image_size)  # [8, 4]
    hidden = pairwise_overlap_area(places, taken).sum(axis=1) / (size[0] * size[1])
    # Relative to the area of each hidden object, so that small ones count most.
    object_areas = np.maximum(np.prod(areas[:, 2:] - areas[:, :2], axis=-1), 1.0)
    covers = (pairwise_overlap_area(places, areas) / object_areas).sum(axis=1)
    cost = 3.0 * hidden + covers + 0.02 * np.arange(len(places))
    best = int(np.argmin(cost))
    top, left, bottom, right = (int(v) for v in places[best])
    label = Label(index, text, (top, left, bottom, right), height, margin)
    return label, float(hidden[best])


def _places(
    box: np.ndarray, size: tuple[int, int], image_size: tuple[int, int]
) -> np.ndarray:
    """Returns candidate boxes `[8, 4]` of a label, the preferred first."""
    y0, x0, y1, x1 = box
    height, width = size
    corners = np.array(
        [
            [y0 - height, x0],
            [y0 - height, x1 - width],
            [y1, x0],
            [y1, x1 - width],
            [y0, x1],
            [y0, x0 - width],
            [y0, x0],
            [y1 - height, x0],
        ]
    )
    # Moved into the image, where hiding objects increases the cost.
    limit = np.array(image_size) - size
    corners = np.clip(corners, 0, np.maximum(limit, 0))
    return np.concatenate([corners, corners + size], axis=-1)
