"""COCO's box metrics, on the native library hotcoco, by the original's names."""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from odapi.labels import Category, LabelMap
from odapi.metrics.evaluator import Arrays, xywh_px

# name: (precision or recall, IoU threshold or None for the mean of all ten,
#        index into _AREAS, index into the limits 1, 10, 100 of detections an image)
_SUMMARY = {
    "Precision/mAP": ("precision", None, 0, 2),
    "Precision/mAP@.50IOU": ("precision", 0.5, 0, 2),
    "Precision/mAP@.75IOU": ("precision", 0.75, 0, 2),
    "Precision/mAP (small)": ("precision", None, 1, 2),
    "Precision/mAP (medium)": ("precision", None, 2, 2),
    "Precision/mAP (large)": ("precision", None, 3, 2),
    "Recall/AR@1": ("recall", None, 0, 0),
    "Recall/AR@10": ("recall", None, 0, 1),
    "Recall/AR@100": ("recall", None, 0, 2),
    "Recall/AR@100 (small)": ("recall", None, 1, 2),
    "Recall/AR@100 (medium)": ("recall", None, 2, 2),
    "Recall/AR@100 (large)": ("recall", None, 3, 2),
}
_IOU = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
# Name, and the range of areas in square pixels, both ends included.
_AREAS = (
    ("of any size", 0.0, 1e10),
    ("below 32 x 32 pixels", 0.0, 32.0**2),
    ("between 32 x 32 and 96 x 96 pixels", 32.0**2, 96.0**2),
    ("above 96 x 96 pixels", 96.0**2, 1e10),
)
# Boxes are kept as float32 in [0, 1]. Rounding to a thousandth of a pixel gives back
# what the annotation file said, so that 32 x 32 pixels stay 32 x 32 pixels.
_DECIMALS = 3


@dataclasses.dataclass(frozen=True)
class CategoryResult:
    """How well one class is found; numbers are -1 where it has no groundtruth.

    Args:
        name: Its name to show.
        id: As in the label map.
        num_objects: Groundtruth objects, without crowds.
        ap, ap50, ap75: Average precision over IoU 0.50 to 0.95, at 0.50, at 0.75.
        ar: Average recall, 100 detections an image.
        f1: Best F1 at IoU 0.5 over all score thresholds.
        precision, recall: At that threshold.
        threshold: The score at which F1 is best.
    """

    name: str
    id: int
    num_objects: int
    ap: float
    ap50: float
    ap75: float
    ar: float
    f1: float
    precision: float
    recall: float
    threshold: float


class _Accumulated(NamedTuple):
    """What COCO's protocol makes of all images: IoU, recall, class, area, limit."""

    precision: np.ndarray  # [10, 101, k, 4, 3]
    recall: np.ndarray  # [10, k, 4, 3]
    scores: np.ndarray  # [10, 101, k, 4, 3]


class CocoBoxMetrics:
    """The 12 COCO box metrics, of the whole and of each class.

    Groundtruth and detections of classes that the label map does not name are left
    out, as in the original. Crowds are neither found nor missed; `difficult` plays
    no part. Where groundtruth has no area (or 0), that of its box decides about
    small, medium and large.

    Args:
        label_map: The classes.
        include_metrics_per_category: Also `PerformanceByCategory/mAP/<class>`.
        all_metrics_per_category: Also all twelve of each class.
        super_categories: Names of classes by the name of their group; gives
            `PerformanceBySuperCategory/<group>`, the mean over its classes that have
            groundtruth (the original counts the others as -1).
        skip_predictions_for_unlabeled_class: Leave out detections of classes that
            were not looked for in an image: those missing in the groundtruth's
            `labeled_classes` (indices). Without that key all classes were looked for.

    Raises:
        ValueError: A group names a class that the label map does not have.
    """

    prefix = "DetectionBoxes_"
    iou_type = "bbox"

    def __init__(
        self,
        label_map: LabelMap,
        include_metrics_per_category: bool = False,
        all_metrics_per_category: bool = False,
        super_categories: Mapping[str, Sequence[str]] | None = None,
        skip_predictions_for_unlabeled_class: bool = False,
    ):
        self.categories = tuple(sorted(label_map, key=lambda c: c.id))
        self.names = _names(self.categories)
        self._per_category = include_metrics_per_category or all_metrics_per_category
        self._all_per_category = all_metrics_per_category
        self._groups = _groups(super_categories or {}, self.names, self.categories)
        self._skip_unlabeled = skip_predictions_for_unlabeled_class
        self._known = np.zeros(label_map.num_classes, bool)
        self._known[[c.index for c in self.categories]] = True
        self.reset()

    def reset(self) -> None:
        """Forgets all images."""
        import hotcoco

        self._stream = hotcoco.StreamingEval(
            [{"id": c.id, "name": c.name} for c in self.categories],
            iou_type=self.iou_type,
        )
        self._ids: set[str] = set()
        self._num_annotations = 0
        # Groundtruth objects, without crowds: [class index, area].
        self._num_objects = np.zeros((self._known.size, len(_AREAS)), np.int64)
        self._num_crowds = np.zeros(self._known.size, np.int64)
        self._accumulated: _Accumulated | None = None

    @property
    def num_images(self) -> int:
        """Images seen since the last reset."""
        return len(self._ids)

    def update(self, image_id: str, groundtruth: Arrays, detections: Arrays) -> None:
        """Adds an image.

        Args:
            image_id: Unique.
            groundtruth: `boxes [n, 4]` normalised, `classes [n]` from 0, `size`
                (height, width) of the original image in pixels; where there is one
                `is_crowd [n]`, `area [n]` in pixels, `labeled_classes`.
            detections: `boxes [m, 4]` normalised, `classes [m]`, `scores [m]`.

        Raises:
            ValueError: The image was already added, lengths differ, or a detection
                is not finite.
        """
        if image_id in self._ids:
            raise ValueError(f"image {image_id!r} was already added")
        number = len(self._ids) + 1
        annotations = self._annotations(number, image_id, groundtruth)
        found = self._found(number, image_id, groundtruth, detections)
        self._stream.update([{"id": number}], annotations, found)
        self._ids.add(image_id)
        self._count(annotations)
        self._accumulated = None

    def compute(self) -> dict[str, float]:
        """Returns the metrics by the original's names; -1: nothing to measure."""
        values = self._accumulate()
        metrics = {
            self.prefix + name: _mean(values, row) for name, row in _SUMMARY.items()
        }
        if not self._per_category:
            return metrics
        for k, label in enumerate(self.names):
            key = f"{self.prefix}PerformanceByCategory/mAP/{label}"
            metrics[key] = _mean(values, _SUMMARY["Precision/mAP"], k)
            if self._all_per_category:
                for name, row in _SUMMARY.items():
                    key = f"{self.prefix}{name.replace('/', ' ', 1)} ByCategory/{label}"
                    metrics[key] = _mean(values, row, k)
        for group, members in self._groups.items():
            found = [_mean(values, _SUMMARY["Precision/mAP"], k) for k in members]
            found = [v for v in found if v >= 0]
            key = f"{self.prefix}PerformanceBySuperCategory/{group}"
            metrics[key] = float(np.mean(found)) if found else -1.0
        return metrics

    def per_category(self) -> tuple[CategoryResult, ...]:
        """Returns a row a class, in the order of their ids."""
        values = self._accumulate()
        return tuple(self._category(values, k) for k in range(len(self.categories)))

    def curves(self, iou: float = 0.5) -> dict[str, np.ndarray]:
        """Returns precision `[101]` at each recall of `RECALLS`, by class.

        Classes without groundtruth are left out.
        """
        values = self._accumulate()
        curves = values.precision[_iou_index(iou), :, :, 0, 2]
        return {
            name: curves[:, k] for k, name in enumerate(self.names) if curves[0, k] >= 0
        }

    def explain(self) -> dict[str, str]:
        """Returns why, for each metric of `compute` that is -1."""
        reasons = {}
        for name, value in self.compute().items():
            if value < 0:
                reasons[name] = self._reason(name.removeprefix(self.prefix))
        return reasons

    def _annotations(self, number: int, image_id: str, truth: Arrays) -> list[dict]:
        classes = np.asarray(truth["classes"], np.int64).reshape(-1)
        boxes = np.round(xywh_px(truth["boxes"], truth["size"]), _DECIMALS)
        crowd = _row(truth, "is_crowd", classes.size, False).astype(bool)
        area = _row(truth, "area", classes.size, 0.0).astype(np.float64)
        _check(image_id, "groundtruth", classes, boxes, crowd, area)
        area = np.where(area > 0, area, boxes[:, 2] * boxes[:, 3])
        keep = self._in_label_map(classes)
        first = self._num_annotations + 1  # COCO reads the id 0 as "no match".
        return [
            {
                "id": first + n,
                "image_id": number,
                "category_id": int(classes[i]) + 1,
                "bbox": boxes[i].tolist(),
                "area": float(area[i]),
                "iscrowd": int(crowd[i]),
            }
            for n, i in enumerate(np.flatnonzero(keep))
        ]

    def _found(
        self, number: int, image_id: str, truth: Arrays, detections: Arrays
    ) -> Any:
        classes = np.asarray(detections["classes"], np.int64).reshape(-1)
        scores = np.asarray(detections["scores"], np.float64).reshape(-1)
        boxes = xywh_px(detections["boxes"], truth["size"])
        _check(image_id, "detections", classes, boxes, scores)
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise ValueError(f"image {image_id!r}: a detection is not finite")
        keep = self._kept(truth, classes)
        rows = np.empty((int(keep.sum()), 7), np.float64)
        rows[:, 0] = number
        rows[:, 1:5] = boxes[keep]
        rows[:, 5] = scores[keep]
        rows[:, 6] = classes[keep] + 1
        return rows

    def _kept(self, truth: Arrays, classes: np.ndarray) -> np.ndarray:
        """Which detections count, `[m]` bool."""
        keep = self._in_label_map(classes)
        if self._skip_unlabeled and truth.get("labeled_classes") is not None:
            keep &= np.isin(classes, np.asarray(truth["labeled_classes"]))
        return keep

    def _in_label_map(self, classes: np.ndarray) -> np.ndarray:
        inside = (classes >= 0) & (classes < self._known.size)
        return inside & self._known[np.where(inside, classes, 0)]

    def _count(self, annotations: Sequence[dict]) -> None:
        self._num_annotations += len(annotations)
        for a in annotations:
            index = a["category_id"] - 1
            if a["iscrowd"]:
                self._num_crowds[index] += 1
                continue
            for n, (_, low, high) in enumerate(_AREAS):
                self._num_objects[index, n] += low <= a["area"] <= high

    def _accumulate(self) -> _Accumulated:
        if self._accumulated is None:
            # `finalize` ends a stream; the copy lets images be added afterwards.
            evaluation = copy.copy(self._stream).finalize()
            evaluation.accumulate()
            found: Any = evaluation.eval
            self._accumulated = _Accumulated(
                np.asarray(found["precision"]),
                np.asarray(found["recall"]),
                np.asarray(found["scores"]),
            )
        return self._accumulated

    def _category(self, values: _Accumulated, k: int) -> CategoryResult:
        category = self.categories[k]
        names = ("mAP", "mAP@.50IOU", "mAP@.75IOU")
        ap, ap50, ap75 = (_mean(values, _SUMMARY[f"Precision/{n}"], k) for n in names)
        f1, precision, recall, threshold = _best_f1(
            values.precision[0, :, k, 0, 2], values.scores[0, :, k, 0, 2]
        )
        return CategoryResult(
            name=self.names[k],
            id=category.id,
            num_objects=int(self._num_objects[category.index, 0]),
            ap=ap,
            ap50=ap50,
            ap75=ap75,
            ar=_mean(values, _SUMMARY["Recall/AR@100"], k),
            f1=f1,
            precision=precision,
            recall=recall,
            threshold=threshold,
        )

    def _reason(self, name: str) -> str:
        if "BySuperCategory/" in name:
            return "no class of this group has groundtruth"
        counts, crowds, of = self._num_objects, self._num_crowds, ""
        if "ByCategory/" in name:
            label = name.split("ByCategory/", 1)[1].removeprefix("mAP/")
            index = self.categories[self.names.index(label)].index
            counts, crowds = counts[index : index + 1], crowds[index : index + 1]
            of = f" of class {label!r}"
        if not self._ids:
            return "no image was evaluated"
        if not counts[:, 0].sum():
            but = " (crowds do not count)" if crowds.any() else ""
            return f"no groundtruth object{of} in {self._images()}{but}"
        metric = name.split("ByCategory/")[0]  # Without the name of the class.
        sizes = enumerate(("(small)", "(medium)", "(large)"), 1)
        area = next((n for n, size in sizes if size in metric), 0)
        return f"no groundtruth object{of} {_AREAS[area][0]} in {self._images()}"

    def _images(self) -> str:
        return "1 image" if self.num_images == 1 else f"{self.num_images} images"


def _names(categories: Sequence[Category]) -> tuple[str, ...]:
    """Names to show; those in the files where two classes would look the same."""
    shown = [c.label for c in categories]
    return tuple(c.name if shown.count(c.label) > 1 else c.label for c in categories)


def _groups(
    groups: Mapping[str, Sequence[str]],
    names: Sequence[str],
    categories: Sequence[Category],
) -> dict[str, list[int]]:
    place = {c.name: k for k, c in enumerate(categories)}
    place |= {name: k for k, name in enumerate(names)}
    unknown = sorted({m for members in groups.values() for m in members} - set(place))
    if unknown:
        raise ValueError(
            f"super_categories names the class {unknown[0]!r}, which the label map "
            f"does not have; known are {', '.join(names)}"
        )
    return {group: [place[m] for m in members] for group, members in groups.items()}


def _row(arrays: Arrays, key: str, length: int, default: Any) -> np.ndarray:
    value = arrays.get(key)
    return np.full(length, default) if value is None else np.asarray(value).reshape(-1)


def _check(image_id: str, what: str, classes: np.ndarray, *others: np.ndarray) -> None:
    lengths = [len(classes), *(len(o) for o in others)]
    if len(set(lengths)) > 1:
        raise ValueError(f"image {image_id!r}: {what} have lengths {lengths}")


def _iou_index(iou: float) -> int:
    index = int(np.argmin(np.abs(_IOU - iou)))
    if abs(_IOU[index] - iou) > 1e-6:
        raise ValueError(f"iou must be one of 0.5, 0.55 ... 0.95, got {iou}")
    return index


def _mean(values: _Accumulated, row: tuple, category: int | None = None) -> float:
    """The mean over everything that has groundtruth; -1 where nothing has."""
    kind, iou, area, limit = row
    # [iou, recall, class] or [iou, class]
    chosen = (values.precision if kind == "precision" else values.recall)[
        ..., area, limit
    ]
    if iou is not None:
        chosen = chosen[_iou_index(iou)]
    if category is not None:
        chosen = chosen[..., category]
    chosen = chosen[chosen > -1]
    return float(np.mean(chosen)) if chosen.size else -1.0


def _best_f1(
    precision: np.ndarray, scores: np.ndarray
) -> tuple[float, float, float, float]:
    """F1, precision, recall and score threshold of the best point of a curve [101]."""
    if precision[0] < 0:
        return -1.0, -1.0, -1.0, -1.0
    f1 = 2 * precision * RECALLS / np.maximum(precision + RECALLS, 1e-12)
    best = int(np.argmax(f1))
    if f1[best] <= 0:
        return 0.0, 0.0, 0.0, -1.0
    return (
        float(f1[best]),
        float(precision[best]),
        float(RECALLS[best]),
        float(scores[best]),
    )
