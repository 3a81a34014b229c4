"""Where labels stand on an image, so that they hide as little as possible."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from odapi.draw.text import fit_text, text_size
from odapi.geometry.overlap import pairwise_overlap_area

# Of a label, what may lie under other labels before it is left out.
_MOST_HIDDEN = 0.25
_SMALLEST = 9  # Pixels; below, letters of this font run together.
_SHRINK = 0.75  # Tried where there is no room.


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
    """Returns the labels that find a place, in the order of `captions`.

    Earlier objects choose first. A label stands above, below, beside or, where
    nothing else is left, inside of its box.

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
            if label is not None and hidden <= _MOST_HIDDEN:
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
    """The label at its best place, and the part of it that other labels hide."""
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
    # What it hides of each object, as a part of that object: small ones weigh most.
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
    """Boxes `[8, 4]` of a label of `size` around an object, best liked first."""
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
    # Pushed back into the image, where what it then hides makes it cost more.
    limit = np.array(image_size) - size
    corners = np.clip(corners, 0, np.maximum(limit, 0))
    return np.concatenate([corners, corners + size], axis=-1)
