"""Greedy and soft NMS among candidates that are sorted by score.

The loops have static shapes and stop as soon as every image has all of its results.
"""

from collections.abc import Sequence
from typing import NamedTuple

from keras import ops

from odapi.geometry.boxes import area
from odapi.geometry.gather import gather_rows
from odapi.structures import Tensor

_TINY = 1e-30  # Replaces an empty union: 0 / _TINY is 0.
# Candidates that are processed in parallel. An iteration of the sequential loop
# launches about twenty small operations; a table of this size costs as much as two
# iterations.
BLOCK_SIZE = 256
# Above this number of boxes, comparing all of them with the first block costs more time
# than it saves.
_MAX_BLOCKED = 2000


class NmsCandidates(NamedTuple):
    """Boxes of each image that suppress each other within a group."""

    boxes: Tensor  # [b, k, 4]
    groups: Tensor  # [b, k] int32, such as the class
    counted: Tensor  # [b, k] bool: counts toward the limit when it is kept


def rank_by_nms(
    boxes: Tensor, scores: Tensor, size: int, iou_threshold: float
) -> Tensor:
    """Ranks boxes by score after greedy NMS.

    Args:
        boxes: `[b, n, 4]`.
        scores: `[b, n]`.
        size: Maximum number of boxes kept per image.
        iou_threshold: In [0, 1]; boxes that overlap a kept one more are suppressed.

    Returns:
        `[b, n]` int32: rank of a box among the kept ones, from 0; `size` if suppressed.
    """
    order = ops.argsort(-scores, axis=1)
    candidates = NmsCandidates(
        gather_rows(boxes, order),
        ops.zeros_like(scores, dtype="int32"),
        ops.ones_like(scores, dtype="bool"),
    )
    limit = ops.full_like(scores[:, :1], size, dtype="int32")
    kept = greedy_nms(candidates, candidates.counted, limit, iou_threshold)
    rank = ops.cumsum(ops.cast(kept, "int32"), axis=1) - 1
    rank = ops.where(kept, rank, size)
    return gather_rows(rank, ops.argsort(order, axis=1))


def greedy_nms(
    candidates: NmsCandidates,
    active: Tensor,
    limit: Tensor,
    iou_threshold: float,
    group_limit: Tensor | int | None = None,
) -> Tensor:
    """Keeps the first active candidate, suppresses what overlaps it, and repeats.

    Args:
        candidates: Boxes, best first.
        active: `[b, k]` bool, False for padding and for boxes that are suppressed.
        limit: `[b, 1]` int32, maximum number of counted boxes to keep.
        iou_threshold: In [0, 1].
        group_limit: `[b, k]` int32 or a number: maximum number of boxes to keep of a
            box's group, counted or not; None: no limit.

    Returns:
        `[b, k]` bool: the kept candidates.
    """
    table = _Table(candidates)
    if group_limit is not None:
        group_limit = ops.broadcast_to(
            ops.convert_to_tensor(group_limit), ops.shape(candidates.groups)
        )
    limits = _Limits(iou_threshold, limit, group_limit)
    if candidates.boxes.shape[1] > _MAX_BLOCKED:
        active = ops.logical_and(active, limit > 0)
        return _sequential_nms(table, active, limits, ops.zeros_like(active))
    block = _block_nms(table, active, limits)
    num_left = candidates.boxes.shape[1] - block.shape[1]
    if num_left == 0:
        return block
    kept = ops.concatenate([block, ops.zeros_like(active[:, :num_left])], axis=1)
    counted = ops.cast(ops.logical_and(kept, candidates.counted), "int32")
    limit = limit - ops.sum(counted, axis=1, keepdims=True)
    behind = ops.arange(candidates.boxes.shape[1]) >= block.shape[1]
    active = ops.logical_and(ops.logical_and(active, behind), limit > 0)
    limits = limits._replace(limit=limit)

    def resume(_: Tensor, kept: Tensor) -> tuple[bool, Tensor]:
        remaining = _after_block(table, block, active, limits)
        return False, _sequential_nms(table, *remaining, kept)

    # A loop of at most one iteration instead of a branch: converters to ONNX do not
    # support a loop within a branch.
    resumes = ops.any(active)
    return ops.while_loop(lambda resumes, _: resumes, resume, (resumes, kept))[1]


class _Limits(NamedTuple):
    """Conditions under which a candidate is dropped."""

    iou_threshold: float
    limit: Tensor  # [b, 1] int32
    group_limit: Tensor | None  # [b, k] int32


def _block_nms(table: "_Table", active: Tensor, limits: _Limits) -> Tensor:
    """Returns the kept candidates among the first ones, `[b, m]` bool.

    Whether a box is kept follows from the boxes before it. Starting from any assumption
    and correcting it repeatedly, the first box is right after one iteration, and each
    iteration settles at least one more: where nothing changes, all are right. Few
    iterations are needed, one per box in the longest chain of boxes that suppress each
    other. Behind a box beyond a limit no box of its group, or no box at all, would be
    kept: so the limits are applied at the end.
    """
    size = min(BLOCK_SIZE, active.shape[1])
    iou, same_group = table.compare_first(size, size)
    earlier = ops.arange(size) < ops.arange(size)[:, None]
    same_group = ops.logical_and(same_group, earlier)
    suppresses = ops.logical_and(same_group, iou > limits.iou_threshold)
    suppresses = ops.cast(suppresses, "float32")
    counted = table.columns[-1][:, :size]
    active = active[:, :size]

    def step(kept: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        # On TensorFlow a third of the time of a matrix product.
        suppressed = ops.max(suppresses * ops.cast(kept, "float32")[:, None], axis=2)
        corrected = ops.logical_and(active, suppressed < 0.5)
        return corrected, ops.any(corrected != kept)

    kept, _ = ops.while_loop(
        lambda _, changed: changed, step, (active, ops.any(active))
    )
    if limits.group_limit is not None:
        same, now = (ops.cast(v, "float32") for v in (same_group, kept))
        taken = ops.cast(ops.matmul(same, now[..., None])[..., 0] + 0.5, "int32")
        kept = ops.logical_and(kept, taken < limits.group_limit[:, :size])
    number = ops.cast(ops.cast(kept, "float32") * counted, "int32")
    before = ops.cumsum(number, axis=1) - number
    return ops.logical_and(kept, before < limits.limit)


def _after_block(
    table: "_Table", block: Tensor, active: Tensor, limits: _Limits
) -> tuple[Tensor, _Limits]:
    """Returns which candidates remain active after the first block, and the limits."""
    size = block.shape[1]
    iou, same_group = table.compare_first(active.shape[1], size)
    same_group = ops.logical_and(same_group, block[:, None, :])
    suppressed = ops.logical_and(same_group, iou > limits.iou_threshold)
    active = ops.logical_and(active, ops.logical_not(ops.any(suppressed, axis=2)))
    if limits.group_limit is not None:
        taken = ops.sum(ops.cast(same_group, "int32"), axis=2)
        limits = limits._replace(group_limit=limits.group_limit - taken)
    return active, limits


def _sequential_nms(
    table: "_Table", active: Tensor, limits: _Limits, kept: Tensor
) -> Tensor:
    """Adds to the kept candidates, one box per image and iteration."""
    k = active.shape[1]
    place = ops.arange(k, dtype="int32")
    group_limit = limits.group_limit

    def step(
        active: Tensor, kept: Tensor, limit: Tensor, taken: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        first = ops.min(ops.where(active, place, k), axis=1, keepdims=True)
        here = place == first  # No place where no candidate is active.
        iou, same_group, counted = table.compare(ops.minimum(first, k - 1))
        drop = ops.logical_and(same_group, iou > limits.iou_threshold)
        kept = ops.logical_or(kept, here)
        if group_limit is not None:
            taken = taken + ops.cast(same_group, "int32")
            drop = ops.logical_or(drop, taken >= group_limit)
        limit = limit - ops.cast(ops.logical_and(first < k, counted), "int32")
        active = ops.logical_and(active, ops.logical_not(ops.logical_or(drop, here)))
        return ops.logical_and(active, limit > 0), kept, limit, taken

    if group_limit is not None:
        active = ops.logical_and(active, group_limit > 0)
    # Number of kept boxes of the group of each box.
    taken = ops.zeros_like(place) + ops.zeros_like(limits.limit)
    _, kept, _, _ = ops.while_loop(
        lambda active, *_: ops.any(active), step, (active, kept, limits.limit, taken)
    )
    return kept


class SoftNmsResult(NamedTuple):
    """Kept candidates in the order of their scores, padded."""

    indices: Tensor  # [b, n] int32, index among the candidates
    scores: Tensor  # [b, n], decayed
    num: Tensor  # [b, 1] int32, number of valid entries


def soft_nms(
    candidates: NmsCandidates,
    scores: Tensor,
    size: int,
    iou_threshold: float,
    sigma: float,
    threshold: float,
    group_limit: int | None = None,
) -> SoftNmsResult:
    """Keeps the best candidate, decays the scores of what overlaps it, and repeats.

    Scores are multiplied by `exp(-iou**2 / (2 * sigma))`, and by 0 where the IoU is
    above `iou_threshold`.

    Args:
        candidates: Boxes.
        scores: `[b, k]`.
        size: Maximum number of boxes kept per image.
        iou_threshold: In [0, 1].
        sigma: Above 0.
        threshold: Decayed scores must be above it.
        group_limit: Maximum number of boxes kept per group; None: no limit.
    """
    k = candidates.boxes.shape[1]
    place = ops.arange(k, dtype="int32")
    slot = ops.arange(size, dtype="int32")
    excluded = -float("inf")
    table = _Table(candidates)

    def step(
        scores: Tensor, kept: Tensor, indices: Tensor, values: Tensor, num: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        top = ops.max(scores, axis=1, keepdims=True)
        found = top > threshold
        first = ops.where(ops.logical_and(scores == top, found), place, k)
        first = ops.min(first, axis=1, keepdims=True)
        here = place == first
        iou, same_group, counted = table.compare(ops.minimum(first, k - 1))
        decay = ops.exp((-0.5 / sigma) * ops.square(iou))
        decay = ops.where(iou > iou_threshold, 0.0, decay)
        decays = ops.logical_and(same_group, scores > threshold)
        scores = ops.where(decays, scores * decay, scores)
        scores = ops.where(here, excluded, scores)
        kept = ops.logical_or(kept, here)
        if group_limit is not None:
            taken = ops.logical_and(kept, same_group)
            taken = ops.sum(ops.cast(taken, "int32"), axis=1, keepdims=True)
            full = ops.logical_and(same_group, taken >= group_limit)
            scores = ops.where(full, excluded, scores)
        counted = ops.logical_and(counted, found)
        write = ops.logical_and(slot == num, counted)
        indices = ops.where(write, first, indices)
        values = ops.where(write, top, values)
        num = num + ops.cast(counted, "int32")
        scores = ops.where(num < size, scores, excluded)
        return scores, kept, indices, values, num

    none = ops.zeros_like(scores[:, :1], dtype="int32")
    empty = ops.zeros((1, size), dtype="int32") + none
    values = ops.cast(empty, scores.dtype)
    kept = ops.zeros_like(scores, dtype="bool")
    state = (scores, kept, empty, values, none)
    state = ops.while_loop(lambda s, *_: ops.any(s > threshold), step, state)
    return SoftNmsResult(*state[2:])


class _Table:
    """Properties of the candidates that a comparison needs, one row per box."""

    def __init__(self, candidates: NmsCandidates) -> None:
        boxes = candidates.boxes
        dtype = boxes.dtype
        # Corners may come in any order, as in TensorFlow's own NMS.
        low = ops.minimum(boxes[..., :2], boxes[..., 2:])
        high = ops.maximum(boxes[..., :2], boxes[..., 2:])
        boxes = ops.concatenate([low, high], axis=-1)
        self.columns = (
            *(boxes[..., i] for i in range(4)),
            area(boxes),
            ops.cast(candidates.groups, dtype),
            ops.cast(candidates.counted, dtype),
        )
        self.rows = ops.stack(self.columns, axis=-1)  # [b, k, 7]

    def compare(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compares the box at `index [b, 1]` with all boxes.

        Returns:
            IoU `[b, k]`, membership in its group `[b, k]`, and whether it is counted
            `[b, 1]`.
        """
        row = gather_rows(self.rows, index)[:, 0]  # [b, 7]
        row = [row[:, i : i + 1] for i in range(7)]
        return *_compare(row, self.columns), row[-1] > 0.5

    def compare_first(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Returns IoU and common group of the first boxes, `[b, rows, columns]`."""
        return _compare(
            [value[:, :rows, None] for value in self.columns],
            [value[:, None, :columns] for value in self.columns],
        )


def _compare(one: Sequence[Tensor], other: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Returns IoU, and whether the groups are equal, of columns of a table."""
    y0, x0, y1, x1, size, group, _ = one
    v0, u0, v1, u1, sizes, groups, _ = other
    height = ops.maximum(ops.minimum(y1, v1) - ops.maximum(y0, v0), 0.0)
    width = ops.maximum(ops.minimum(x1, u1) - ops.maximum(x0, u0), 0.0)
    overlap = height * width
    iou = overlap / ops.maximum(size + sizes - overlap, _TINY)
    return iou, groups == group
