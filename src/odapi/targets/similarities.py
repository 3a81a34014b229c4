"""Similarities of groundtruth boxes and anchors.

A similarity is called `(boxes [..., n, 4], anchors [..., m, 4], scores [..., n])`
and returns `[..., n, m]`, higher for a better fit. `floor` is the value of a pair
that does not overlap; None if the similarity has no such value.
"""

import dataclasses
from typing import Protocol

from keras import ops

from odapi.geometry.boxes import (
    pairwise_ioa,
    pairwise_iou,
    pairwise_squared_distance,
)
from odapi.structures import Tensor


class Similarity(Protocol):
    """Interface of all similarities."""

    @property
    def floor(self) -> float | None:
        """Value of a pair that does not overlap; None if there is no such value."""

    def __call__(self, boxes: Tensor, anchors: Tensor, scores: Tensor = None) -> Tensor:
        """Returns the similarity `[..., n, m]` of all pairs."""


@dataclasses.dataclass(frozen=True)
class IouSimilarity:
    """Intersection over union."""

    floor = 0.0

    def __call__(self, boxes: Tensor, anchors: Tensor, scores: Tensor = None) -> Tensor:
        """Returns the IoU `[..., n, m]` of all pairs; `scores` are ignored."""
        return pairwise_iou(boxes, anchors)


@dataclasses.dataclass(frozen=True)
class IoaSimilarity:
    """Intersection over the area of the anchor."""

    floor = 0.0

    def __call__(self, boxes: Tensor, anchors: Tensor, scores: Tensor = None) -> Tensor:
        """Returns the IoA `[..., n, m]` of all pairs; `scores` are ignored."""
        return pairwise_ioa(boxes, anchors)


@dataclasses.dataclass(frozen=True)
class NegativeSquaredDistance:
    """Negative squared distance of the corner coordinates; 0 for equal boxes."""

    floor = None

    def __call__(self, boxes: Tensor, anchors: Tensor, scores: Tensor = None) -> Tensor:
        """Returns negative distances `[..., n, m]`; `scores` are ignored."""
        return -pairwise_squared_distance(boxes, anchors)


@dataclasses.dataclass(frozen=True)
class ThresholdedIou:
    """The score of the object where the IoU is above a threshold, else 0.

    Args:
        threshold: The IoU must be above it; in [0, 1].
    """

    threshold: float = 0.5
    floor = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"iou_threshold must be in [0, 1], got {self.threshold}")

    def __call__(self, boxes: Tensor, anchors: Tensor, scores: Tensor = None) -> Tensor:
        """Returns scores `[..., n, m]`; `scores` None is the same as all 1."""
        above = pairwise_iou(boxes, anchors) > self.threshold
        value = 1.0 if scores is None else ops.expand_dims(scores, -1)
        return ops.where(above, value, 0.0)
