"""Several evaluators as one; the first, of boxes, also tells of single classes."""

from collections.abc import Sequence
from typing import Any

from odapi.labels import Category
from odapi.metrics.coco import CategoryResult, CocoBoxMetrics
from odapi.metrics.evaluator import Arrays


class MetricsTogether:
    """Measures all that its parts do.

    Args:
        boxes: Of boxes.
        others: Other evaluators, with `explain`.
    """

    def __init__(self, boxes: CocoBoxMetrics, others: Sequence[Any]):
        self.boxes = boxes
        self.others = tuple(others)

    @property
    def parts(self) -> tuple[Any, ...]:
        """All evaluators."""
        return (self.boxes, *self.others)

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes, by id."""
        return self.boxes.categories

    @property
    def names(self) -> tuple[str, ...]:
        """Their names to show."""
        return self.boxes.names

    @property
    def num_images(self) -> int:
        """Images seen since the last reset."""
        return self.boxes.num_images

    def reset(self) -> None:
        """Forgets all images."""
        for part in self.parts:
            part.reset()

    def update(self, image_id: str, groundtruth: Arrays, detections: Arrays) -> None:
        """Adds an image; see the parts."""
        for part in self.parts:
            part.update(image_id, groundtruth, detections)

    def compute(self) -> dict[str, float]:
        """Returns the metrics of all parts; -1: nothing to measure."""
        return {k: v for part in self.parts for k, v in part.compute().items()}

    def explain(self) -> dict[str, str]:
        """Returns why, for each metric of `compute` that is -1."""
        return {k: v for part in self.parts for k, v in part.explain().items()}

    def per_category(self) -> tuple[CategoryResult, ...]:
        """Returns a row a class, of boxes."""
        return self.boxes.per_category()

    def curves(self, iou: float = 0.5) -> dict[str, Any]:
        """Returns the curves of boxes."""
        return self.boxes.curves(iou)
