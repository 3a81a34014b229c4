"""Geometry of boxes `[y_min, x_min, y_max, x_max]` on tensors, in any unit.

Two arguments of one function are in the same unit. Boxes without area, such as padding,
overlap nothing. `odapi.geometry.overlap` has the overlaps for NumPy arrays.
"""

from keras import ops

from odapi.geometry import overlap
from odapi.structures import Tensor


def area(boxes: Tensor) -> Tensor:
    """Returns the area `[...]` of `boxes [..., 4]`; 0 where a side is negative.

    >>> ops.convert_to_numpy(area([[0., 0., 2., 3.], [1., 1., 0., 0.]])).tolist()
    [6.0, 0.0]
    """
    return overlap.area(boxes, ops)


def corners(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns `y_min, x_min, y_max, x_max`, each `[...]`, of `boxes [..., 4]`.

    Raises:
        ValueError: The last dimension is not 4.
    """
    return overlap.corners(boxes, ops)


def center_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Returns centers and sizes, both `[..., 2]` as (y, x), of `boxes [..., 4]`."""
    boxes = ops.convert_to_tensor(boxes)
    low, high = boxes[..., :2], boxes[..., 2:]
    return 0.5 * (low + high), high - low


def from_center_size(center: Tensor, size: Tensor) -> Tensor:
    """Returns boxes `[..., 4]`; the inverse of `center_size`."""
    half = 0.5 * size
    return ops.concatenate([center - half, center + half], axis=-1)


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Returns the intersection over union `[...]` of corresponding boxes.

    Args:
        boxes, others: `[..., 4]`, broadcast against each other.
    """
    return overlap.iou(boxes, others, ops)


def giou(boxes: Tensor, others: Tensor) -> Tensor:
    """Returns the generalized IoU `[...]` in [-1, 1] of corresponding boxes.

    Args:
        boxes, others: `[..., 4]`, broadcast against each other.

    Source: Rezatofighi et al. 2019 (https://arxiv.org/abs/1902.09630).
    """
    shared = overlap.overlap_area(boxes, others, ops)
    union = area(boxes) + area(others) - shared
    y0, x0, y1, x1 = corners(boxes)
    v0, u0, v1, u1 = corners(others)
    height = ops.maximum(y1, v1) - ops.minimum(y0, v0)
    hull = height * (ops.maximum(x1, u1) - ops.minimum(x0, u0))
    return overlap.ratio(shared, union, ops) - overlap.ratio(hull - union, hull, ops)


def pairwise_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Returns the intersection over union of every box with every other box.

    Args:
        boxes: `[..., n, 4]`.
        others: `[..., m, 4]`, leading dimensions broadcastable to those of `boxes`.

    Returns:
        `[..., n, m]` in [0, 1].

    >>> iou = pairwise_iou([[0., 0., 2., 2.]], [[0., 0., 2., 1.], [2., 2., 3., 3.]])
    >>> ops.convert_to_numpy(iou).tolist()
    [[0.5, 0.0]]
    """
    return overlap.pairwise_iou(boxes, others, ops)


def pairwise_ioa(boxes: Tensor, others: Tensor) -> Tensor:
    """Returns the fraction `[..., n, m]` of each other box that each box covers."""
    boxes, others = overlap.pairs(boxes, others, ops)
    return overlap.ratio(overlap.overlap_area(boxes, others, ops), area(others), ops)


def pairwise_squared_distance(boxes: Tensor, others: Tensor) -> Tensor:
    """Returns the squared distance `[..., n, m]` of the corner coordinates of pairs."""
    boxes, others = overlap.pairs(boxes, others, ops)
    return sum(
        ops.square(a - b) for a, b in zip(corners(boxes), corners(others), strict=True)
    )


def clip(boxes: Tensor, window: Tensor) -> Tensor:
    """Clips `boxes [..., n, 4]` to `window [..., 4]`, which broadcasts."""
    window = ops.expand_dims(window, -2)
    low, high = window[..., :2], window[..., 2:]
    parts = (boxes[..., :2], boxes[..., 2:])
    return ops.concatenate([ops.clip(p, low, high) for p in parts], axis=-1)


def to_window(points: Tensor, window: Tensor) -> Tensor:
    """Changes the frame of reference: `window [..., 4]` becomes the unit square.

    Args:
        points: `[..., n, 2k]`, boxes or other lists of (y, x).
        window: `[..., 4]`, with an area above 0.
    """
    size = window[..., 2:] - window[..., :2]
    pairs = points.shape[-1] // 2
    origin = ops.concatenate([window[..., :2]] * pairs, axis=-1)[..., None, :]
    return (points - origin) / ops.concatenate([size] * pairs, axis=-1)[..., None, :]
