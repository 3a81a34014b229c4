"""The contract of every evaluator: three verbs."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

Arrays = Mapping[str, Any]


class Evaluator(Protocol):
    """Collects images one by one and makes numbers of them.

    An image is a pair of dicts of NumPy arrays, n objects and m detections:

        groundtruth  boxes [n, 4], classes [n], size (height, width) of the original
                     image; where known is_crowd [n], area [n] in pixels
        detections   boxes [m, 4], classes [m], scores [m], without padding

    Boxes are normalised `[y_min, x_min, y_max, x_max]`, classes count from 0.
    """

    def reset(self) -> None:
        """Forgets all images."""

    def update(self, image_id: str, groundtruth: Arrays, detections: Arrays) -> None:
        """Adds an image; memory grows by its matches, not by its pixels.

        Raises:
            ValueError: The arrays do not fit together.
        """

    def compute(self) -> dict[str, float]:
        """Returns metrics by the original's names; -1: nothing to measure.

        May be called any number of times, also between updates.
        """


def boxes_px(boxes: Any, size: Any) -> np.ndarray:
    """Returns normalised boxes `[n, 4]` in pixels of an image `(height, width)`.

    >>> boxes_px([[0.0, 0.5, 1.0, 1.0]], (10, 20)).tolist()
    [[0.0, 10.0, 10.0, 20.0]]
    """
    height, width = (float(v) for v in size)
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return boxes * np.array([height, width, height, width])


def xywh_px(boxes: Any, size: Any) -> np.ndarray:
    """Returns normalised boxes `[n, 4]` as COCO writes them: x, y, width, height.

    >>> xywh_px([[0.0, 0.5, 1.0, 1.0]], (10, 20)).tolist()
    [[10.0, 0.0, 10.0, 10.0]]
    """
    y0, x0, y1, x1 = boxes_px(boxes, size).T
    return np.stack([x0, y0, x1 - x0, y1 - y0], axis=-1)
