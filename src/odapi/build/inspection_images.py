"""Images of what `odapi data inspect` found: pairs of images, and single objects."""

from collections.abc import Sequence

import numpy as np

from odapi.data.label_outliers import Outlier
from odapi.data.near_duplicates import NearDuplicate
from odapi.data.sources.base import BaseSource
from odapi.data.tiny_objects import TinyObject
from odapi.draw.image import Style, draw_objects
from odapi.draw.mosaic import mosaic
from odapi.errors import DataError

MAX_PAIRS, MAX_OBJECTS = 12, 24
_CONTEXT = 1.5  # Margin around an object, in its sides.
_MIN_SIDE = 48  # Pixels of a part of an image.


def draw_pairs(
    pairs: Sequence[NearDuplicate], evaluation: BaseSource, train: BaseSource
) -> np.ndarray:
    """Returns a mosaic of pairs: an evaluation image, then the training image."""
    images, captions = [], []
    for pair in pairs[:MAX_PAIRS]:
        try:
            shown = [evaluation[pair.index], train[pair.other_index]]
        except DataError:
            continue  # It was readable before.
        for sample, source in zip(shown, (evaluation, train), strict=True):
            images.append(draw_objects(sample["image"], sample, source.label_map))
        mirrored = ", mirrored" if pair.mirrored else ""
        captions.append(f"evaluation {pair.image_id}")
        captions.append(f"train {pair.other_id}{mirrored} ({pair.correlation:.3f})")
    return mosaic(images, captions, columns=4) if images else _nothing()


def draw_outliers(outliers: Sequence[Outlier], source: BaseSource) -> np.ndarray:
    """Returns a mosaic of objects far from their class, with their surroundings."""
    return _draw_parts(
        source,
        [
            (o, f"{o.label} {o.factor:g} x, {o.reason} ({o.score:g}), {o.image_id}")
            for o in outliers[:MAX_OBJECTS]
        ],
    )


def draw_tiny(objects: Sequence[TinyObject], source: BaseSource) -> np.ndarray:
    """Returns a mosaic of the smallest objects, with their surroundings."""
    return _draw_parts(
        source,
        [
            (o, f"{o.label} {o.width:g} x {o.height:g} px, {o.image_id}")
            for o in objects[:MAX_OBJECTS]
        ],
    )


def _draw_parts(
    source: BaseSource, rows: Sequence[tuple[Outlier | TinyObject, str]]
) -> np.ndarray:
    images, captions = [], []
    for found, caption in rows:
        try:
            sample = source[found.index]
        except DataError:
            continue
        image = sample["image"]
        height, width = image.shape[:2]
        top, left, bottom, right = _around(found.box_px, (height, width))
        part = image[top:bottom, left:right]
        x_min, y_min, x_max, y_max = found.box_px
        box = np.array([y_min - top, x_min - left, y_max - top, x_max - left])
        box = box / np.tile(part.shape[:2], 2)
        objects = {
            "boxes": box[None].astype(np.float32),
            "classes": sample["classes"][[found.object]],
        }
        style = Style(labels=False, line=1)
        images.append(draw_objects(part, objects, source.label_map, style=style))
        captions.append(caption)
    return mosaic(images, captions, cell=240) if images else _nothing()


def _around(box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Returns a square part of the image around a box, as far as there is any."""
    x_min, y_min, x_max, y_max = box
    side = max((1 + 2 * _CONTEXT) * max(x_max - x_min, y_max - y_min), _MIN_SIDE)
    top = int(max((y_min + y_max - side) / 2, 0))
    left = int(max((x_min + x_max - side) / 2, 0))
    bottom = int(min(np.ceil((y_min + y_max + side) / 2), size[0]))
    right = int(min(np.ceil((x_min + x_max + side) / 2), size[1]))
    return top, left, max(bottom, top + 1), max(right, left + 1)


def _nothing() -> np.ndarray:
    return np.full((64, 64, 3), 255, np.uint8)
