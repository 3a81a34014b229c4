"""Non-maximum suppression of a batch, with static shapes.

All pairs of (anchor, class) compete in one list. The best `candidates` pairs come
first; among them the best is picked again and again, and what overlaps it in its class
is dropped, until `max_total` are found. Where the candidates run out before, the next
best ones follow, so that the result is that of all pairs.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from odapi.geometry.boxes import area, clip, pairwise_iou
from odapi.geometry.gather import gather_rows
from odapi.geometry.nms.candidates import Candidates, best_pairs
from odapi.geometry.nms.greedy import BLOCK_SIZE, NmsCandidates, greedy_nms, soft_nms
from odapi.structures import Tensor

_LEAST_CANDIDATES = 1000
_CANDIDATES_PER_DETECTION = 10
# Enough for most images, and picked from at once: if not, the next turn has more.
_FEW_CANDIDATES, _OF_DETECTIONS = BLOCK_SIZE, BLOCK_SIZE // 2
# Later turns take more: each costs a pass over all scores.
_LATER = 8

Convert = Callable[[Tensor], Tensor]


class Selection(NamedTuple):
    """What was picked in each image, best first, padded with zeros."""

    boxes: Tensor  # [b, n, 4], as they came in: not clipped
    scores: Tensor  # [b, n]
    classes: Tensor  # [b, n] int32
    anchors: Tensor  # [b, n] int32
    num: Tensor  # [b, 1] int32


@dataclasses.dataclass(frozen=True)
class NonMaxSuppression:
    """Keeps the best of all boxes that overlap within a class.

    A box that lies wholly outside the window is never returned, but drops what it
    overlaps and counts for `max_per_class`, as in the original (not beyond the
    candidates that it came with). Ties go
    to the lower class, then the lower anchor. Of more pairs that tie than are looked at
    in a later turn (eight times `candidates`), some may be left out.

    Args:
        iou_threshold: Boxes that overlap more are dropped.
        score_threshold: Scores must be above it.
        max_per_class: Most boxes of a class.
        max_total: Most boxes of an image; the size of the result.
        soft_sigma: Above 0: scores of overlapping boxes shrink by
            `exp(-iou**2 / (2 * soft_sigma))` instead (up to `iou_threshold`).
        class_agnostic: Boxes compete across classes, each with its best class.
        classes_per_detection: With `class_agnostic`, how many classes of a box may
            be returned, each as a detection of its own.
        candidates: Pairs of (anchor, class) that compete at a time. It changes speed
            and memory, not the result, but for `soft_sigma`, which picks among the
            first ones only. 0: as many as are enough most often.

    Source: Bodla et al. 2017 (https://arxiv.org/abs/1704.04503), for `soft_sigma`.
    """

    iou_threshold: float = 0.6
    score_threshold: float = 0.0
    max_per_class: int = 100
    max_total: int = 100
    soft_sigma: float = 0.0
    class_agnostic: bool = False
    classes_per_detection: int = 1
    candidates: int = 0

    def __post_init__(self):
        if not 0 <= self.iou_threshold <= 1:
            raise ValueError(
                f"iou_threshold must be in [0, 1], got {self.iou_threshold}"
            )
        if self.soft_sigma < 0:
            raise ValueError(f"soft_nms_sigma must be >= 0, got {self.soft_sigma}")
        if self.candidates < 0:
            raise ValueError(f"nms_candidates must be >= 0, got {self.candidates}")
        for name, value in (
            ("max_detections_per_class", self.max_per_class),
            ("max_total_detections", self.max_total),
            ("max_classes_per_detection", self.classes_per_detection),
        ):
            if value < 1:
                raise ValueError(f"{name} must be >= 1, got {value}")

    def __call__(
        self,
        boxes: Tensor,
        scores: Tensor,
        window: Tensor | None = None,
        convert: Convert | None = None,
    ) -> Selection:
        """Returns what is left of the boxes of each image.

        Args:
            boxes: `[b, anchors, 4]`, or `[b, anchors, classes, 4]` where each class
                has a box of its own.
            scores: `[b, anchors, classes]`, without background.
            window: `[b, 4]`, outside of which nothing is returned.
            convert: A function that never falls, from what is in `scores` to scores:
                only the candidates are converted.
        """
        if self.class_agnostic:
            return self._class_agnostic(boxes, scores, window, convert)
        some = self._candidates(boxes, scores, convert)
        if self.soft_sigma > 0:
            return self._softly(some, window)
        found, more = self._pick(None, some, window)
        if some.scores.shape[1] < scores.shape[1] * scores.shape[2]:
            inputs = (boxes, scores, window, convert)
            found = self._resume(inputs, some.limit, found, more)
        return found

    def _candidates(
        self,
        boxes: Tensor,
        scores: Tensor,
        convert: Convert | None,
        limit: Tensor | None = None,
    ) -> Candidates:
        most = self.candidates or self._enough()
        first = limit is None and self.soft_sigma == 0
        most = most if limit is None else _LATER * most
        return best_pairs(
            boxes, scores, most, self.score_threshold, convert, limit, ties=not first
        )

    def _enough(self) -> int:
        if self.soft_sigma == 0 and self.max_total <= _OF_DETECTIONS:
            return _FEW_CANDIDATES
        return max(_LEAST_CANDIDATES, _CANDIDATES_PER_DETECTION * self.max_total)

    def _pick(
        self, found: Selection | None, some: Candidates, window: Tensor | None
    ) -> tuple[Selection, Tensor]:
        """Adds what candidates have to offer; and `[b, 1]` bool, who needs more."""
        candidates = _nms_candidates(some, window)
        alive, room = some.valid, self.max_per_class
        if found is None:
            found = _nothing(some, self.max_total)
        else:
            clash, before = _against(found, some)
            alive = ops.logical_and(alive, clash <= self.iou_threshold)
            room = room - before
        picked = greedy_nms(
            candidates,
            alive,
            self.max_total - found.num,
            self.iou_threshold,
            None if self._never_full(window) else room,
        )
        found = _add(found, some, ops.logical_and(picked, candidates.counts))
        return found, ops.logical_and(some.more, found.num < self.max_total)

    def _never_full(self, window: Tensor | None) -> bool:
        """Whether no class can reach its limit before the image has reached its own."""
        return window is None and self.max_per_class >= self.max_total

    def _resume(
        self, inputs: tuple, limit: Tensor, found: Selection, more: Tensor
    ) -> Selection:
        """Takes further candidates for as long as an image needs more."""
        boxes, scores, window, convert = inputs

        def turn(more, limit, *found):
            some = self._candidates(boxes, scores, convert, limit)
            some = some._replace(valid=ops.logical_and(some.valid, more))
            found, more = self._pick(Selection(*found), some, window)
            return (more, some.limit, *found)

        state = (more, limit, *found)
        state = ops.while_loop(lambda more, *_: ops.any(more), turn, state)
        return Selection(*state[2:])

    def _softly(self, some: Candidates, window: Tensor | None) -> Selection:
        scores = ops.where(some.valid, some.scores, -float("inf"))
        per_class = None if self._never_full(window) else self.max_per_class
        picks = soft_nms(
            _nms_candidates(some, window),
            scores,
            self.max_total,
            self.iou_threshold,
            self.soft_sigma,
            self.score_threshold,
            per_class,
        )
        boxes, classes, anchors = (
            gather_rows(v, picks.places)
            for v in (some.boxes, some.classes, some.anchors)
        )
        return _padded(Selection(boxes, picks.scores, classes, anchors, picks.num))

    def _class_agnostic(
        self,
        boxes: Tensor,
        scores: Tensor,
        window: Tensor | None,
        convert: Convert | None,
    ) -> Selection:
        best = ops.cast(ops.argmax(scores, axis=-1), "int32")  # [b, anchors]
        if len(boxes.shape) == 4:
            rows, width = boxes.shape[1], boxes.shape[2]
            own = best + width * ops.arange(rows, dtype="int32")
            boxes = gather_rows(ops.reshape(boxes, (-1, rows * width, 4)), own)
        # Boxes outside the window must not use up the only limit there is.
        one = dataclasses.replace(
            self, class_agnostic=False, max_per_class=boxes.shape[1]
        )
        found = one(boxes, ops.max(scores, axis=-1, keepdims=True), window, convert)
        if self.classes_per_detection == 1:
            return _padded(found._replace(classes=gather_rows(best, found.anchors)))
        rows = gather_rows(scores, found.anchors)
        return self._spread(found, rows if convert is None else convert(rows))

    def _spread(self, found: Selection, rows: Tensor) -> Selection:
        """Returns the best classes of each box as detections of their own.

        Args:
            found: What was picked by the best class.
            rows: `[b, n, classes]`, its scores.
        """
        per = min(self.classes_per_detection, rows.shape[2])
        if self.soft_sigma > 0:  # What the best class lost, the others lose, too.
            top = ops.max(rows, axis=-1, keepdims=True)
            rows = rows * (found.scores[..., None] / ops.maximum(top, 1e-30))
        scores, classes = ops.top_k(rows, per)
        real = ops.logical_and(_real(found)[..., None], scores > self.score_threshold)
        scores = ops.where(real, scores, -float("inf"))
        width = self.max_total * per
        scores = ops.reshape(scores, (-1, width))
        classes = ops.reshape(ops.cast(classes, "int32"), (-1, width))
        place = ops.cast(ops.argsort(-scores, axis=1)[:, : self.max_total], "int32")
        scores = gather_rows(scores, place)
        real = ops.cast(scores > -float("inf"), "int32")
        return _padded(
            Selection(
                boxes=gather_rows(found.boxes, place // per),
                scores=scores,
                classes=gather_rows(classes, place),
                anchors=gather_rows(found.anchors, place // per),
                num=ops.sum(real, axis=1, keepdims=True),
            )
        )


def _nms_candidates(some: Candidates, window: Tensor | None) -> NmsCandidates:
    if window is None:
        inside = ops.ones_like(some.valid)
    else:
        inside = area(clip(some.boxes, window)) > 0
    return NmsCandidates(some.boxes, some.classes, inside)


def _nothing(some: Candidates, size: int) -> Selection:
    """Returns the empty selection, for as many images as candidates are of."""
    none = 0 * some.classes[:, :1]  # [b, 1]
    index = ops.zeros((1, size), dtype="int32") + none
    scores = ops.cast(index, some.scores.dtype)
    boxes = ops.cast(ops.stack([index] * 4, axis=-1), some.boxes.dtype)
    return Selection(boxes, scores, index, index, none)


def _against(found: Selection, some: Candidates) -> tuple[Tensor, Tensor]:
    """Compares candidates with what was found before.

    Returns:
        The highest IoU with a found box of the class, and the number of those, both
        `[b, k]`.
    """
    same = some.classes[:, :, None] == found.classes[:, None, :]
    same = ops.logical_and(same, _real(found)[:, None, :])
    iou = ops.where(same, pairwise_iou(some.boxes, found.boxes), 0.0)
    return ops.max(iou, axis=2), ops.sum(ops.cast(same, "int32"), axis=2)


def _add(found: Selection, some: Candidates, picked: Tensor) -> Selection:
    """Appends the picked candidates to what was found."""
    size = found.scores.shape[1]
    there = ops.concatenate([_real(found), picked], axis=1)
    length = there.shape[1]
    place = ops.where(there, ops.arange(length, dtype="int32"), length)
    place = ops.minimum(-ops.top_k(-place, size)[0], length - 1)
    boxes, scores, classes, anchors = (
        gather_rows(ops.concatenate([a, b], axis=1), place)
        for a, b in zip(found[:4], some[:4], strict=True)
    )
    num = ops.sum(ops.cast(there, "int32"), axis=1, keepdims=True)
    return _padded(Selection(boxes, scores, classes, anchors, num))


def _real(found: Selection) -> Tensor:
    """Returns `[b, n]` bool: which are no padding."""
    return ops.arange(found.scores.shape[1], dtype="int32") < found.num


def _padded(found: Selection) -> Selection:
    """Returns the selection with zeros as padding."""
    real = _real(found)
    return Selection(
        boxes=ops.where(real[..., None], found.boxes, 0.0),
        scores=ops.where(real, found.scores, 0.0),
        classes=ops.where(real, found.classes, 0),
        anchors=ops.where(real, found.anchors, 0),
        num=found.num,
    )
