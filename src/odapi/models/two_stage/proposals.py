"""Region proposals: the best boxes of an RPN after non-maximum suppression (NMS)."""

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
    anchors: Tensor  # [b, p] int32, index of the anchor

    @property
    def num(self) -> Tensor:
        """Number of valid proposals per image, `[b]` int32."""
        return ops.sum(ops.cast(self.valid, "int32"), axis=1)


@dataclasses.dataclass(frozen=True)
class Proposer:
    """Selects proposals from the outputs of an RPN.

    As in the original, boxes fully outside the window count towards the limit, and
    are dropped afterwards.

    Args:
        coder: Box coder.
        iou_threshold: IoU with a better box above which a box is suppressed.
        score_threshold: Objectness that a proposal must exceed.
        size: Maximum number of proposals per image.
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
            window: `[b, 4]`: the image without padding, in the frame of the anchors.
            valid_anchors: Mask `[anchors]` of the anchors that are used; None: all.
            keep_outside: Whether boxes outside the window are kept after the valid
                ones, clipped to no area.
        """
        codes, logits = ops.stop_gradient(codes), ops.stop_gradient(logits)
        boxes = self.coder.decode(codes, anchors)
        scores = objectness(logits)
        if valid_anchors is not None:
            scores = ops.where(valid_anchors, scores, _NEVER)
        found = self._nms(boxes, scores[..., None])
        return self._inside(found, clip(found.boxes, window), keep_outside)

    def _inside(self, found: Selection, boxes: Tensor, keep: bool) -> Proposals:
        """Returns a selection with clipped boxes, those of positive area first."""
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
        """Returns proposals as detections of one class, for an RPN alone.

        Args:
            proposals: Proposals of a batch.
            codes, logits, anchors, window: Arguments that they were selected from.
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
    """Returns normalized anchors `[anchors, 4]`, clipped to the image."""
    return np.clip(anchors, 0.0, 1.0)


def inside_image(anchors: np.ndarray) -> np.ndarray:
    """Returns the mask `[anchors]` of anchors that lie fully inside the image."""
    return np.all((anchors >= 0.0) & (anchors <= 1.0), axis=-1)
