"""NMS candidates: the pairs of (anchor, class) of highest score of each image."""

import math
from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from odapi.geometry.gather import gather_rows
from odapi.structures import Tensor

_EXCLUDED = -float("inf")
_STEP, _TINY = 1.2e-7, 1e-30  # To the next lower float32.


class Candidates(NamedTuple):
    """Pairs of (anchor, class), best first; ties by class, then by anchor."""

    boxes: Tensor  # [b, k, 4]
    scores: Tensor  # [b, k]
    classes: Tensor  # [b, k] int32
    anchors: Tensor  # [b, k] int32
    valid: Tensor  # [b, k] bool: takes part in this block
    more: Tensor  # [b, 1] bool: further pairs may be above the score threshold
    limit: Tensor  # [b, 1], highest unconverted score that further pairs may have


def best_pairs(
    boxes: Tensor,
    scores: Tensor,
    max_pairs: int,
    threshold: float,
    convert: Callable[[Tensor], Tensor] | None = None,
    limit: Tensor | None = None,
    ties: bool = True,
) -> Candidates:
    """Returns the `max_pairs` pairs of highest score, or all if there are fewer.

    Pairs that tie with the last one are left to the next block, since other pairs of
    the same score may have to precede them. If all pairs tie, none is left, unless
    `ties` is False.

    Args:
        boxes: `[b, anchors, 4]` or `[b, anchors, classes, 4]`.
        scores: `[b, anchors, classes]`.
        max_pairs: Number of pairs.
        threshold: Scores must be above it.
        convert: Monotonic function from the values in `scores` to scores; None:
            `scores` are used as they are.
        limit: `limit` of the candidates before these; None for the first block.
        ties: Whether to return pairs that all tie. If not, the next block must be
            larger.
    """
    total = number_of_anchors(scores) * scores.shape[2]
    if limit is not None:
        scores = ops.where(scores <= limit[..., None], scores, _EXCLUDED)
    raw, anchors, classes = _top_pairs(scores, max_pairs)
    scores = raw if convert is None else convert(raw)
    # The order of equal scores must not depend on backend or layout.
    place = _tie_order(scores, classes, anchors)
    raw, scores, anchors, classes = (
        gather_rows(v, place) for v in (raw, scores, anchors, classes)
    )
    valid = ops.logical_and(raw > _EXCLUDED, scores > threshold)
    more = ops.zeros_like(valid[:, :1])
    last = ops.min(raw, axis=1, keepdims=True)
    limit = last
    if valid.shape[1] < total:
        more = ops.all(valid, axis=1, keepdims=True)
        kept = raw > last
        if ties:
            tie = last == ops.max(raw, axis=1, keepdims=True)
            kept = ops.logical_or(kept, tie)
            # Further pairs of the same score cannot be distinguished from these and
            # are dropped.
            below = last - ops.maximum(_STEP * ops.absolute(last), _TINY)
            limit = ops.where(tie, below, last)
        valid = ops.logical_and(valid, kept)
    chosen = _boxes_of(boxes, anchors, classes)
    return Candidates(chosen, scores, classes, anchors, valid, more, limit)


def _boxes_of(boxes: Tensor, anchors: Tensor, classes: Tensor) -> Tensor:
    """Returns the boxes `[b, k, 4]` of pairs."""
    if len(boxes.shape) == 3:
        return gather_rows(boxes, anchors)
    width = boxes.shape[2]
    flat = ops.reshape(boxes, (ops.shape(boxes)[0], -1, 4))
    return gather_rows(flat, anchors * width + classes)


def number_of_anchors(scores: Tensor) -> float:
    """Returns the number of anchors; infinity if only a graph that runs knows it.

    There are then at least as many as candidates.
    """
    return math.inf if scores.shape[1] is None else scores.shape[1]


def _top_pairs(scores: Tensor, max_pairs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns values, anchors and classes, each `[b, k]`, of the highest scores."""
    rows, width = number_of_anchors(scores), scores.shape[2]
    anchors = None
    if width > 1 and rows > max_pairs:
        # The best k pairs lie in the k anchors of highest maximum: one pass over all
        # scores, and a search among few.
        _, anchors = ops.top_k(ops.max(scores, axis=-1), max_pairs)
        anchors = ops.cast(anchors, "int32")
        scores, rows = gather_rows(scores, anchors), max_pairs
    flat = ops.reshape(scores, (ops.shape(scores)[0], -1))
    values, index = ops.top_k(flat, int(min(max_pairs, rows * width)))
    index = ops.cast(index, "int32")
    row, classes = index // width, index % width
    return values, row if anchors is None else gather_rows(anchors, row), classes


def _tie_order(scores: Tensor, classes: Tensor, anchors: Tensor) -> Tensor:
    """Returns `[b, k]`: indices that sort by score, then class, then anchor."""
    by_anchor = ops.argsort(anchors, axis=1)
    by_class = _refine_order(by_anchor, classes)
    return _refine_order(by_class, -scores)


def _refine_order(order: Tensor, keys: Tensor) -> Tensor:
    """Returns the order after a stable sort by `keys`."""
    return gather_rows(order, ops.argsort(gather_rows(keys, order), axis=1))
