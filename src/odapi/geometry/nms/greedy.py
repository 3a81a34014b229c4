"""Greedy suppression among candidates that are sorted by score.

The loops have static shapes and stop as soon as every image has what it wants.
"""

from collections.abc import Sequence
from typing import NamedTuple

from keras import ops

from odapi.geometry.boxes import area
from odapi.geometry.gather import gather_rows
from odapi.structures import Tensor

_TINY = 1e-30  # Where there is no union: 0 / _TINY is 0.
# So many are picked from at once. A turn of the loop is twenty small operations, and
# the launching of those is what it costs; a table of this size costs two turns.
BLOCK_SIZE = 256
# Of more boxes than this, what the first ones drop takes longer than it saves.
_MANY = 2000


class NmsCandidates(NamedTuple):
    """Boxes that compete in an image."""

    boxes: Tensor  # [b, k, 4]
    groups: Tensor  # [b, k] int32: boxes compete within a group
    counts: Tensor  # [b, k] bool: those that count when they are picked


def rank_by_nms(
    boxes: Tensor, scores: Tensor, size: int, iou_threshold: float
) -> Tensor:
    """Picks boxes by score, of which none overlap by more than `iou_threshold`.

    Args:
        boxes: `[b, n, 4]`.
        scores: `[b, n]`.
        size: Most boxes of an image.
        iou_threshold: In [0, 1].

    Returns:
        `[b, n]` int32: when a box was picked, counted from 0; `size` if never.
    """
    order = ops.argsort(-scores, axis=1)
    candidates = NmsCandidates(
        gather_rows(boxes, order),
        ops.zeros_like(scores, dtype="int32"),
        ops.ones_like(scores, dtype="bool"),
    )
    room = ops.full_like(scores[:, :1], size, dtype="int32")
    picked = greedy_nms(candidates, candidates.counts, room, iou_threshold)
    rank = ops.cumsum(ops.cast(picked, "int32"), axis=1) - 1
    rank = ops.where(picked, rank, size)
    return gather_rows(rank, ops.argsort(order, axis=1))


def greedy_nms(
    candidates: NmsCandidates,
    alive: Tensor,
    room: Tensor,
    iou_threshold: float,
    group_room: Tensor | int | None = None,
) -> Tensor:
    """Picks the first that is alive, drops what overlaps it, and so on.

    Args:
        candidates: Boxes, best first.
        alive: `[b, k]` bool, which may be picked.
        room: `[b, 1]` int32, how many to pick at most of those that count.
        iou_threshold: In [0, 1].
        group_room: `[b, k]` int32 or a number: how many more of a box's group may be
            picked, also of those that do not count; None: any number.

    Returns:
        `[b, k]` bool.
    """
    table = _Table(candidates)
    if group_room is not None:
        group_room = ops.broadcast_to(
            ops.convert_to_tensor(group_room), ops.shape(candidates.groups)
        )
    limits = _Limits(iou_threshold, room, group_room)
    if candidates.boxes.shape[1] > _MANY:
        alive = ops.logical_and(alive, room > 0)
        return _pick_in_turn(table, alive, limits, ops.zeros_like(alive))
    head = _pick_at_once(table, alive, limits)
    left = candidates.boxes.shape[1] - head.shape[1]
    if left == 0:
        return head
    picked = ops.concatenate([head, ops.zeros_like(alive[:, :left])], axis=1)
    found = ops.cast(ops.logical_and(picked, candidates.counts), "int32")
    room = room - ops.sum(found, axis=1, keepdims=True)
    behind = ops.arange(candidates.boxes.shape[1]) >= head.shape[1]
    alive = ops.logical_and(ops.logical_and(alive, behind), room > 0)
    limits = limits._replace(room=room)

    def rest(_, picked):
        left = _after(table, head, alive, limits)
        return False, _pick_in_turn(table, *left, picked)

    # A loop of at most one turn: converters to ONNX cannot do with a loop in a branch.
    todo = ops.any(alive)
    return ops.while_loop(lambda todo, _: todo, rest, (todo, picked))[1]


class _Limits(NamedTuple):
    """What ends picking."""

    iou_threshold: float
    room: Tensor  # [b, 1] int32
    group_room: Tensor | None  # [b, k] int32


def _pick_at_once(table: "_Table", alive: Tensor, limits: _Limits) -> Tensor:
    """Picks from the first boxes, `[b, m]` bool.

    Whether a box is picked follows from those before it. Assuming any answer for all
    and correcting it again and again, the first is right after one turn, and each
    turn at least one more: where nothing changes, all are. Few turns are needed, one
    for each box in the longest chain of boxes that drop each other. What is beyond a
    limit has nothing of its group, or nothing at all, behind it that would be picked:
    so limits are applied at the end.
    """
    size = min(BLOCK_SIZE, alive.shape[1])
    iou, same = table.compare_first(size, size)
    earlier = ops.arange(size) < ops.arange(size)[:, None]
    same = ops.logical_and(same, earlier)
    drops = ops.logical_and(same, iou > limits.iou_threshold)
    drops = ops.cast(drops, "float32")
    counts = table.columns[-1][:, :size]
    alive = alive[:, :size]

    def step(picked, _):
        # TensorFlow takes a third of the time of a matrix product for this.
        dropped = ops.max(drops * ops.cast(picked, "float32")[:, None], axis=2)
        right = ops.logical_and(alive, dropped < 0.5)
        return right, ops.any(right != picked)

    picked, _ = ops.while_loop(
        lambda _, changed: changed, step, (alive, ops.any(alive))
    )
    if limits.group_room is not None:
        same, now = (ops.cast(v, "float32") for v in (same, picked))
        taken = ops.cast(ops.matmul(same, now[..., None])[..., 0] + 0.5, "int32")
        picked = ops.logical_and(picked, taken < limits.group_room[:, :size])
    found = ops.cast(ops.cast(picked, "float32") * counts, "int32")
    before = ops.cumsum(found, axis=1) - found
    return ops.logical_and(picked, before < limits.room)


def _after(
    table: "_Table", head: Tensor, alive: Tensor, limits: _Limits
) -> tuple[Tensor, _Limits]:
    """Returns who of all is still alive, and what room there is, after the first."""
    size = head.shape[1]
    iou, same = table.compare_first(alive.shape[1], size)
    same = ops.logical_and(same, head[:, None, :])
    drop = ops.any(ops.logical_and(same, iou > limits.iou_threshold), axis=2)
    alive = ops.logical_and(alive, ops.logical_not(drop))
    if limits.group_room is not None:
        taken = ops.sum(ops.cast(same, "int32"), axis=2)
        limits = limits._replace(group_room=limits.group_room - taken)
    return alive, limits


def _pick_in_turn(
    table: "_Table", alive: Tensor, limits: _Limits, picked: Tensor
) -> Tensor:
    """Adds to the picked ones by one box an image and turn."""
    k = alive.shape[1]
    place = ops.arange(k, dtype="int32")
    group_room = limits.group_room

    def step(alive, picked, room, taken):
        first = ops.min(ops.where(alive, place, k), axis=1, keepdims=True)
        here = place == first  # No place, where none is alive.
        iou, same, counts = table.compare(ops.minimum(first, k - 1))
        drop = ops.logical_and(same, iou > limits.iou_threshold)
        picked = ops.logical_or(picked, here)
        if group_room is not None:
            taken = taken + ops.cast(same, "int32")
            drop = ops.logical_or(drop, taken >= group_room)
        room = room - ops.cast(ops.logical_and(first < k, counts), "int32")
        alive = ops.logical_and(alive, ops.logical_not(ops.logical_or(drop, here)))
        return ops.logical_and(alive, room > 0), picked, room, taken

    if group_room is not None:
        alive = ops.logical_and(alive, group_room > 0)
    taken = ops.zeros_like(place) + ops.zeros_like(limits.room)  # Of each box's group.
    _, picked, _, _ = ops.while_loop(
        lambda alive, *_: ops.any(alive), step, (alive, picked, limits.room, taken)
    )
    return picked


class SoftNmsResult(NamedTuple):
    """What was picked, in order, padded."""

    places: Tensor  # [b, n] int32, where it lies among the candidates
    scores: Tensor  # [b, n], when it was picked
    num: Tensor  # [b, 1] int32


def soft_nms(
    candidates: NmsCandidates,
    scores: Tensor,
    size: int,
    iou_threshold: float,
    sigma: float,
    threshold: float,
    per_group: int | None = None,
) -> SoftNmsResult:
    """Picks the best, shrinks the scores of what overlaps it, and so on.

    Scores shrink by `exp(-iou**2 / (2 * sigma))`, and to nothing where the overlap is
    above `iou_threshold`.

    Args:
        candidates: Boxes.
        scores: `[b, k]`.
        size: Most picks of an image.
        iou_threshold: In [0, 1].
        sigma: Above 0.
        threshold: What a score must be above when it is picked.
        per_group: Most picks of a group; None: any number.
    """
    k = candidates.boxes.shape[1]
    place = ops.arange(k, dtype="int32")
    slot = ops.arange(size, dtype="int32")
    gone = -float("inf")
    table = _Table(candidates)

    def step(scores, picked, places, values, num):
        top = ops.max(scores, axis=1, keepdims=True)
        found = top > threshold
        first = ops.where(ops.logical_and(scores == top, found), place, k)
        first = ops.min(first, axis=1, keepdims=True)
        here = place == first
        iou, same, counts = table.compare(ops.minimum(first, k - 1))
        weight = ops.exp((-0.5 / sigma) * ops.square(iou))
        weight = ops.where(iou > iou_threshold, 0.0, weight)
        fewer = ops.logical_and(same, scores > threshold)
        scores = ops.where(fewer, scores * weight, scores)
        scores = ops.where(here, gone, scores)
        picked = ops.logical_or(picked, here)
        if per_group is not None:
            taken = ops.logical_and(picked, same)
            taken = ops.sum(ops.cast(taken, "int32"), axis=1, keepdims=True)
            full = ops.logical_and(same, taken >= per_group)
            scores = ops.where(full, gone, scores)
        counts = ops.logical_and(counts, found)
        write = ops.logical_and(slot == num, counts)
        places = ops.where(write, first, places)
        values = ops.where(write, top, values)
        num = num + ops.cast(counts, "int32")
        scores = ops.where(num < size, scores, gone)
        return scores, picked, places, values, num

    none = ops.zeros_like(scores[:, :1], dtype="int32")
    empty = ops.zeros((1, size), dtype="int32") + none
    values = ops.cast(empty, scores.dtype)
    picked = ops.zeros_like(scores, dtype="bool")
    state = (scores, picked, empty, values, none)
    state = ops.while_loop(lambda s, *_: ops.any(s > threshold), step, state)
    return SoftNmsResult(*state[2:])


class _Table:
    """What a step needs to know of the picked box, in one row a box."""

    def __init__(self, candidates: NmsCandidates):
        boxes = candidates.boxes
        kind = boxes.dtype
        # Corners may come in any order, as in TensorFlow's own suppression.
        low = ops.minimum(boxes[..., :2], boxes[..., 2:])
        high = ops.maximum(boxes[..., :2], boxes[..., 2:])
        boxes = ops.concatenate([low, high], axis=-1)
        self.columns = (
            *(boxes[..., i] for i in range(4)),
            area(boxes),
            ops.cast(candidates.groups, kind),
            ops.cast(candidates.counts, kind),
        )
        self.rows = ops.stack(self.columns, axis=-1)  # [b, k, 7]

    def compare(self, place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compares the box at `place [b, 1]` with all.

        Returns:
            IoU `[b, k]`, who is in its group `[b, k]`, and whether it counts `[b, 1]`.
        """
        row = gather_rows(self.rows, place)[:, 0]  # [b, 7]
        row = [row[:, i : i + 1] for i in range(7)]
        return *_overlap(row, self.columns), row[-1] > 0.5

    def compare_first(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Compares the first boxes: IoU, one group or not, `[b, rows, columns]`."""
        return _overlap(
            [value[:, :rows, None] for value in self.columns],
            [value[:, None, :columns] for value in self.columns],
        )


def _overlap(one: Sequence[Tensor], other: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Returns IoU, and whether the groups are the same, of columns of a table."""
    y0, x0, y1, x1, size, group, _ = one
    v0, u0, v1, u1, sizes, groups, _ = other
    height = ops.maximum(ops.minimum(y1, v1) - ops.maximum(y0, v0), 0.0)
    width = ops.maximum(ops.minimum(x1, u1) - ops.maximum(x0, u0), 0.0)
    overlap = height * width
    iou = overlap / ops.maximum(size + sizes - overlap, _TINY)
    return iou, groups == group
