"""Text on images, in the fonts of OpenCV 5: any size, most scripts.

Right-to-left text and emoji are converted; see `odapi.draw.drawn_text`.
"""

import bisect
import functools

import cv2
import numpy as np

from odapi.draw.colors import Color
from odapi.draw.drawn_text import cached_drawn_text

_WEIGHT = 500  # Between regular and semibold: legible at 10 pixels.


@functools.cache
def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")


@functools.lru_cache(maxsize=4096)
def has_glyph(character: str) -> bool:
    """Returns whether the font has a character: it draws "?" for others."""
    if character.isascii() or character.isspace():
        return True
    return not np.array_equal(_drawn(character), _drawn("?"))


def _drawn(character: str) -> np.ndarray:
    canvas = np.zeros((40, 60, 3), np.uint8)
    white = (255, 255, 255)
    cv2.putText(canvas, character, (5, 30), white, _font(), 24, _WEIGHT)
    return canvas


def text_size(text: str, height: int) -> tuple[int, int]:
    """Returns (width, ascent) in pixels of a line of text with a font height."""
    text = cached_drawn_text(text, has_glyph)
    # The image size only affects wrapping; a large one disables it.
    _, _, width, _ = cv2.getTextSize(
        (1 << 20, 1 << 20), text, (0, 0), _font(), height, _WEIGHT
    )
    return int(width), round(0.74 * height)  # Capitals and digits of this font.


def put_text(
    image: np.ndarray, text: str, left: int, baseline: int, height: int, color: Color
) -> None:
    """Writes one line into `image` (RGB, changed in place)."""
    text = cached_drawn_text(text, has_glyph)
    cv2.putText(
        image,
        text,
        (int(left), int(baseline)),
        color,
        _font(),
        int(height),
        _WEIGHT,
        cv2.PUT_TEXT_ALIGN_LEFT,
        (0, 1 << 20),
    )


def fit_text(text: str, height: int, width: int) -> str:
    """Returns `text`, shortened with an ellipsis so that it is at most `width` wide.

    >>> fit_text("a very long name of a file.jpg", 12, 70)
    'a very lon…'
    """
    longest = max(width, 1)  # No character is narrower than a pixel.
    if len(text) <= longest and text_size(text, height)[0] <= width:
        return text

    def is_too_wide(end: int) -> bool:
        return text_size(text[:end].rstrip() + "…", height)[0] > width

    ends = range(1, min(len(text), longest + 1))
    end = bisect.bisect_left(ends, True, key=is_too_wide)
    return text[:end].rstrip() + "…" if end else ""
