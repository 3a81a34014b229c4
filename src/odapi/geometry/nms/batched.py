"""Batched non-maximum suppression (NMS) with static shapes.

All pairs of (anchor, class) of an image compete in one list. The best `candidates`
pairs
form the first block: greedily, the best is kept and the pairs of its class that overlap
it are suppressed, until `max_total` are kept. If the candidates run out before, NMS
resumes with the next best ones, so that the result equals that over all pairs.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from odapi.errors import ConfigError
from odapi.geometry.boxes import area, clip, pairwise_iou
from odapi.geometry.gather import gather_rows
from odapi.geometry.nms.candidates import (
    Candidates,
    best_pairs,
    number_of_anchors,
)
from odapi.geometry.nms.greedy import BLOCK_SIZE, NmsCandidates, greedy_nms, soft_nms
from odapi.geometry.nms.operator import NmsOperator, nms_operator
from odapi.structures import Tensor

_MIN_CANDIDATES = 1000
_CANDIDATES_PER_DETECTION = 10
# An operator has one block. For a trained SSD 1000 were too few in every image of blood
# cells, whose many anchors suppress each other, and 2000 were sufficient in all.
_MIN_CANDIDATES_OF_OPERATOR = 3000
# Up to this number of detections, a single block is sufficient for most images; for the
# others, a later block has more candidates.
_MAX_DETECTIONS_OF_BLOCK = BLOCK_SIZE // 2
# Later blocks are larger, since each costs a pass over all scores.
_LATER_BLOCK_FACTOR = 8
_NO_LIMIT = 2**30

Convert = Callable[[Tensor], Tensor]


class Selection(NamedTuple):
    """Kept boxes of each image, best first, padded with zeros."""

    boxes: Tensor  # [b, n, 4], unclipped
    scores: Tensor  # [b, n]
    classes: Tensor  # [b, n] int32
    anchors: Tensor  # [b, n] int32
    num: Tensor  # [b, 1] int32, number of valid boxes


@dataclasses.dataclass(frozen=True)
class NonMaxSuppression:
    """Suppresses boxes that overlap a better box of their class.

    A box that lies entirely outside the window is never returned, but suppresses what
    it overlaps and counts for `max_per_class`, as in the original (within its block of
    candidates only). Ties go to the lower class, then to the lower anchor. If more
    pairs tie than a later block holds (eight times `candidates`), some may be missing.

    Args:
        iou_threshold: Boxes that overlap a kept one more are suppressed.
        score_threshold: Scores must be above it.
        max_per_class: Maximum number of boxes per class.
        max_total: Maximum number of boxes per image; the size of the result.
        soft_sigma: If above 0, soft NMS: scores of overlapping boxes are multiplied by
            `exp(-iou**2 / (2 * soft_sigma))` instead (up to `iou_threshold`).
        class_agnostic: Boxes compete across classes, each with its best class.
        classes_per_detection: With `class_agnostic`, maximum number of classes of a box
            that are returned, as separate detections.
        candidates: Pairs of (anchor, class) per block. It affects speed and memory, but
            not the result, except with `soft_sigma`, which uses the first block only.
            0: sufficient for most images.

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

    def __post_init__(self) -> None:
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
        """Returns the boxes of each image that remain.

        Args:
            boxes: `[b, anchors, 4]`, or `[b, anchors, classes, 4]` with one box per
                class.
            scores: `[b, anchors, classes]`, without background.
            window: `[b, 4]`; boxes outside of it are not returned.
            convert: Monotonic function from the values in `scores` to scores. It is
                applied to the candidates only.

        Raises:
            ConfigError: Soft NMS is traced for a runtime without an operator for it.
        """
        if scores.shape[1] is None:
            # Only a graph that runs knows the number of anchors: with these rows, there
            # are at least as many as candidates.
            missing = _LATER_BLOCK_FACTOR * self._num_candidates
            ends = [[0, 0], [0, missing]]
            low = -float("inf")
            scores = ops.pad(scores, [*ends, [0, 0]], constant_values=low)
            boxes = ops.pad(boxes, [*ends, *[[0, 0]] * (len(boxes.shape) - 2)])
        if self.class_agnostic:
            return self._class_agnostic(boxes, scores, window, convert)
        operator = nms_operator()
        if operator is not None and self.soft_sigma > 0:
            raise ConfigError(
                "soft_nms_sigma",
                f"is {self.soft_sigma:g}, and no runtime of exported networks has an "
                "operator for soft NMS",
                hint="export a SavedModel, or set soft_nms_sigma to 0 by --set",
            )
        block = self._block(boxes, scores, convert)
        if self.soft_sigma > 0:
            return self._soft(block, window)
        if operator is not None:
            return self._by_operator(operator, block, window, scores.shape[2])
        found, incomplete = self._extend(None, block, window)
        if block.scores.shape[1] < number_of_anchors(scores) * scores.shape[2]:
            inputs = (boxes, scores, window, convert)
            found = self._resume(inputs, block.limit, found, incomplete)
        return found

    def _block(
        self,
        boxes: Tensor,
        scores: Tensor,
        convert: Convert | None,
        limit: Tensor | None = None,
    ) -> Candidates:
        """Returns the best candidates, or the next ones below `limit`."""
        size = self._num_candidates
        may_resume = limit is None and self.soft_sigma == 0
        size = size if limit is None else _LATER_BLOCK_FACTOR * size
        return best_pairs(
            boxes,
            scores,
            size,
            self.score_threshold,
            convert,
            limit,
            ties=not may_resume or nms_operator() is not None,
        )

    @property
    def _num_candidates(self) -> int:
        """Number of pairs of the first block."""
        if self.candidates:
            return self.candidates
        several = _CANDIDATES_PER_DETECTION * self.max_total
        if nms_operator() is not None:
            return max(_MIN_CANDIDATES_OF_OPERATOR, several)
        if self.soft_sigma == 0 and self.max_total <= _MAX_DETECTIONS_OF_BLOCK:
            return BLOCK_SIZE
        return max(_MIN_CANDIDATES, several)

    def _extend(
        self, found: Selection | None, block: Candidates, window: Tensor | None
    ) -> tuple[Selection, Tensor]:
        """Adds kept candidates; and returns `[b, 1]` bool, which images need more."""
        candidates = _nms_candidates(block, window)
        active: Tensor = block.valid
        group_limit: Tensor | int = self.max_per_class
        if found is None:
            found = _empty_selection(block, self.max_total)
        else:
            highest_iou, same_class = _compare(found, block)
            active = ops.logical_and(active, highest_iou <= self.iou_threshold)
            group_limit = group_limit - same_class
        kept = greedy_nms(
            candidates,
            active,
            self.max_total - found.num,
            self.iou_threshold,
            None if self._total_limits_classes(window) else group_limit,
        )
        found = _append(found, block, ops.logical_and(kept, candidates.counted))
        return found, ops.logical_and(block.more, found.num < self.max_total)

    def _total_limits_classes(self, window: Tensor | None) -> bool:
        """Returns whether an image reaches `max_total` before `max_per_class`."""
        return window is None and self.max_per_class >= self.max_total

    def _resume(
        self,
        inputs: tuple[Tensor, Tensor, Tensor | None, Convert | None],
        limit: Tensor,
        found: Selection,
        incomplete: Tensor,
    ) -> Selection:
        """Processes further blocks of candidates while an image needs more."""
        boxes, scores, window, convert = inputs

        def step(
            incomplete: Tensor, limit: Tensor, *found: Tensor
        ) -> tuple[Tensor, ...]:
            block = self._block(boxes, scores, convert, limit)
            valid = ops.logical_and(block.valid, incomplete)
            block = block._replace(valid=valid)
            found, incomplete = self._extend(Selection(*found), block, window)
            return (incomplete, block.limit, *found)

        state = (incomplete, limit, *found)
        state = ops.while_loop(lambda more, *_: ops.any(more), step, state)
        return Selection(*state[2:])

    def _by_operator(
        self,
        operator: NmsOperator,
        block: Candidates,
        window: Tensor | None,
        num_classes: int,
    ) -> Selection:
        """Processes the first block only, by the operator of an exported format."""
        candidates = _nms_candidates(block, window)
        kept = operator(
            candidates, block.valid, self.iou_threshold, self.max_per_class, num_classes
        )
        kept = ops.logical_and(kept, candidates.counted)
        return _append(_empty_selection(block, self.max_total), block, kept)

    def _soft(self, block: Candidates, window: Tensor | None) -> Selection:
        scores = ops.where(block.valid, block.scores, -float("inf"))
        per_class = None if self._total_limits_classes(window) else self.max_per_class
        kept = soft_nms(
            _nms_candidates(block, window),
            scores,
            self.max_total,
            self.iou_threshold,
            self.soft_sigma,
            self.score_threshold,
            per_class,
        )
        boxes, classes, anchors = (
            gather_rows(v, kept.indices)
            for v in (block.boxes, block.classes, block.anchors)
        )
        return _padded(Selection(boxes, kept.scores, classes, anchors, kept.num))

    def _class_agnostic(
        self,
        boxes: Tensor,
        scores: Tensor,
        window: Tensor | None,
        convert: Convert | None,
    ) -> Selection:
        best = ops.cast(ops.argmax(scores, axis=-1), "int32")  # [b, anchors]
        if len(boxes.shape) == 4:
            batch, rows, width, _ = ops.shape(boxes)
            own = best + width * ops.arange(rows, dtype="int32")
            boxes = gather_rows(ops.reshape(boxes, (batch, -1, 4)), own)
        # Boxes outside the window must not use up the limit of the only class.
        single = dataclasses.replace(
            self, class_agnostic=False, max_per_class=boxes.shape[1] or _NO_LIMIT
        )
        found = single(boxes, ops.max(scores, axis=-1, keepdims=True), window, convert)
        if self.classes_per_detection == 1:
            return _padded(found._replace(classes=gather_rows(best, found.anchors)))
        rows = gather_rows(scores, found.anchors)
        return self._split_classes(found, rows if convert is None else convert(rows))

    def _split_classes(self, found: Selection, rows: Tensor) -> Selection:
        """Returns the best classes of each box as separate detections.

        Args:
            found: Boxes that were kept by their best class.
            rows: `[b, n, classes]`, their scores.
        """
        per_box = min(self.classes_per_detection, rows.shape[2])
        if self.soft_sigma > 0:  # Decay the other classes as much as the best one.
            top = ops.max(rows, axis=-1, keepdims=True)
            rows = rows * (found.scores[..., None] / ops.maximum(top, 1e-30))
        scores, classes = ops.top_k(rows, per_box)
        valid = ops.logical_and(_valid(found)[..., None], scores > self.score_threshold)
        scores = ops.where(valid, scores, -float("inf"))
        width = self.max_total * per_box
        scores = ops.reshape(scores, (-1, width))
        classes = ops.reshape(ops.cast(classes, "int32"), (-1, width))
        place = ops.cast(ops.argsort(-scores, axis=1)[:, : self.max_total], "int32")
        scores = gather_rows(scores, place)
        valid = ops.cast(scores > -float("inf"), "int32")
        return _padded(
            Selection(
                boxes=gather_rows(found.boxes, place // per_box),
                scores=scores,
                classes=gather_rows(classes, place),
                anchors=gather_rows(found.anchors, place // per_box),
                num=ops.sum(valid, axis=1, keepdims=True),
            )
        )


def _nms_candidates(block: Candidates, window: Tensor | None) -> NmsCandidates:
    if window is None:
        inside = ops.ones_like(block.valid)
    else:
        inside = area(clip(block.boxes, window)) > 0
    return NmsCandidates(block.boxes, block.classes, inside)


def _empty_selection(block: Candidates, size: int) -> Selection:
    """Returns an empty selection for the images of the candidates."""
    none = 0 * block.classes[:, :1]  # [b, 1]
    index = ops.zeros((1, size), dtype="int32") + none
    scores = ops.cast(index, block.scores.dtype)
    boxes = ops.cast(ops.stack([index] * 4, axis=-1), block.boxes.dtype)
    return Selection(boxes, scores, index, index, none)


def _compare(found: Selection, block: Candidates) -> tuple[Tensor, Tensor]:
    """Compares candidates with the boxes of their class that were kept before.

    Returns:
        The highest IoU and the number of those boxes, both `[b, k]`.
    """
    same = block.classes[:, :, None] == found.classes[:, None, :]
    same = ops.logical_and(same, _valid(found)[:, None, :])
    iou = ops.where(same, pairwise_iou(block.boxes, found.boxes), 0.0)
    return ops.max(iou, axis=2), ops.sum(ops.cast(same, "int32"), axis=2)


def _append(found: Selection, block: Candidates, kept: Tensor) -> Selection:
    """Appends the kept candidates `[b, k]` to a selection."""
    size = found.scores.shape[1]
    valid = ops.concatenate([_valid(found), kept], axis=1)
    length = valid.shape[1]
    place = ops.where(valid, ops.arange(length, dtype="int32"), length)
    place = ops.minimum(-ops.top_k(-place, size)[0], length - 1)
    boxes, scores, classes, anchors = (
        gather_rows(ops.concatenate([a, b], axis=1), place)
        for a, b in zip(found[:4], block[:4], strict=True)
    )
    num = ops.sum(ops.cast(valid, "int32"), axis=1, keepdims=True)
    return _padded(Selection(boxes, scores, classes, anchors, num))


def _valid(found: Selection) -> Tensor:
    """Returns `[b, n]` bool: False for padding."""
    return ops.arange(found.scores.shape[1], dtype="int32") < found.num


def _padded(found: Selection) -> Selection:
    """Returns the selection with zeros as padding."""
    valid = _valid(found)
    return Selection(
        boxes=ops.where(valid[..., None], found.boxes, 0.0),
        scores=ops.where(valid, found.scores, 0.0),
        classes=ops.where(valid, found.classes, 0),
        anchors=ops.where(valid, found.anchors, 0),
        num=found.num,
    )
