"""The result of an evaluation."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from odapi.labels import LabelMap
from odapi.metrics.evaluator import ClassResult
from odapi.wording import counted

Arrays = dict[str, Any]
_IN_REPR = 3  # Metrics.


class EvaluationExample(NamedTuple):
    """An image to draw, with its detections and its groundtruth."""

    image_id: str
    image: np.ndarray  # [h, w, 3] uint8, without padding
    detections: Arrays
    groundtruth: Arrays


@dataclasses.dataclass(frozen=True, repr=False)
class EvaluationResult:
    """Metrics of a detector on a dataset.

    Args:
        metrics: By the original's names, with optional `Loss/...`; -1 means that there
            was nothing to measure.
        categories: One row per class.
        curves: Precision at 101 recall values by class name, for COCO at IoU 0.5.
        explanations: Reason for each metric that is -1.
        hints: Likely causes, if the metrics are suspiciously low.
        examples: Some images to draw, spread over the dataset.
        num_images: Number of evaluated images.
        num_objects: Number of groundtruth objects in them, without crowds.
        skipped: Reason by image id, for each image that was not evaluated.
        seconds: Duration, including the first compilation.
        label_map: The classes.
        step: Of the checkpoint; None if unknown.
        model: Path of the model; "" if it has none.
        num_parameters: Number of weights of the model; None if unknown.
        keypoint_edges: Pairs of keypoints to connect in drawings; empty: the default
            skeleton.
        best_score: Highest score of all detections; 0 without any.
        problems: Problems of the dataset, as counted by `odapi.data.problems`; None if
            the dataset does not count them.
    """

    metrics: dict[str, float]
    categories: tuple[ClassResult, ...]
    curves: dict[str, np.ndarray]
    explanations: dict[str, str]
    hints: tuple[str, ...]
    examples: tuple[EvaluationExample, ...]
    num_images: int
    num_objects: int
    skipped: dict[str, str]
    seconds: float
    label_map: LabelMap | None = None
    step: int | None = None
    problems: Any = None
    keypoint_edges: tuple[tuple[int, int], ...] = ()
    best_score: float = 0.0
    model: str = ""
    num_parameters: int | None = None

    def __repr__(self) -> str:
        first = list(self.metrics.items())[:_IN_REPR]
        metrics = ", ".join(f"{name} {_shown(value)}" for name, value in first)
        more = len(self.metrics) - len(first)
        rest = f" and {counted(more, 'more metric')}" if more else ""
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        images = counted(self.num_images, "image")
        objects = counted(self.num_objects, "object")
        return f"<EvaluationResult of {images}, {objects}{skipped}: {metrics}{rest}>"

    @property
    def images_per_second(self) -> float:
        """Evaluated images per second, including reading and compilation."""
        return self.num_images / max(self.seconds, 1e-9)


def _shown(value: float) -> str:
    """Returns a metric; a dash where there was nothing to measure."""
    return "-" if value == -1 else f"{value:.4f}"
