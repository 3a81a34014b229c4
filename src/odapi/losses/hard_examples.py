"""Online hard example mining: only the anchors of highest loss contribute."""

import dataclasses
from typing import Literal

from keras import ops

from odapi.geometry.nms.greedy import rank_by_nms
from odapi.structures import BACKGROUND, Tensor

Kind = Literal["both", "classification", "localization"]


@dataclasses.dataclass(frozen=True)
class HardExampleMiner:
    """Selects anchors of high loss by NMS over their predicted boxes.

    Args:
        size: Maximum number of anchors per image; None: no limit.
        iou_threshold: Of two boxes with a higher IoU, only the one of higher loss
            is kept.
        kind: The loss that anchors are ranked by.
        classification_weight, localization_weight: Factors of the two losses
            when `kind` is "both".
        max_negatives_per_positive: Maximum number of background anchors per matched
            one among the selected anchors; those of highest loss are kept, and ignored
            anchors are dropped. None: no such limit.
        min_negatives: With that limit, number of background anchors that are kept
            regardless.

    Source: Shrivastava et al. 2016 (https://arxiv.org/abs/1604.03540).
    """

    size: int | None = 64
    iou_threshold: float = 0.7
    kind: Kind = "both"
    classification_weight: float = 1.0
    localization_weight: float = 1.0
    max_negatives_per_positive: float | None = None
    min_negatives: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.iou_threshold <= 1:
            raise ValueError(
                f"iou_threshold must be in [0, 1], got {self.iou_threshold}"
            )
        if self.min_negatives < 0:
            raise ValueError(
                f"min_negatives_per_image must be >= 0, got {self.min_negatives}"
            )

    def __call__(
        self, boxes: Tensor, class_losses: Tensor, box_losses: Tensor, match: Tensor
    ) -> Tensor:
        """Returns `[b, anchors]` float32: 1 for selected anchors, else 0.

        Args:
            boxes: `[b, anchors, 4]`, predicted.
            class_losses, box_losses: `[b, anchors]`.
            match: `[b, anchors]` int32: index of the object, BACKGROUND or IGNORED.
        """
        loss = ops.stop_gradient(self._rank_by(class_losses, box_losses))
        anchors = loss.shape[1]
        size = anchors if self.size is None else min(self.size, anchors)
        order = rank_by_nms(ops.stop_gradient(boxes), loss, size, self.iou_threshold)
        keep = order < size
        if self.max_negatives_per_positive is not None:
            keep = self._limit_negatives(keep, order, match, size)
        return ops.cast(keep, "float32")

    def _rank_by(self, class_losses: Tensor, box_losses: Tensor) -> Tensor:
        if self.kind == "classification":
            return class_losses
        if self.kind == "localization":
            return box_losses
        return (
            class_losses * self.classification_weight
            + box_losses * self.localization_weight
        )

    def _limit_negatives(
        self, keep: Tensor, order: Tensor, match: Tensor, size: int
    ) -> Tensor:
        positive = ops.logical_and(keep, match >= 0)
        negative = ops.logical_and(keep, match == BACKGROUND)
        count = ops.sum(ops.cast(positive, "float32"), axis=1, keepdims=True)
        limit = ops.floor(count * self.max_negatives_per_positive)
        limit = ops.maximum(ops.cast(limit, "int32"), self.min_negatives)
        # Rank of each negative among the negatives, by loss.
        place = ops.where(negative, order, size)
        rank = ops.argsort(ops.argsort(place, axis=1), axis=1)
        hardest = ops.logical_and(negative, ops.cast(rank, "int32") < limit)
        return ops.logical_or(positive, hardest)
