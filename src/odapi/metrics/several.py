"""Several evaluators as one: one pass over the images, one dict of numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from odapi.metrics.coco import CategoryResult, CocoBoxMetrics
from odapi.metrics.coco_keypoints import CocoKeypointMetrics
from odapi.metrics.evaluator import Arrays


class SeveralMetrics:
    """Hands each image to several evaluators.

    Args:
        members: The first one answers what is told once: results by class, curves.

    Raises:
        ValueError: There are none, or two give the same metric.
    """

    def __init__(self, members: Sequence[CocoBoxMetrics | CocoKeypointMetrics]):
        if not members:
            raise ValueError("needs at least one evaluator")
        names = [name for member in members for name in member.compute()]
        if len(set(names)) < len(names):
            prefixes = [m.prefix for m in members]
            raise ValueError(f"two evaluators give the same metrics: {prefixes}")
        self.members = tuple(members)

    @property
    def first(self) -> CocoBoxMetrics:
        """The evaluator that answers what is told once."""
        first = self.members[0]
        if not isinstance(first, CocoBoxMetrics):
            raise TypeError("the first evaluator must tell of single classes")
        return first

    @property
    def prefix(self) -> str:
        """Of the names of the first one's metrics."""
        return self.first.prefix

    @property
    def categories(self) -> Any:
        """The classes, in the order of their ids."""
        return self.first.categories

    @property
    def names(self) -> tuple[str, ...]:
        """Their names to show."""
        return self.first.names

    @property
    def num_images(self) -> int:
        """Images seen since the last reset."""
        return self.first.num_images

    def reset(self) -> None:
        """Forgets all images."""
        for member in self.members:
            member.reset()

    def update(self, image_id: str, groundtruth: Arrays, detections: Arrays) -> None:
        """Adds an image to each; see `CocoBoxMetrics.update`."""
        for member in self.members:
            member.update(image_id, groundtruth, detections)

    def compute(self) -> dict[str, float]:
        """Returns the metrics of all; -1: nothing to measure."""
        return {k: v for member in self.members for k, v in member.compute().items()}

    def explain(self) -> dict[str, str]:
        """Returns why, for each metric that is -1."""
        return {k: v for member in self.members for k, v in member.explain().items()}

    def per_category(self) -> tuple[CategoryResult, ...]:
        """Returns a row a class, of the first."""
        return self.first.per_category()

    def curves(self, iou: float = 0.5) -> dict[str, np.ndarray]:
        """Returns precision at each recall, by class, of the first."""
        return self.first.curves(iou)
