"""Areas and overlaps of boxes, for NumPy arrays and for tensors alike.

The last argument of every function is the array module: `numpy` on the host, which
needs no Keras, or `keras.ops` inside a model (see `odapi.geometry.boxes`). Boxes are
`[..., 4]`, `[y_min, x_min, y_max, x_max]`, in any unit. Boxes without area, such as
padding, overlap nothing.
"""

from typing import Any

import numpy as np

from odapi.structures import Tensor

# An array module: `numpy` or `keras.ops`.
ArrayModule = Any


def corners(
    boxes: Tensor, xp: ArrayModule = np
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns `y_min, x_min, y_max, x_max`, each `[...]`, of `boxes [..., 4]`.

    Raises:
        ValueError: The last dimension is not 4.
    """
    boxes = xp.asarray(boxes) if xp is np else xp.convert_to_tensor(boxes)
    if boxes.shape[-1] != 4:
        raise ValueError(f"boxes must have shape [..., 4], got {tuple(boxes.shape)}")
    return boxes[..., 0], boxes[..., 1], boxes[..., 2], boxes[..., 3]


def area(boxes: Tensor, xp: ArrayModule = np) -> Tensor:
    """Returns the area `[...]` of `boxes [..., 4]`; 0 where a side is negative."""
    y_min, x_min, y_max, x_max = corners(boxes, xp)
    return xp.maximum(y_max - y_min, 0.0) * xp.maximum(x_max - x_min, 0.0)


def overlap_area(boxes: Tensor, others: Tensor, xp: ArrayModule = np) -> Tensor:
    """Returns the area `[...]` that `boxes` and `others` share, with broadcasting."""
    y0, x0, y1, x1 = corners(boxes, xp)
    v0, u0, v1, u1 = corners(others, xp)
    height = xp.maximum(xp.minimum(y1, v1) - xp.maximum(y0, v0), 0.0)
    return height * xp.maximum(xp.minimum(x1, u1) - xp.maximum(x0, u0), 0.0)


def iou(boxes: Tensor, others: Tensor, xp: ArrayModule = np) -> Tensor:
    """Returns the intersection over union `[...]` of corresponding boxes.

    Args:
        boxes, others: `[..., 4]`, broadcast against each other.
        xp: The array module.
    """
    overlap = overlap_area(boxes, others, xp)
    return ratio(overlap, area(boxes, xp) + area(others, xp) - overlap, xp)


def pairwise_iou(boxes: Tensor, others: Tensor, xp: ArrayModule = np) -> Tensor:
    """Returns the intersection over union of every box with every other box.

    Args:
        boxes: `[..., n, 4]`.
        others: `[..., m, 4]`, leading dimensions broadcastable to those of `boxes`.
        xp: The array module.

    Returns:
        `[..., n, m]` in [0, 1].

    Source: PASCAL VOC devkit, without its "+ 1" pixel
    (Everingham et al. 2010, section 4.2).

    >>> pairwise_iou([[0, 0, 2, 2]], [[0, 0, 2, 1], [2, 2, 3, 3]]).tolist()
    [[0.5, 0.0]]
    """
    return iou(*pairs(boxes, others, xp), xp)


def pairwise_overlap_area(
    boxes: Tensor, others: Tensor, xp: ArrayModule = np
) -> Tensor:
    """Returns the area `[..., n, m]` that every box shares with every other box."""
    return overlap_area(*pairs(boxes, others, xp), xp)


def pairs(boxes: Tensor, others: Tensor, xp: ArrayModule = np) -> tuple[Tensor, Tensor]:
    """Returns the arguments as `[..., n, 1, 4]` and `[..., 1, m, 4]`."""
    return xp.expand_dims(boxes, -2), xp.expand_dims(others, -3)


def ratio(part: Tensor, whole: Tensor, xp: ArrayModule = np) -> Tensor:
    """Returns `part / whole`; 0, with gradient 0, where `whole` is not above 0."""
    positive = whole > 0
    return xp.where(positive, part / xp.where(positive, whole, 1.0), 0.0)
