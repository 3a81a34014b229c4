"""Several evaluators as one: one pass over the images, one dict of metrics."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from odapi.metrics.evaluator import Arrays, ClassResult, Evaluator


class MetricCollection(Evaluator):
    """Passes each image to several evaluators and merges their metrics.

    Args:
        members: In order of priority: rows per class and curves are those of the first
            member that has them, and the first one decides `suspiciously_low`.

    Raises:
        TypeError: A member is not an `Evaluator`.
        ValueError: There are no members, or two report a metric of the same name.
    """

    def __init__(self, members: Sequence[Evaluator]):
        if not members:
            raise ValueError("needs at least one evaluator")
        for member in members:
            if not isinstance(member, Evaluator):
                raise TypeError(
                    f"{type(member).__name__} is not an evaluator; inherit from "
                    "odapi.metrics.evaluator.Evaluator"
                )
        names = [name for member in members for name in member.compute()]
        name, count = Counter(names).most_common(1)[0]
        if count > 1:
            raise ValueError(f"two evaluators report the same metric: {name!r}")
        self.members = tuple(members)

    def reset(self) -> None:
        """Discards all images."""
        for member in self.members:
            member.reset()

    def update(self, image_id: str, groundtruth: Arrays, detections: Arrays) -> None:
        """Adds one image to every member."""
        for member in self.members:
            member.update(image_id, groundtruth, detections)

    def compute(self) -> dict[str, float]:
        """Returns the metrics of all members."""
        return {k: v for member in self.members for k, v in member.compute().items()}

    def explain(self) -> dict[str, str]:
        """Returns the reason for each metric that is -1."""
        return {k: v for member in self.members for k, v in member.explain().items()}

    def per_class(self) -> Sequence[ClassResult]:
        """Returns the rows of the first member that has any."""
        return next((rows for m in self.members if (rows := m.per_class())), ())

    def curves(self) -> dict[str, NDArray[np.float64]]:
        """Returns the curves of the first member that has any."""
        return next((curves for m in self.members if (curves := m.curves())), {})

    def hints(self) -> Sequence[str]:
        """Returns the hints of all members."""
        return [hint for member in self.members for hint in member.hints()]

    def suspiciously_low(self) -> bool:
        """Returns the answer of the first member."""
        return self.members[0].suspiciously_low()
