"""Region proposals: the best boxes that a proposal head sees, without doubles."""

import dataclasses
from typing import NamedTuple

import numpy as np
from keras import ops

from odapi.geometry.boxes import area, clip, to_window
from odapi.geometry.gather import gather_rows
from odapi.geometry.nms.batched import NonMaxSuppression, Selection
from odapi.models.two_stage.rois import in_window
from odapi.structures import Detections, Tensor
from odapi.targets.coders import BoxCoder

_NEVER = -1.0  # Below every objectness.


class Proposals(NamedTuple):
    """Proposed boxes of a batch, best first, padded with zeros."""

    boxes: Tensor  # [b, p, 4], clipped to the window, without gradient
    scores: Tensor  # [b, p], objectness
    valid: Tensor  # [b, p] bool
    anchors: Tensor  # [b, p] int32, what they started from

    @property
    def num(self) -> Tensor:
        """How many are real, `[b]` int32."""
        return ops.sum(ops.cast(self.valid, "int32"), axis=1)


@dataclasses.dataclass(frozen=True)
class Proposer:
    """Makes proposals of what a head says of anchors.

    A box that is wholly outside the window takes the place of another, as in the
    original; only then it is left out.

    Args:
        coder: Decodes boxes.
        iou_threshold: Boxes that overlap more are dropped.
        score_threshold: Objectness must be above it.
        size: Proposals of an image, at most.
        candidates: See `NonMaxSuppression`.

    Source: Ren et al. 2015 (https://arxiv.org/abs/1506.01497), section 3.
    """

    coder: BoxCoder
    iou_threshold: float = 0.7
    score_threshold: float = 0.0
    size: int = 300
    candidates: int = 0

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(
                f"first_stage_max_proposals must be 1 or more, got {self.size}"
            )
        for name, value in (
            ("first_stage_nms_iou_threshold", self.iou_threshold),
            ("first_stage_nms_score_threshold", self.score_threshold),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {value}")

    def __call__(
        self,
        codes: Tensor,
        logits: Tensor,
        anchors: Tensor,
        window: Tensor,
        valid_anchors: Tensor | None = None,
        keep_outside: bool = False,
    ) -> Proposals:
        """Returns the proposals of each image.

        Args:
            codes: `[b, anchors, code_size]`.
            logits: `[b, anchors, 2]` of background and object.
            anchors: `[anchors, 4]`.
            window: `[b, 4]`, in the frame of the anchors: the real image.
            valid_anchors: `[anchors]` bool, which anchors may propose; None: all.
            keep_outside: Boxes outside the window stay behind the valid ones, without
                area.
        """
        codes, logits = ops.stop_gradient(codes), ops.stop_gradient(logits)
        boxes = self.coder.decode(codes, anchors)
        scores = objectness(logits)
        if valid_anchors is not None:
            scores = ops.where(valid_anchors, scores, _NEVER)
        found = self._nms(boxes, scores[..., None])
        return self._inside(found, clip(found.boxes, window), keep_outside)

    def _inside(self, found: Selection, boxes: Tensor, keep: bool) -> Proposals:
        """Returns a selection, its boxes clipped, with those of an area first."""
        size = self.size
        place = ops.arange(size, dtype="int32")
        there = ops.logical_and(place < found.num, area(boxes) > 0)
        place = -ops.top_k(-ops.where(there, place, place + size), size)[0]
        valid = place < size
        boxes, scores, anchors = (
            gather_rows(v, place % size) for v in (boxes, found.scores, found.anchors)
        )
        return Proposals(
            boxes=boxes if keep else ops.where(valid[..., None], boxes, 0.0),
            scores=ops.where(valid, scores, 0.0),
            valid=valid,
            anchors=ops.where(valid, anchors, 0),
        )

    @property
    def _nms(self) -> NonMaxSuppression:
        return NonMaxSuppression(
            iou_threshold=self.iou_threshold,
            score_threshold=self.score_threshold,
            max_per_class=self.size,
            max_total=self.size,
            candidates=self.candidates,
        )

    def detections(
        self,
        proposals: Proposals,
        codes: Tensor,
        logits: Tensor,
        anchors: Tensor,
        window: Tensor,
        raw: bool = False,
    ) -> Detections:
        """Returns proposals as detections of one class, for models of one stage.

        Args:
            proposals: What was proposed.
            codes, logits, anchors, window: What it was made of.
            raw: Also return the boxes and scores of all anchors.
        """
        scores = ops.softmax(logits, axis=-1)
        real = ops.cast(proposals.valid[..., None], "float32")
        boxes = self.coder.decode(codes, anchors) if raw else None
        return Detections(
            boxes=in_window(proposals.boxes, window) * real,
            scores=proposals.scores,
            classes=ops.zeros_like(proposals.anchors),
            num=proposals.num,
            multiclass_scores=gather_rows(scores, proposals.anchors) * real,
            anchor_indices=proposals.anchors,
            raw_boxes=None if boxes is None else to_window(boxes, window),
            raw_scores=scores if raw else None,
        )


def objectness(logits: Tensor) -> Tensor:
    """Returns the probability `[...]` of an object, of logits `[..., 2]`."""
    return ops.softmax(logits, axis=-1)[..., 1]


def clip_anchors(anchors: np.ndarray) -> np.ndarray:
    """Returns anchors `[anchors, 4]`, normalized, cut to the image."""
    return np.clip(anchors, 0.0, 1.0)


def inside_image(anchors: np.ndarray) -> np.ndarray:
    """Returns `[anchors]` bool: which anchors do not reach over the edge."""
    return np.all((anchors >= 0.0) & (anchors <= 1.0), axis=-1)
