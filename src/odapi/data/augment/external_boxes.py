"""Box and keypoint formats of augmentation libraries, from and to normalized ones."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Size = tuple[int, int]

PIXELS = "pascal_voc"


class BoxFormat(NamedTuple):
    """Layout of a box in another library.

    Args:
        is_pixels: Whether numbers are pixels instead of shares of the image.
        write: Changes `[n, 4]` of x_min, y_min, x_max, y_max to the layout.
        read: Changes it back.
    """

    is_pixels: bool
    write: Callable[[np.ndarray], np.ndarray]
    read: Callable[[np.ndarray], np.ndarray]


def _same(boxes: np.ndarray) -> np.ndarray:
    return boxes


def _to_corner_and_size(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _from_corner_and_size(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _to_center_and_size(boxes: np.ndarray) -> np.ndarray:
    size = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate([boxes[:, :2] + size / 2, size], axis=1)


def _from_center_and_size(boxes: np.ndarray) -> np.ndarray:
    low = boxes[:, :2] - boxes[:, 2:] / 2
    return np.concatenate([low, low + boxes[:, 2:]], axis=1)


BOX_FORMATS: dict[str, BoxFormat] = {
    PIXELS: BoxFormat(True, _same, _same),
    "albumentations": BoxFormat(False, _same, _same),
    "coco": BoxFormat(True, _to_corner_and_size, _from_corner_and_size),
    "yolo": BoxFormat(False, _to_center_and_size, _from_center_and_size),
}
# Extra numbers per keypoint: angle and scale.
KEYPOINT_FORMATS = {"xy": 0, "yx": 0, "xya": 1, "xys": 1, "xyas": 2, "xysa": 2}


def write_boxes(boxes: np.ndarray, size: Size, form: str) -> np.ndarray:
    """Returns boxes `[n, 4]`, normalized y before x, in a format of `BOX_FORMATS`."""
    layout = BOX_FORMATS[form]
    swapped = boxes[:, [1, 0, 3, 2]].astype(np.float64)
    return layout.write(swapped * _unit(size) if layout.is_pixels else swapped)


def read_boxes(boxes: Any, size: Size, form: str) -> np.ndarray:
    """Returns boxes in a format of `BOX_FORMATS` as float32 `[n, 4]`, normalized."""
    layout = BOX_FORMATS[form]
    corners = layout.read(_first_columns(boxes, 4))
    shares = corners / _unit(size) if layout.is_pixels else corners
    return np.clip(shares[:, [1, 0, 3, 2]], 0, 1).astype(np.float32)


def write_keypoints(points: np.ndarray, size: Size, form: str) -> np.ndarray:
    """Returns keypoints `[n, 2]`, normalized y before x, as pixel indices of a format.

    They are moved by less than a pixel if they lie at the edge: Albumentations drops
    keypoints beyond the center of the last pixel.
    """
    last = np.array(size) - 1.0
    pixels = np.clip(points.astype(np.float64) * size - 0.5, 0, last)
    ordered = pixels if form == "yx" else pixels[:, ::-1]
    return np.pad(ordered, ((0, 0), (0, KEYPOINT_FORMATS[form])))


def read_keypoints(points: Any, size: Size, form: str) -> np.ndarray:
    """Returns pixel indices of a format as float32 `[n, 2]`, normalized."""
    pixels = _first_columns(points, 2)
    ordered = pixels if form == "yx" else pixels[:, ::-1]
    return ((ordered + 0.5) / size).astype(np.float32)


def _first_columns(rows: Any, number: int) -> np.ndarray:
    if not len(rows):
        return np.zeros((0, number))
    return np.asarray(rows, np.float64)[:, :number]


def _unit(size: Size) -> np.ndarray:
    height, width = size
    return np.array([width, height, width, height], np.float64)
