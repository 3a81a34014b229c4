"""COCO box metrics."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odapi.fields import LABELED_CLASSES, NOT_EXHAUSTIVE
from odapi.labels import Category, LabelMap
from odapi.metrics.coco.summary import (
    AREAS,
    SUMMARY,
    Accumulated,
    CocoClassResult,
    accumulate,
    best_f1,
    iou_index,
    mean_of,
)
from odapi.metrics.evaluator import Arrays, Evaluator
from odapi.metrics.pixel_boxes import xywh_px
from odapi.wording import counted

# Boxes are kept as float32 in [0, 1]. Rounding to a thousandth of a pixel restores the
# values of the annotation file, so that 32 x 32 pixels stay 32 x 32 pixels.
_DECIMALS = 3
# mAP at IoU 0.5 below which a mistake is likelier than a weak detector.
_SUSPICIOUS = 0.02


class CocoBoxMetrics(Evaluator):
    """The 12 COCO box metrics, over all classes and per class.

    Groundtruth and detections of classes that are not in the label map are ignored, as
    in the original. Crowds count neither as found nor as missed; `difficult` is
    ignored. An object without an area (or with area 0) has the area of its box.

    Args:
        label_map: The classes.
        include_metrics_per_category: Adds `PerformanceByCategory/mAP/<class>`.
        all_metrics_per_category: Adds all twelve metrics of each class.
        super_categories: Class names by the name of their group; adds
            `PerformanceBySuperCategory/<group>`, the mean over its classes that have
            groundtruth (the original counts the others as -1).
        skip_predictions_for_unlabeled_class: Ignore detections of classes that were
            not annotated in an image: those missing in the groundtruth's
            `labeled_classes` (indices). As in LVIS, detections without an object are
            ignored, too, if their class is in `not_exhaustive_classes`.
        all_labeled_by_default: Whether all classes were annotated in an image without
            `labeled_classes`; otherwise only those of its objects.

    Raises:
        ValueError: A group contains a class that is not in the label map.
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
        all_labeled_by_default: bool = True,
    ):
        self.categories = tuple(sorted(label_map, key=lambda c: c.id))
        self.names = _names(self.categories)
        self._per_category = include_metrics_per_category or all_metrics_per_category
        self._all_per_category = all_metrics_per_category
        self._groups = _groups(super_categories or {}, self.names, self.categories)
        self._skip_unlabeled = skip_predictions_for_unlabeled_class
        self._all_labeled = all_labeled_by_default
        self._known = np.zeros(label_map.num_classes, bool)
        self._known[[c.index for c in self.categories]] = True
        self.reset()

    def reset(self) -> None:
        """Discards all images."""
        import hotcoco

        self._stream = hotcoco.StreamingEval(
            [{"id": c.id, "name": c.name} for c in self.categories],
            iou_type=self.iou_type,
        )
        self._ids: set[str] = set()
        self._num_annotations = 0
        # Groundtruth objects, without crowds: [class index, area].
        self._num_objects = np.zeros((self._known.size, len(AREAS)), np.int64)
        self._num_crowds = np.zeros(self._known.size, np.int64)
        self._accumulated: Accumulated | None = None
        self._partly_labeled = 0  # Images.

    @property
    def num_images(self) -> int:
        """Images seen since the last reset."""
        return len(self._ids)

    def update(self, image_id: str, groundtruth: Arrays, detections: Arrays) -> None:
        """Adds one image.

        Args:
            image_id: Unique.
            groundtruth: `boxes [n, 4]` normalized, `classes [n]` from 0, `size`
                (height, width) of the original image in pixels; optional
                `is_crowd [n]`, `area [n]` in pixels, `labeled_classes`,
                `not_exhaustive_classes`.
            detections: `boxes [m, 4]` normalized, `classes [m]`, `scores [m]`.

        Raises:
            ValueError: The image was already added, lengths differ, or a detection
                is not finite.
        """
        if image_id in self._ids:
            raise ValueError(f"image {image_id!r} was already added")
        number = len(self._ids) + 1
        annotations = self._annotations(number, image_id, groundtruth)
        results = self._results(number, image_id, groundtruth, detections)
        ignored = self._ignored_regions(
            number, groundtruth, self._num_annotations + len(annotations) + 1
        )
        self._stream.update([{"id": number}], annotations + ignored, results)
        self._ids.add(image_id)
        self._partly_labeled += self._is_partly_labeled(groundtruth)
        self._count(annotations)
        self._num_annotations += len(ignored)
        self._accumulated = None

    def compute(self) -> dict[str, float]:
        """Returns the metrics by the original's names; -1 without groundtruth."""
        values = self._accumulate()
        metrics = {
            self.prefix + name: mean_of(values, row) for name, row in SUMMARY.items()
        }
        if not self._per_category:
            return metrics
        for k, label in enumerate(self.names):
            key = f"{self.prefix}PerformanceByCategory/mAP/{label}"
            metrics[key] = mean_of(values, SUMMARY["Precision/mAP"], k)
            if self._all_per_category:
                for name, row in SUMMARY.items():
                    key = f"{self.prefix}{name.replace('/', ' ', 1)} ByCategory/{label}"
                    metrics[key] = mean_of(values, row, k)
        for group, members in self._groups.items():
            found = [mean_of(values, SUMMARY["Precision/mAP"], k) for k in members]
            found = [v for v in found if v >= 0]
            key = f"{self.prefix}PerformanceBySuperCategory/{group}"
            metrics[key] = float(np.mean(found)) if found else -1.0
        return metrics

    def per_class(self) -> tuple[CocoClassResult, ...]:
        """Returns one row per class, in the order of their ids."""
        values = self._accumulate()
        return tuple(self._class_result(values, k) for k in range(len(self.categories)))

    def curves(self, iou: float = 0.5) -> dict[str, NDArray[np.float64]]:
        """Returns precision `[101]` at the recall values `RECALLS`, by class name.

        Classes without groundtruth are left out.
        """
        values = self._accumulate()
        curves = values.precision[iou_index(iou), :, :, 0, 2]
        return {
            name: curves[:, k] for k, name in enumerate(self.names) if curves[0, k] >= 0
        }

    def explain(self) -> dict[str, str]:
        """Returns the reason for each metric of `compute` that is -1."""
        reasons = {}
        for name, value in self.compute().items():
            if value < 0:
                reasons[name] = self._reason(name.removeprefix(self.prefix))
        return reasons

    def suspiciously_low(self) -> bool:
        """Returns True if mAP at IoU 0.5 is close to zero."""
        row = SUMMARY["Precision/mAP@.50IOU"]
        return mean_of(self._accumulate(), row) < _SUSPICIOUS

    def hints(self) -> Sequence[str]:
        """Returns the field to set if not all classes were annotated in all images."""
        if self._skip_unlabeled or not self._partly_labeled:
            return ()
        return (
            f"{counted(self._partly_labeled, 'image')} may have objects without "
            "annotation, by the labeled classes of the dataset; to ignore detections "
            "of them: --set eval_config.skip_predictions_for_unlabeled_class=true",
        )

    def _is_partly_labeled(self, truth: Arrays) -> bool:
        """Returns whether an image may have objects without annotation."""
        labeled = truth.get(LABELED_CLASSES)
        some = labeled is not None and len(set(labeled)) < len(self.categories)
        return some or len(truth.get(NOT_EXHAUSTIVE, ())) > 0

    def _ignored_regions(
        self, number: int, truth: Arrays, first: int
    ) -> list[dict[str, Any]]:
        """Returns a crowd around the image for each class that is annotated in part.

        Detections that match no object are then neither right nor wrong.
        """
        if not self._skip_unlabeled:
            return []
        classes = np.asarray(truth.get(NOT_EXHAUSTIVE, ()), np.int64).reshape(-1)
        known = np.unique(classes[self._in_label_map(classes)]).tolist()
        return [
            {"id": n, "image_id": number, "category_id": index + 1, "iscrowd": 1}
            | self._whole_image(truth)
            for n, index in enumerate(known, first)
        ]

    def _whole_image(self, truth: Arrays) -> dict[str, Any]:
        """Returns a region that contains all detections of an image."""
        height, width = (float(side) for side in truth["size"])
        box = [-width, -height, 3 * width, 3 * height]
        return {"bbox": box, "area": height * width}

    def _annotations(
        self, number: int, image_id: str, truth: Arrays
    ) -> list[dict[str, Any]]:
        """Returns the groundtruth as COCO annotations."""
        classes = np.asarray(truth["classes"], np.int64).reshape(-1)
        boxes = np.round(xywh_px(truth["boxes"], truth["size"]), _DECIMALS)
        crowd = _row(truth, "is_crowd", classes.size, False).astype(bool)
        area = _row(truth, "area", classes.size, 0.0).astype(np.float64)
        _check(image_id, "groundtruth", classes, boxes, crowd, area)
        area = np.where(area > 0, area, boxes[:, 2] * boxes[:, 3])
        keep = self._in_label_map(classes)
        first = self._num_annotations + 1  # In COCO the id 0 means "no match".
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

    def _results(
        self, number: int, image_id: str, truth: Arrays, detections: Arrays
    ) -> Any:
        """Returns the detections in a form that hotcoco takes."""
        classes = np.asarray(detections["classes"], np.int64).reshape(-1)
        scores = np.asarray(detections["scores"], np.float64).reshape(-1)
        boxes = xywh_px(detections["boxes"], truth["size"])
        _check(image_id, "detections", classes, boxes, scores)
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise ValueError(f"image {image_id!r}: a detection is not finite")
        keep = self._evaluated(truth, classes)
        rows = np.empty((int(keep.sum()), 7), np.float64)
        rows[:, 0] = number
        rows[:, 1:5] = boxes[keep]
        rows[:, 5] = scores[keep]
        rows[:, 6] = classes[keep] + 1
        return rows

    def _evaluated(
        self, truth: Arrays, classes: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Returns a mask of the detections that are evaluated, `[m]`."""
        keep = self._in_label_map(classes)
        labeled = truth.get(LABELED_CLASSES)
        if labeled is None and not self._all_labeled:
            labeled = truth["classes"]
        if self._skip_unlabeled and labeled is not None:
            keep &= np.isin(classes, np.asarray(labeled))
        return keep

    def _in_label_map(self, classes: NDArray[np.int64]) -> NDArray[np.bool_]:
        inside = (classes >= 0) & (classes < self._known.size)
        return inside & self._known[np.where(inside, classes, 0)]

    def _count(self, annotations: Sequence[dict[str, Any]]) -> None:
        self._num_annotations += len(annotations)
        for a in annotations:
            index = a["category_id"] - 1
            if a["iscrowd"]:
                self._num_crowds[index] += 1
                continue
            for n, area in enumerate(AREAS):
                self._num_objects[index, n] += area.low <= a["area"] <= area.high

    def _accumulate(self) -> Accumulated:
        if self._accumulated is None:
            # `finalize` ends a stream; the copy lets images be added afterwards.
            self._accumulated = accumulate(copy.copy(self._stream).finalize())
        return self._accumulated

    def _class_result(self, values: Accumulated, k: int) -> CocoClassResult:
        category = self.categories[k]
        best = best_f1(values.precision[0, :, k, 0, 2], values.scores[0, :, k, 0, 2])
        return CocoClassResult(
            name=self.names[k],
            id=category.id,
            num_objects=int(self._num_objects[category.index, 0]),
            ap=mean_of(values, SUMMARY["Precision/mAP"], k),
            ap50=mean_of(values, SUMMARY["Precision/mAP@.50IOU"], k),
            ap75=mean_of(values, SUMMARY["Precision/mAP@.75IOU"], k),
            ar=mean_of(values, SUMMARY["Recall/AR@100"], k),
            **best._asdict(),
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
        return f"no groundtruth object{of} {AREAS[area].text} in {self._images()}"

    def _images(self) -> str:
        return counted(self.num_images, "image")


def _names(categories: Sequence[Category]) -> tuple[str, ...]:
    """Returns display names; of classes that share one, the names in the files."""
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
            f"super_categories contains the class {unknown[0]!r}, which is not in the "
            f"label map; its classes are {', '.join(names)}"
        )
    return {group: [place[m] for m in members] for group, members in groups.items()}


def _row(arrays: Arrays, key: str, length: int, default: Any) -> NDArray[Any]:
    value = arrays.get(key)
    return np.full(length, default) if value is None else np.asarray(value).reshape(-1)


def _check(
    image_id: str, what: str, classes: NDArray[Any], *others: NDArray[Any]
) -> None:
    lengths = [len(classes), *(len(o) for o in others)]
    if len(set(lengths)) > 1:
        raise ValueError(f"image {image_id!r}: {what} have lengths {lengths}")
