"""Drawing of objects: boxes, masks, keypoints and readable labels."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from odapi.draw.colors import Color, color_of, text_color_on
from odapi.draw.drawn_text import is_legible
from odapi.draw.labels import Label, place_labels
from odapi.draw.serving_outputs import is_serving_output, objects_of
from odapi.draw.skeleton import Edges, draw_keypoints, edges_of
from odapi.draw.text import has_glyph, put_text
from odapi.errors import DataError
from odapi.fields import FIELDS
from odapi.geometry.masks import MaskWindow, paste_masks
from odapi.labels import LabelMap

Objects = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Style:
    """Drawing style of objects; 0 means relative to the image size.

    Args:
        line: Width of box lines, pixels.
        text: Height of the font, pixels.
        labels: Whether to write the class name.
        scores: Whether to write the score, if any.
        mask_alpha: Opacity of masks.
        edges: Pairs of keypoint ids to connect; empty means the edges of COCO's
            person, by name.
    """

    line: int = 0
    text: int = 0
    labels: bool = True
    scores: bool = True
    mask_alpha: float = 0.4
    edges: Edges = ()

    def sized(self, height: int, width: int) -> "Style":
        """Returns the style with every size set, for an image."""
        side = min(height, width)
        return dataclasses.replace(
            self,
            line=self.line or max(1, round(side / 300 + 0.6)),
            text=self.text or round(min(max(side / 38, 11), 120)),
        )


DEFAULT = Style()

# Keys of detections, besides the fields of groundtruth, with one row per object.
_DETECTED = ("scores", "box_masks", "keypoint_scores")
_MAX_NAME = 48  # Characters of a class name; longer ones are shortened.
_NOT_COPIED = ("boxes", "masks")  # Handled one by one.


def draw_objects(
    image: np.ndarray,
    objects: Objects,
    label_map: LabelMap | None = None,
    *,
    min_score: float = 0.0,
    max_objects: int | None = None,
    style: Style = DEFAULT,
) -> np.ndarray:
    """Returns a copy of `image` with `objects` drawn on it.

    Small objects are drawn last and never filled, lines are outside the object, and
    labels are placed where they hide least; one that would cover another label is
    omitted. Lines and text scale with the image.

    Args:
        image: `[h, w, 3]` uint8 RGB; gray and float images, in 0..255 or 0..1, are
            converted.
        objects: Detections or groundtruth of one image, keys as in a sample:
            `boxes [n, 4]` normalized; optionally `classes [n]`, `scores [n]`,
            `is_crowd`, `difficult [n]`, `masks [n, h, w]` of the whole image or
            `box_masks [n, h, w]` of the boxes, `keypoints [n, k, 2]` with
            `keypoint_scores [n, k]`, of which those up to 0.1 are not drawn, and
            `captions [n]` (text instead of the class's name). `classes` count from 0.
            The outputs of a SavedModel for one image (`detection_boxes`,
            `detection_classes`, ...) are taken as they are, with ids from 1.
        label_map: Names of the classes.
        min_score: Objects with a lower score are not drawn.
        max_objects: Maximum number of objects to draw, best scores first.
        style: Sizes and labels.
    """
    image = as_rgb(image)
    _check_objects(objects)
    if is_serving_output(objects):
        objects = objects_of(objects)
    height, width = image.shape[:2]
    style = style.sized(height, width)
    objects = chosen(objects, min_score, max_objects)
    boxes = _pixels(objects["boxes"], height, width)
    classes = _classes(objects, len(boxes))
    colors = [color_of(c) for c in classes]

    # Large objects first, so that they do not hide small ones.
    order = np.argsort(-_areas(boxes), kind="stable")
    for i in order:
        _draw_mask(image, _window(objects, i, (height, width)), colors[i], style)
    for i in order:
        _draw_box(image, boxes[i], colors[i], style.line)
    edges = style.edges or edges_of(label_map)
    draw_keypoints(image, objects, colors, edges, style.line)

    captions = _captions(objects, classes, label_map, style)
    for label in place_labels(boxes, captions, (height, width), style.text):
        _draw_label(image, label, colors[label.owner])
    return image


def _check_objects(objects: object) -> None:
    if not isinstance(objects, Mapping):
        kind = type(objects).__name__
        hint = "{'boxes': [n, 4] normalized, 'classes': [n] from 0, 'scores': [n]}"
        raise DataError(
            "objects", f"must be a mapping, got {kind}", hint=f"such as {hint}"
        )
    if not is_serving_output(objects) and "boxes" not in objects:
        names = ", ".join(map(str, objects)) or "none"
        raise DataError("objects", f"have no 'boxes'; the keys are {names}")


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Returns a copy of an image as `[h, w, 3]` uint8.

    Args:
        image: `[h, w]` or `[h, w, c]`, uint8 or float, in 0..255 or, if no value is
            higher, in 0..1; of more than three channels the first three are shown.

    Raises:
        ValueError: It has another shape, or no pixels.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or 0 in image.shape:
        raise ValueError(f"an image is [h, w] or [h, w, c], got shape {image.shape}")
    if image.dtype != np.uint8:
        image = np.nan_to_num(image)
        if image.dtype.kind == "f" and image.max() <= 1:
            image = image * 255
        image = np.clip(image, 0, 255).astype(np.uint8)
    if image.shape[2] < 3:
        image = np.repeat(image[..., :1], 3, axis=-1)
    return np.array(image[..., :3], order="C")


def enlarged(image: np.ndarray, min_side: int = 480) -> np.ndarray:
    """Returns `image`, a whole number of times larger if its short side is small.

    Labels on an image of 32 pixels would hide it: draw on the enlarged one.

    Args:
        image: `[h, w, 3]` uint8.
        min_side: Pixels that the short side shall reach; long thin images stay below
            four times that.
    """
    height, width = image.shape[:2]
    times = min(-(-min_side // min(height, width)), 4 * min_side // max(height, width))
    if times <= 1:
        return image
    # Pixels of icons stay pixels; photographs become smooth.
    sampler = cv2.INTER_NEAREST if max(height, width) <= 64 else cv2.INTER_CUBIC
    return cv2.resize(image, (width * times, height * times), interpolation=sampler)


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns `image` at another size (height, width)."""
    height, width = size
    sampler = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(image, (int(width), int(height)), interpolation=sampler)


def chosen(
    objects: Objects, min_score: float = 0.0, max_objects: int | None = None
) -> dict[str, Any]:
    """Returns the rows of `objects` with at least `min_score`, best first.

    Without scores, the order is kept.
    """
    boxes = np.asarray(objects["boxes"], np.float64).reshape(-1, 4)
    keep = np.flatnonzero(np.isfinite(boxes).all(axis=-1))
    if objects.get("scores") is not None:
        scores = np.asarray(objects["scores"], np.float64).reshape(-1)
        keep = keep[scores[keep] >= min_score]
        keep = keep[np.argsort(-scores[keep], kind="stable")]
    keep = keep[:max_objects]
    rows: dict[str, Any] = {"boxes": boxes[keep]}
    for key in (*FIELDS, *_DETECTED):
        if objects.get(key) is not None and key not in _NOT_COPIED:
            rows[key] = np.asarray(objects[key])[keep]
    if objects.get("masks") is not None:  # May be decoded one at a time.
        rows["masks"] = [objects["masks"][int(i)] for i in keep]
    if objects.get("captions") is not None:
        rows["captions"] = [objects["captions"][i] for i in keep]
    return rows


def _pixels(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns pixels `[n, 4]`, end inclusive, clipped to the image."""
    scaled = boxes * [height, width, height, width]
    low = np.floor(scaled[:, :2] + 1e-3)
    high = np.maximum(np.ceil(scaled[:, 2:] - 1e-3) - 1, low)
    limit = [height - 1, width - 1] * 2
    return np.clip(np.concatenate([low, high], -1), 0, limit).astype(int)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=-1)


def _classes(objects: Objects, number: int) -> np.ndarray:
    classes = objects.get("classes")
    return np.zeros(number, int) if classes is None else np.asarray(classes, int)


def _captions(
    objects: Objects, classes: np.ndarray, label_map: LabelMap | None, style: Style
) -> list[str]:
    """Returns the caption of each object; "" for none."""
    captions = []
    for i, index in enumerate(classes):
        words = []
        if objects.get("captions") is not None:
            words.append(str(objects["captions"][i]))
        elif style.labels and objects.get("classes") is not None:
            words.append(_name(int(index), label_map))
        if style.scores and objects.get("scores") is not None:
            words.append(_percent(float(objects["scores"][i])))
        for flag, word in (("is_crowd", "(crowd)"), ("difficult", "(difficult)")):
            if objects.get(flag) is not None and objects[flag][i]:
                words.append(word)
        captions.append(" ".join(words))
    return captions


def _name(index: int, label_map: LabelMap | None) -> str:
    """Returns the name of a class, with its id if the font has none of its letters.

    A long name is shortened, so that the score behind it stays in the image.
    """
    name = label_map.label(index) if label_map else f"class {index + 1}"
    if len(name) > _MAX_NAME:
        name = name[: _MAX_NAME - 1].rstrip() + "…"
    return name if is_legible(name, has_glyph) else f"class {index + 1} ({name})"


def _percent(score: float) -> str:
    return "<1%" if 0 < score < 0.01 else f"{100 * score:.0f}%"


def _draw_box(image: np.ndarray, box: np.ndarray, color: Color, line: int) -> None:
    y0, x0, y1, x1 = (int(v) for v in box)
    # Thinner than the object, which it would hide.
    line = max(1, min(line, (min(y1 - y0, x1 - x0) + 1) // 6))
    if line > 1:  # A dark rim keeps the line visible on the same color.
        dark = tuple(c // 4 for c in color)
        out = line + 1
        cv2.rectangle(image, (x0 - out, y0 - out), (x1 + out, y1 + out), dark, 1)
        if line > 3:
            cv2.rectangle(image, (x0, y0), (x1, y1), dark, 1)
    for out in range(1, line + 1):
        cv2.rectangle(image, (x0 - out, y0 - out), (x1 + out, y1 + out), color, 1)
    _draw_cut_sides(image, (y0, x0, y1, x1), color, line)


def _draw_cut_sides(
    image: np.ndarray, box: tuple[int, int, int, int], color: Color, line: int
) -> None:
    """Draws sides at the image border inside it, where they are visible."""
    height, width = image.shape[:2]
    y0, x0, y1, x1 = box
    top, left = max(y0 - line, 0), max(x0 - line, 0)
    bottom, right = min(y1 + line, height - 1), min(x1 + line, width - 1)
    if y0 < line:
        image[:line, left : right + 1] = color
    if x0 < line:
        image[top : bottom + 1, :line] = color
    if y1 >= height - line:
        image[height - line :, left : right + 1] = color
    if x1 >= width - line:
        image[top : bottom + 1, width - line :] = color


def _window(objects: Objects, i: int, size: tuple[int, int]) -> MaskWindow | None:
    """Returns the mask of an object on an image of this size."""
    if objects.get("box_masks") is not None:
        masks, boxes = objects["box_masks"][i : i + 1], objects["boxes"][i : i + 1]
        return next(paste_masks(masks, boxes, size))
    if objects.get("masks") is None:
        return None
    mask: np.ndarray = np.asarray(objects["masks"][i], np.float32)
    if mask.shape != size:
        mask = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_LINEAR)
    return MaskWindow(0, 0, mask > 0.5)


def _draw_mask(
    image: np.ndarray, window: MaskWindow | None, color: Color, style: Style
) -> None:
    """Tints the pixels of a mask, and draws its outline."""
    if window is None or not window.pixels.any():
        return
    top, left, pixels = window
    height, width = pixels.shape
    part = image[top : top + height, left : left + width]
    tint = style.mask_alpha * np.array(color, np.float32)
    part[pixels] = ((1 - style.mask_alpha) * part[pixels] + tint).astype(np.uint8)
    found, _ = cv2.findContours(
        pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    line = max(1, style.line // 2)
    cv2.drawContours(image, found, -1, color, line, offset=(left, top))


def _draw_label(image: np.ndarray, label: Label, color: Color) -> None:
    top, left, bottom, right = label.box
    image[top:bottom, left:right] = color
    put_text(
        image,
        label.text,
        left + label.margin,
        bottom - label.margin,
        label.height,
        text_color_on(color),
    )
