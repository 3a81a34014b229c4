"""Normalized boxes in pixels, as metrics and results files need them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def boxes_px(boxes: ArrayLike, size: Any) -> NDArray[np.float64]:
    """Returns normalized boxes `[n, 4]` in pixels of an image `(height, width)`.

    >>> boxes_px([[0.0, 0.5, 1.0, 1.0]], (10, 20)).tolist()
    [[0.0, 10.0, 10.0, 20.0]]
    """
    height, width = (float(v) for v in size)
    scale = np.array([height, width, height, width])
    scaled: NDArray[np.float64] = np.reshape(boxes, (-1, 4)) * scale
    return scaled


def xywh_px(boxes: ArrayLike, size: Any) -> NDArray[np.float64]:
    """Returns normalized boxes `[n, 4]` in COCO's format: x, y, width, height.

    >>> xywh_px([[0.0, 0.5, 1.0, 1.0]], (10, 20)).tolist()
    [[10.0, 0.0, 10.0, 10.0]]
    """
    y0, x0, y1, x1 = boxes_px(boxes, size).T
    return np.stack([x0, y0, x1 - x0, y1 - y0], axis=-1)
