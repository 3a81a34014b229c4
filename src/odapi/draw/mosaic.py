"""Grids of images."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from odapi.draw.colors import INK, WHITE
from odapi.draw.image import as_rgb
from odapi.draw.text import fit_text, put_text, text_size
from odapi.wording import counted


def mosaic(
    images: Sequence[np.ndarray],
    captions: Sequence[str] = (),
    *,
    columns: int = 0,
    cell: int = 320,
    gap: int = 6,
) -> np.ndarray:
    """Returns a grid of images, each scaled with its aspect ratio.

    Args:
        images: `[h, w, 3]` uint8 RGB, of any sizes.
        captions: One line below each image; optional.
        columns: Number of columns; 0 makes the grid slightly wider than high.
        cell: Pixels of the longer side of each image.
        gap: Pixels between images.

    Raises:
        ValueError: There is no image, or the number of captions differs.
    """
    if not len(images):
        raise ValueError("a mosaic needs at least one image")
    if len(captions) not in (0, len(images)):
        raise ValueError(
            f"{counted(len(captions), 'caption')} for {counted(len(images), 'image')}"
        )
    shown = [_fitted(as_rgb(image), cell) for image in images]
    high = max(image.shape[0] for image in shown)
    wide = max(image.shape[1] for image in shown)
    font = max(11, cell // 24)
    line = text_size("X", font)[1] + 2 * gap if len(captions) else 0
    columns = columns or max(1, round(math.sqrt(len(shown) * 1.4 * high / wide)))
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    canvas = np.empty(
        (gap + rows * (high + line + gap), gap + columns * (wide + gap), 3), np.uint8
    )
    canvas[:] = WHITE
    for n, image in enumerate(shown):
        row, column = divmod(n, columns)
        top = gap + row * (high + line + gap)
        left = gap + column * (wide + gap)
        y = top + (high - image.shape[0]) // 2
        x = left + (wide - image.shape[1]) // 2
        canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
        if len(captions):
            text = fit_text(captions[n], font, wide)
            put_text(canvas, text, left, top + high + line - gap, font, INK)
    return canvas


def _fitted(image: np.ndarray, cell: int) -> np.ndarray:
    height, width = image.shape[:2]
    scale = cell / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=interpolation)
