"""Objects whose size or aspect ratio is far from that of others of their class."""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from odapi.data.sample import Sample

MIN_OBJECTS = 20  # Of a class, for its statistics.
MIN_SCORE = 6.0  # Robust standard deviations.
# Smallest standard deviation of a logarithm: 10 percent.
_MIN_DEVIATION = 0.1
_TO_SIGMA = 1.4826  # From the median absolute deviation of a normal distribution.


@dataclasses.dataclass(frozen=True)
class Outlier:
    """An object that may be labeled wrongly.

    Args:
        image_id: Id of its image.
        index: Position of the image in the dataset.
        object: Position of the object in the image.
        label: Name of its class.
        reason: "larger", "smaller", "wider" or "higher".
        score: Distance from the median of its class, in robust standard deviations.
        factor: Its size, or width / height, relative to the median of its class.
        box_px: `[x_min, y_min, x_max, y_max]`.
    """

    image_id: str
    index: int
    object: int
    label: str
    reason: str
    score: float
    factor: float
    box_px: tuple[float, float, float, float]


class BoxStatistics:
    """Collects the boxes of a dataset; memory grows by 40 bytes per object."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
        self._boxes: dict[str, list[np.ndarray]] = collections.defaultdict(list)
        self._sides: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
        self._ids: dict[int, str] = {}

    def add(self, index: int, sample: Sample, names: Sequence[str]) -> None:
        """Adds an image; crowds and groups are left out.

        Args:
            index: Its position in the dataset.
            sample: With `size`.
            names: Class name per object.
        """
        size = tuple(int(side) for side in sample["size"])
        skipped = np.zeros(len(names), bool)
        for flag in ("is_crowd", "group_of"):
            if flag in sample:
                skipped |= np.asarray(sample[flag], bool)
        for i, name in enumerate(names):
            box = sample["boxes"][i]
            if skipped[i] or not (box[2:] > box[:2]).all():
                continue
            self._ids[index] = sample["image_id"]
            self._rows[name].append((index, i))
            self._boxes[name].append(np.asarray(box, np.float32))
            self._sides[name].append((size[0], size[1]))

    def outliers(self, max_outliers: int = 100) -> tuple[list[Outlier], int]:
        """Returns the objects farthest from their class, and the number of all."""
        found = [o for name in sorted(self._rows) for o in self._of_class(name)]
        found.sort(key=lambda o: (-o.score, o.image_id, o.object))
        return found[:max_outliers], len(found)

    def _of_class(self, name: str) -> list[Outlier]:
        rows = self._rows[name]
        if len(rows) < MIN_OBJECTS:
            return []
        boxes = np.stack(self._boxes[name]).astype(np.float64)
        shares = boxes[:, 2:] - boxes[:, :2]
        pixels = shares * np.array(self._sides[name], np.float64)
        found: dict[int, Outlier] = {}
        kinds = (
            (np.log(np.sqrt(shares.prod(1))), ("larger", "smaller")),
            (np.log(pixels[:, 1] / pixels[:, 0]), ("wider", "higher")),
        )
        for values, (above, below) in kinds:
            median, scores = _robust_scores(values)
            for i in np.flatnonzero(np.abs(scores) >= MIN_SCORE).tolist():
                score = abs(float(scores[i]))
                if i in found and found[i].score >= score:
                    continue
                index, position = rows[i]
                height, width = self._sides[name][i]
                box = boxes[i] * np.array([height, width] * 2)
                shown = tuple(round(float(box[k]), 1) for k in (1, 0, 3, 2))
                found[i] = Outlier(
                    self._ids[index], index, position, name,
                    above if scores[i] > 0 else below, round(score, 1),
                    float(f"{np.exp(values[i] - median):.3g}"),
                    (shown[0], shown[1], shown[2], shown[3]),
                )  # fmt: skip
        return list(found.values())


def _robust_scores(values: np.ndarray) -> tuple[float, np.ndarray]:
    """Returns the median, and the distances from it in robust standard deviations."""
    median = float(np.median(values))
    deviation = _TO_SIGMA * float(np.median(np.abs(values - median)))
    return median, (values - median) / max(deviation, _MIN_DEVIATION)
