"""The best pairs of (anchor, class) of each image."""

from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from odapi.geometry.gather import gather_rows
from odapi.structures import Tensor

_GONE = -float("inf")
_STEP, _TINY = 1.2e-7, 1e-30  # To the next lower float32.


class Candidates(NamedTuple):
    """Pairs of (anchor, class), best first; ties by class, then by anchor."""

    boxes: Tensor  # [b, k, 4]
    scores: Tensor  # [b, k]
    classes: Tensor  # [b, k] int32
    anchors: Tensor  # [b, k] int32
    valid: Tensor  # [b, k] bool: may be picked now
    more: Tensor  # [b, 1] bool: there may be others above the threshold
    limit: Tensor  # [b, 1], the highest score that those may have, as they came in


def best_pairs(
    boxes: Tensor,
    scores: Tensor,
    most: int,
    threshold: float,
    convert: Callable[[Tensor], Tensor] | None = None,
    limit: Tensor | None = None,
    ties: bool = True,
) -> Candidates:
    """Returns the `most` pairs of highest score, or all where there are fewer.

    Pairs that tie with the last one are left for the next time, as others that tie may
    have to come before them. Where all tie, none is left, unless `ties` are for next
    time, too.

    Args:
        boxes: `[b, anchors, 4]` or `[b, anchors, classes, 4]`.
        scores: `[b, anchors, classes]`.
        most: Number of pairs.
        threshold: Scores must be above it.
        convert: Makes scores of what is in `scores`, never falling; None: as it is.
        limit: Of the candidates before these; None: there were none.
        ties: Whether to return pairs that all tie; if not, the next time must be with
            more of them.
    """
    total = scores.shape[1] * scores.shape[2]
    if limit is not None:
        scores = ops.where(scores <= limit[..., None], scores, _GONE)
    raw, anchors, classes = _top_pairs(scores, most)
    scores = raw if convert is None else convert(raw)
    # Which of equal scores comes first must not depend on backend or layout.
    place = _tie_order(scores, classes, anchors)
    raw, scores, anchors, classes = (
        gather_rows(v, place) for v in (raw, scores, anchors, classes)
    )
    valid = ops.logical_and(raw > _GONE, scores > threshold)
    more = ops.zeros_like(valid[:, :1])
    last = ops.min(raw, axis=1, keepdims=True)
    limit = last
    if valid.shape[1] < total:
        more = ops.all(valid, axis=1, keepdims=True)
        kept = raw > last
        if ties:
            tie = last == ops.max(raw, axis=1, keepdims=True)
            kept = ops.logical_or(kept, tie)
            # Those that tie with them cannot be told apart, and are left out.
            below = last - ops.maximum(_STEP * ops.absolute(last), _TINY)
            limit = ops.where(tie, below, last)
        valid = ops.logical_and(valid, kept)
    chosen = _boxes_of(boxes, anchors, classes)
    return Candidates(chosen, scores, classes, anchors, valid, more, limit)


def _boxes_of(boxes: Tensor, anchors: Tensor, classes: Tensor) -> Tensor:
    """Returns the boxes `[b, k, 4]` of pairs."""
    if len(boxes.shape) == 3:
        return gather_rows(boxes, anchors)
    rows, width = boxes.shape[1], boxes.shape[2]
    flat = ops.reshape(boxes, (-1, rows * width, 4))
    return gather_rows(flat, anchors * width + classes)


def _top_pairs(scores: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns values, anchors and classes, each `[b, k]`, of the highest scores."""
    rows, width = scores.shape[1], scores.shape[2]
    anchors = None
    if width > 1 and rows > most:
        # The best k pairs lie in the k anchors of the best maximum: one pass over
        # all scores, and a search in few.
        _, anchors = ops.top_k(ops.max(scores, axis=-1), most)
        anchors = ops.cast(anchors, "int32")
        scores, rows = gather_rows(scores, anchors), most
    flat = ops.reshape(scores, (-1, rows * width))
    values, index = ops.top_k(flat, min(most, rows * width))
    index = ops.cast(index, "int32")
    row, classes = index // width, index % width
    return values, row if anchors is None else gather_rows(anchors, row), classes


def _tie_order(scores: Tensor, classes: Tensor, anchors: Tensor) -> Tensor:
    """Returns `[b, k]`: where each place of the sorted list is found."""
    by_anchor = ops.argsort(anchors, axis=1)
    by_class = _then(by_anchor, classes)
    return _then(by_class, -scores)


def _then(order: Tensor, keys: Tensor) -> Tensor:
    """Refines an order by stable sorting."""
    return gather_rows(order, ops.argsort(gather_rows(keys, order), axis=1))
