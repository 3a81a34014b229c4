"""Text on images, in the fonts of OpenCV 5: any script, any size."""

import functools

import cv2
import numpy as np

from odapi.draw.colors import Color

_WEIGHT = 500  # Between regular and semibold: legible at 10 pixels.


@functools.cache
def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")


def text_size(text: str, height: int) -> tuple[int, int]:
    """Returns (width, ascent) in pixels of a line of text with a font height."""
    # The image size only affects wrapping; a large one disables it.
    _, _, width, _ = cv2.getTextSize(
        (1 << 20, 1 << 20), text, (0, 0), _font(), height, _WEIGHT
    )
    return int(width), round(0.74 * height)  # Capitals and digits of this font.


def put_text(
    image: np.ndarray, text: str, left: int, baseline: int, height: int, color: Color
) -> None:
    """Writes one line into `image` (RGB, changed in place)."""
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
    if text_size(text, height)[0] <= width:
        return text
    for end in range(len(text) - 1, 0, -1):
        shorter = text[:end].rstrip() + "…"
        if text_size(shorter, height)[0] <= width:
            return shorter
    return ""
