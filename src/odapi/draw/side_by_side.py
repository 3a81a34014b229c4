"""Detections and groundtruth side by side."""

import numpy as np

from odapi.draw.colors import INK, WHITE
from odapi.draw.image import DEFAULT, Objects, Style, as_rgb, draw_objects, enlarged
from odapi.draw.text import fit_text, put_text, text_size
from odapi.labels import LabelMap


def side_by_side(
    image: np.ndarray,
    detections: Objects,
    groundtruth: Objects,
    label_map: LabelMap | None = None,
    *,
    min_score: float = 0.5,
    max_objects: int = 20,
    title: str = "",
    style: Style = DEFAULT,
) -> np.ndarray:
    """Returns an image with detections on the left and groundtruth on the right.

    Small images are enlarged. A line above names each side and the number of objects
    that are not drawn.

    Args:
        image: `[h, w, 3]` uint8 RGB.
        detections, groundtruth: Objects as `draw_objects` takes them.
        label_map: Names of the classes.
        min_score: Detections below it are not drawn.
        max_objects: Maximum number of detections to draw; groundtruth is not limited.
        title: Name of the image.
        style: Sizes and labels.
    """
    image = enlarged(as_rgb(image))
    left = draw_objects(
        image,
        detections,
        label_map,
        min_score=min_score,
        max_objects=max_objects,
        style=style,
    )
    truth = {k: v for k, v in groundtruth.items() if k != "scores"}
    right = draw_objects(image, truth, label_map, style=style)
    found = _found(detections, min_score, max_objects)
    known = f"Groundtruth: {len(np.reshape(groundtruth['boxes'], (-1, 4)))}"
    return beside([left, right], [found, f"{known}   {title}".rstrip()])


def beside(images: list[np.ndarray], captions: list[str]) -> np.ndarray:
    """Returns images of equal size in a row, each with a caption above it."""
    height, width = images[0].shape[:2]
    gap = max(4, width // 100)
    font = int(np.clip(width / 32, 11, 96))
    line = 2 * text_size("X", font)[1]
    canvas = np.empty((line + height, len(images) * (width + gap) - gap, 3), np.uint8)
    canvas[:] = WHITE
    for n, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left = n * (width + gap)
        canvas[line:, left : left + width] = image
        text = fit_text(caption, font, width - gap)
        put_text(canvas, text, left + gap, round(0.74 * line), font, INK)
    return canvas


def _found(detections: Objects, min_score: float, max_objects: int) -> str:
    scores = detections.get("scores")
    if scores is None:
        return f"Detections: {len(np.reshape(detections['boxes'], (-1, 4)))}"
    number = int((np.asarray(scores) >= min_score).sum())
    more = f", best {max_objects} drawn" if number > max_objects else ""
    return f"Detections: {number} with score {min_score:.2g} or more{more}"
