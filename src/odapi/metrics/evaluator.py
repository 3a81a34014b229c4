"""The contract of every evaluator, which is all that the evaluation loop knows."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, Any]

# Recall values of a precision-recall curve.
RECALLS = np.linspace(0.0, 1.0, 101)


@dataclasses.dataclass(frozen=True)
class ClassResult:
    """Metrics of one class; a subclass adds one field of type float per metric.

    Values of -1 mean that there was nothing to measure. Fields whose metadata have a
    `title` are columns of the table of classes, which is sorted by the first of them.

    Args:
        name: Display name of the class.
        id: As in the label map.
        num_objects: Groundtruth objects, without crowds.
    """

    name: str
    id: int
    num_objects: int

    def columns(self) -> dict[str, float]:
        """Returns the values that the table of classes shows, by column title."""
        return {
            field.metadata["title"]: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if "title" in field.metadata
        }


@runtime_checkable
class Evaluator(Protocol):
    """Accumulates detections image by image and computes metrics from them.

    Inherit from it and implement `reset`, `update` and `compute`; the other methods
    have defaults.

    One image is a pair of dicts of NumPy arrays, n objects and m detections:

        groundtruth  boxes [n, 4], classes [n], size (height, width) of the original
                     image; where known is_crowd [n], area [n] in pixels, masks,
                     keypoints
        detections   boxes [m, 4], classes [m], scores [m], without padding; where the
                     model has them box_masks, keypoints

    Boxes are normalized `[y_min, x_min, y_max, x_max]`, classes count from 0.
    """

    @abc.abstractmethod
    def reset(self) -> None:
        """Discards all images."""

    @abc.abstractmethod
    def update(self, image_id: str, groundtruth: Arrays, detections: Arrays) -> None:
        """Adds one image.

        Raises:
            ValueError: The arrays are inconsistent, or the image was already added.
        """

    @abc.abstractmethod
    def compute(self) -> dict[str, float]:
        """Returns the metrics by name; -1 means that there was nothing to measure.

        The names do not depend on the images. May be called any number of times, also
        between updates.
        """

    def explain(self) -> dict[str, str]:
        """Returns the reason for each metric of `compute` that is -1."""
        return {}

    def per_class(self) -> Sequence[ClassResult]:
        """Returns one row per class, in the order of their ids."""
        return ()

    def curves(self) -> dict[str, NDArray[np.float64]]:
        """Returns precision `[101]` at the recall values `RECALLS`, by class name."""
        return {}

    def hints(self) -> Sequence[str]:
        """Returns advice to show with the results."""
        return ()

    def suspiciously_low(self) -> bool:
        """Returns True if a mistake is likelier than a weak detector.

        The evaluation then looks for the mistake in scores, classes and boxes.
        """
        return False
