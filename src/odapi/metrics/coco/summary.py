"""Summaries of COCO's precision and recall arrays, by the original's names."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from odapi.metrics.evaluator import RECALLS, ClassResult

Floats = NDArray[np.float64]


class SummaryRow(NamedTuple):
    """The part of the arrays that one metric averages.

    Args:
        kind: "precision" or "recall".
        iou: IoU threshold; None averages over all ten.
        area: Index into `AREAS`.
        limit: Index into the limits 1, 10 and 100 of detections per image.
    """

    kind: str
    iou: float | None
    area: int
    limit: int


SUMMARY = {
    "Precision/mAP": SummaryRow("precision", None, 0, 2),
    "Precision/mAP@.50IOU": SummaryRow("precision", 0.5, 0, 2),
    "Precision/mAP@.75IOU": SummaryRow("precision", 0.75, 0, 2),
    "Precision/mAP (small)": SummaryRow("precision", None, 1, 2),
    "Precision/mAP (medium)": SummaryRow("precision", None, 2, 2),
    "Precision/mAP (large)": SummaryRow("precision", None, 3, 2),
    "Recall/AR@1": SummaryRow("recall", None, 0, 0),
    "Recall/AR@10": SummaryRow("recall", None, 0, 1),
    "Recall/AR@100": SummaryRow("recall", None, 0, 2),
    "Recall/AR@100 (small)": SummaryRow("recall", None, 1, 2),
    "Recall/AR@100 (medium)": SummaryRow("recall", None, 2, 2),
    "Recall/AR@100 (large)": SummaryRow("recall", None, 3, 2),
}
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)


class AreaRange(NamedTuple):
    """Range of object areas in square pixels, both ends included."""

    text: str
    low: float
    high: float


AREAS = (
    AreaRange("of any size", 0.0, 1e10),
    AreaRange("below 32 x 32 pixels", 0.0, 32.0**2),
    AreaRange("between 32 x 32 and 96 x 96 pixels", 32.0**2, 96.0**2),
    AreaRange("above 96 x 96 pixels", 96.0**2, 1e10),
)


@dataclasses.dataclass(frozen=True)
class CocoClassResult(ClassResult):
    """COCO metrics of one class; -1 if the class has no groundtruth.

    Args:
        ap, ap50, ap75: Average precision over IoU 0.50 to 0.95, at 0.50, at 0.75.
        ar: Average recall with at most 100 detections per image.
        f1: Best F1 at IoU 0.5 over all score thresholds.
        threshold: Score threshold at which F1 is best.
        precision, recall: At that threshold.
    """

    ap: float = dataclasses.field(metadata={"title": "AP"})
    ap50: float = dataclasses.field(metadata={"title": "AP50"})
    ap75: float = dataclasses.field(metadata={"title": "AP75"})
    ar: float = dataclasses.field(metadata={"title": "AR100"})
    f1: float = dataclasses.field(metadata={"title": "best F1"})
    precision: float
    recall: float
    threshold: float = dataclasses.field(metadata={"title": "at score"})


class Accumulated(NamedTuple):
    """Precision and recall over all images: IoU, recall, class, area, limit."""

    precision: Floats  # [10, 101, k, 4, 3]
    recall: Floats  # [10, k, 4, 3]
    scores: Floats  # [10, 101, k, 4, 3]


def accumulate(evaluation: Any) -> Accumulated:
    """Returns the arrays of a finalized hotcoco evaluation."""
    evaluation.accumulate()
    found = evaluation.eval
    return Accumulated(*(np.asarray(found[name]) for name in Accumulated._fields))


def iou_index(iou: float) -> int:
    """Returns the index of an IoU threshold in `IOU_THRESHOLDS`.

    Raises:
        ValueError: It is not one of them.
    """
    index = int(np.argmin(np.abs(IOU_THRESHOLDS - iou)))
    if abs(IOU_THRESHOLDS[index] - iou) > 1e-6:
        raise ValueError(f"iou must be one of 0.5, 0.55 ... 0.95, got {iou}")
    return index


def mean_of(values: Accumulated, row: SummaryRow, index: int | None = None) -> float:
    """Returns the mean over classes with groundtruth, or of the class `index`.

    -1 if no class has groundtruth.
    """
    array = values.precision if row.kind == "precision" else values.recall
    chosen = array[..., row.area, row.limit]  # [iou, recall, class] or [iou, class]
    if row.iou is not None:
        chosen = chosen[iou_index(row.iou)]
    if index is not None:
        chosen = chosen[..., index]
    return mean_of_known(chosen)


def mean_of_known(values: Floats) -> float:
    """Returns the mean of the values that are not -1; -1 if all are."""
    known = values[values > -1]
    return float(np.mean(known)) if known.size else -1.0


class BestF1(NamedTuple):
    """Point of a precision-recall curve with the best F1."""

    f1: float
    precision: float
    recall: float
    threshold: float


def best_f1(precision: Floats, scores: Floats) -> BestF1:
    """Returns the point with the best F1 of a curve `[101]`; all -1 without a curve."""
    if precision[0] < 0:
        return BestF1(-1.0, -1.0, -1.0, -1.0)
    f1 = 2 * precision * RECALLS / np.maximum(precision + RECALLS, 1e-12)
    best = int(np.argmax(f1))
    if f1[best] <= 0:
        return BestF1(0.0, 0.0, 0.0, -1.0)
    point = (f1[best], precision[best], RECALLS[best], scores[best])
    return BestF1(*(float(value) for value in point))
