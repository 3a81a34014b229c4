"""The best pairs of (anchor, class) of each image."""

from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from odapi.geometry.gather import gather_rows
from odapi.structures import Tensor

_USED = -float("inf")


class Candidates(NamedTuple):
    """Pairs of (anchor, class), best first; ties by class, then by anchor."""

    boxes: Tensor  # [b, k, 4]
    scores: Tensor  # [b, k]
    classes: Tensor  # [b, k] int32
    anchors: Tensor  # [b, k] int32
    valid: Tensor  # [b, k] bool: may be picked now
    left: Tensor  # [b, k], what is left of `scores` once they have been looked at
    more: Tensor  # [b, 1] bool: there may be others above the threshold


def best_pairs(
    boxes: Tensor,
    scores: Tensor,
    most: int,
    threshold: float,
    convert: Callable[[Tensor], Tensor] | None = None,
) -> Candidates:
    """Returns the `most` pairs of highest score, or all where there are fewer.

    Pairs that tie with the last one are not valid yet, as others that tie may have to
    come before them; unless all tie.

    Args:
        boxes: `[b, anchors, 4]` or `[b, anchors, classes, 4]`.
        scores: `[b, anchors, classes]`.
        most: Number of pairs.
        threshold: Scores must be above it.
        convert: Makes scores of what is in `scores`, never falling; None: as it is.
    """
    total = scores.shape[1] * scores.shape[2]
    raw, anchors, classes = _top_pairs(scores, most)
    scores = raw if convert is None else convert(raw)
    # Which of equal scores comes first must not depend on backend or layout.
    place = _tie_order(scores, classes, anchors)
    raw, scores, anchors, classes = (
        gather_rows(v, place) for v in (raw, scores, anchors, classes)
    )
    if len(boxes.shape) == 4:
        width = boxes.shape[2]
        boxes = ops.reshape(boxes, (-1, boxes.shape[1] * width, 4))
        chosen = gather_rows(boxes, anchors * width + classes)
    else:
        chosen = gather_rows(boxes, anchors)
    valid = ops.logical_and(raw > _USED, scores > threshold)
    more = valid[:, -1:]
    if valid.shape[1] < total:
        last = scores[:, -1:]
        settled = ops.logical_or(scores > last, scores[:, :1] == last)
        valid = ops.logical_and(valid, settled)
    else:
        more = ops.zeros_like(more)
    left = ops.where(valid, _USED, raw)
    return Candidates(chosen, scores, classes, anchors, valid, left, more)


def without(scores: Tensor, anchors: Tensor, classes: Tensor, left: Tensor) -> Tensor:
    """Returns `scores [b, anchors, classes]` after candidates have been looked at.

    Args:
        scores: Where the candidates came from.
        anchors, classes, left: Theirs, each `[b, k]`.
    """
    batch, rows, width = ops.shape(scores)[0], scores.shape[1], scores.shape[2]
    index = anchors * width + classes
    index = index + rows * width * ops.arange(batch, dtype="int32")[:, None]
    flat = ops.reshape(scores, (-1,))
    flat = ops.scatter_update(
        flat, ops.reshape(index, (-1, 1)), ops.reshape(left, (-1,))
    )
    return ops.reshape(flat, (-1, rows, width))


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
