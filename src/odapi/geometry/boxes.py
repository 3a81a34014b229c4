"""Geometry of boxes `[y_min, x_min, y_max, x_max]`: pure functions, any unit.

Where two arguments meet, both are in the same unit. Boxes without area, such as
padding, overlap nothing.
"""

from keras import ops

from odapi.structures import Tensor


def area(boxes: Tensor) -> Tensor:
    """Returns the area `[...]` of `boxes [..., 4]`; 0 where a side is negative.

    >>> ops.convert_to_numpy(area([[0., 0., 2., 3.], [1., 1., 0., 0.]])).tolist()
    [6.0, 0.0]
    """
    y_min, x_min, y_max, x_max = corners(boxes)
    return ops.maximum(y_max - y_min, 0.0) * ops.maximum(x_max - x_min, 0.0)


def corners(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns `y_min, x_min, y_max, x_max`, each `[...]`, of `boxes [..., 4]`.

    Raises:
        ValueError: The last dimension is not 4.
    """
    boxes = ops.convert_to_tensor(boxes)
    if boxes.shape[-1] != 4:
        raise ValueError(f"boxes must have shape [..., 4], got {tuple(boxes.shape)}")
    return boxes[..., 0], boxes[..., 1], boxes[..., 2], boxes[..., 3]


def center_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Returns centers and sizes, both `[..., 2]` as (y, x), of `boxes [..., 4]`."""
    boxes = ops.convert_to_tensor(boxes)
    low, high = boxes[..., :2], boxes[..., 2:]
    return 0.5 * (low + high), high - low


def from_center_size(center: Tensor, size: Tensor) -> Tensor:
    """Returns boxes `[..., 4]`; the inverse of `center_size`."""
    half = 0.5 * size
    return ops.concatenate([center - half, center + half], axis=-1)


def overlap_area(boxes: Tensor, others: Tensor) -> Tensor:
    """Returns the area `[...]` that `boxes` and `others` share, with broadcasting."""
    y0, x0, y1, x1 = corners(boxes)
    v0, u0, v1, u1 = corners(others)
    height = ops.maximum(ops.minimum(y1, v1) - ops.maximum(y0, v0), 0.0)
    return height * ops.maximum(ops.minimum(x1, u1) - ops.maximum(x0, u0), 0.0)


def iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union `[...]` of boxes with the boxes at the same place.

    Args:
        boxes, others: `[..., 4]`, broadcast against each other.
    """
    overlap = overlap_area(boxes, others)
    return _ratio(overlap, area(boxes) + area(others) - overlap)


def giou(boxes: Tensor, others: Tensor) -> Tensor:
    """Generalised IoU `[...]` in [-1, 1] of boxes with those at the same place.

    Args:
        boxes, others: `[..., 4]`, broadcast against each other.

    Source: Rezatofighi et al. 2019 (https://arxiv.org/abs/1902.09630).
    """
    overlap = overlap_area(boxes, others)
    union = area(boxes) + area(others) - overlap
    y0, x0, y1, x1 = corners(boxes)
    v0, u0, v1, u1 = corners(others)
    height = ops.maximum(y1, v1) - ops.minimum(y0, v0)
    hull = height * (ops.maximum(x1, u1) - ops.minimum(x0, u0))
    return _ratio(overlap, union) - _ratio(hull - union, hull)


def pairwise_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of every box with every other box.

    Args:
        boxes: `[..., n, 4]`.
        others: `[..., m, 4]`, leading dimensions broadcastable to those of `boxes`.

    Returns:
        `[..., n, m]` in [0, 1].

    Source: PASCAL VOC devkit, without its "+ 1" pixel
    (Everingham et al. 2010, section 4.2).

    >>> iou = pairwise_iou([[0., 0., 2., 2.]], [[0., 0., 2., 1.], [2., 2., 3., 3.]])
    >>> ops.convert_to_numpy(iou).tolist()
    [[0.5, 0.0]]
    """
    return iou(*_pairs(boxes, others))


def pairwise_ioa(boxes: Tensor, others: Tensor) -> Tensor:
    """Share `[..., n, m]` of each of `others [..., m, 4]` that each box covers."""
    boxes, others = _pairs(boxes, others)
    return _ratio(overlap_area(boxes, others), area(others))


def pairwise_squared_distance(boxes: Tensor, others: Tensor) -> Tensor:
    """Squared distance `[..., n, m]` of the corner coordinates of all pairs."""
    boxes, others = _pairs(boxes, others)
    return sum(
        ops.square(a - b) for a, b in zip(corners(boxes), corners(others), strict=True)
    )


def clip(boxes: Tensor, window: Tensor) -> Tensor:
    """Returns `boxes [..., n, 4]` cut to `window [..., 4]`, which broadcasts."""
    window = ops.expand_dims(window, -2)
    low, high = window[..., :2], window[..., 2:]
    parts = (boxes[..., :2], boxes[..., 2:])
    return ops.concatenate([ops.clip(p, low, high) for p in parts], axis=-1)


def to_window(points: Tensor, window: Tensor) -> Tensor:
    """Changes the frame: `window [..., 4]` becomes the unit square.

    Args:
        points: `[..., n, 2k]`, boxes or other lists of (y, x).
        window: `[..., 4]`, of an area above 0.
    """
    size = window[..., 2:] - window[..., :2]
    pairs = points.shape[-1] // 2
    origin = ops.concatenate([window[..., :2]] * pairs, axis=-1)[..., None, :]
    return (points - origin) / ops.concatenate([size] * pairs, axis=-1)[..., None, :]


def _pairs(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Shapes `[..., n, 1, 4]` and `[..., 1, m, 4]`."""
    return ops.expand_dims(boxes, -2), ops.expand_dims(others, -3)


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Returns `part / whole`, 0 (with gradient 0) where there is no whole."""
    there = whole > 0
    return ops.where(there, part / ops.where(there, whole, 1.0), 0.0)
