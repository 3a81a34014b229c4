"""COCO's keypoint metrics of one class, on hotcoco, by the original's names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odapi.errors import DataError
from odapi.labels import Category
from odapi.metrics.evaluator import Arrays, xywh_px
from odapi.metrics.sigmas import estimated_sigmas

# name: (precision or recall, IoU threshold or None for the mean of all ten, index into
# the areas: all, medium, large). The names of recalls are the original's, which took
# those of boxes for the numbers that COCO's keypoint summary has at these places.
_SUMMARY = {
    "Precision/mAP": ("precision", None, 0),
    "Precision/mAP@.50IOU": ("precision", 0, 0),
    "Precision/mAP@.75IOU": ("precision", 5, 0),
    "Precision/mAP (medium)": ("precision", None, 1),
    "Precision/mAP (large)": ("precision", None, 2),
    "Recall/AR@1": ("recall", None, 0),
    "Recall/AR@10": ("recall", 0, 0),
    "Recall/AR@100": ("recall", 5, 0),
    "Recall/AR@100 (medium)": ("recall", None, 1),
    "Recall/AR@100 (large)": ("recall", None, 2),
}
_AREAS = (
    ("of any size", 0.0, 1e10),
    ("between 32 x 32 and 96 x 96 pixels", 32.0**2, 96.0**2),
    ("above 96 x 96 pixels", 96.0**2, 1e10),
)


class CocoKeypointMetrics:
    """The 10 COCO keypoint metrics of one class, at 20 detections an image.

    Objects without a labelled keypoint are neither found nor missed, as are crowds.

    Args:
        category: The class, with its keypoints.
        sigmas: How exactly each keypoint can be told, by its name, as COCO's; those
            that are missing, or all where there are none, are estimated from the
            groundtruth.

    Raises:
        ValueError: The class has no keypoints, or a name or a sigma is wrong.
    """

    prefix = "Keypoints_"

    def __init__(self, category: Category, sigmas: Mapping[str, float] | None = None):
        self.category = category
        self._ids = [k.id for k in category.keypoints]
        if not self._ids:
            raise ValueError(
                f"class {category.label!r} has no keypoints in the label map"
            )
        names = [k.name for k in category.keypoints]
        given = dict(sigmas or {})
        if unknown := sorted(set(given) - set(names)):
            raise ValueError(
                f"{unknown[0]!r} is no keypoint of {category.label!r}; there are "
                f"{', '.join(names)}"
            )
        if not all(value > 0 for value in given.values()):
            raise ValueError(f"sigmas must be > 0, got {given}")
        self._sigmas = np.array([given.get(name, np.nan) for name in names])
        self.reset()

    def reset(self) -> None:
        """Forgets all images."""
        self._images: list[dict[str, Any]] = []
        self._seen: set[str] = set()
        self._truth: list[dict[str, Any]] = []
        self._found: list[dict[str, Any]] = []
        self._points: list[np.ndarray] = []  # Of groundtruth, in pixels, to estimate.
        self._computed: dict[str, float] | None = None

    @property
    def num_images(self) -> int:
        """Images seen since the last reset."""
        return len(self._images)

    @property
    def sigmas(self) -> np.ndarray:
        """The sigma of each keypoint, `[k]`."""
        if not np.isnan(self._sigmas).any():
            return self._sigmas
        count = len(self._ids)
        points = np.array(self._points).reshape(-1, count, 2)
        areas = np.array([a["area"] for a in self._truth])
        estimated = estimated_sigmas(points, areas)
        return np.where(np.isnan(self._sigmas), estimated, self._sigmas)

    def update(self, image_id: str, groundtruth: Arrays, detections: Arrays) -> None:
        """Adds an image.

        Args:
            image_id: Unique.
            groundtruth: As of boxes, with `keypoints [n, k, 2]` normalised, NaN where
                unlabelled, and where there is one `keypoint_visibility [n, k]`.
            detections: As of boxes, with `keypoints [m, k, 2]`, normalised.

        Raises:
            DataError: There are no keypoints.
            ValueError: The image was already added.
        """
        if image_id in self._seen:
            raise ValueError(f"image {image_id!r} was already added")
        _need(image_id, groundtruth, "groundtruth", "set num_keypoints of the reader")
        _need(image_id, detections, "detections", "the model finds none")
        height, width = (int(v) for v in groundtruth["size"])
        number = len(self._images) + 1
        self._add_truth(number, groundtruth)
        self._add_found(number, detections, groundtruth["size"])
        self._images.append({"id": number, "height": height, "width": width})
        self._seen.add(image_id)
        self._computed = None

    def compute(self) -> dict[str, float]:
        """Returns the metrics by the original's names; -1: nothing to measure."""
        if self._computed is None:
            values = self._evaluate()
            self._computed = {
                f"{self.prefix}{name} ByCategory/{self.category.label}": _mean(
                    values[kind], iou, area
                )
                for name, (kind, iou, area) in _SUMMARY.items()
            }
        return dict(self._computed)

    def explain(self) -> dict[str, str]:
        """Returns why, for each metric of `compute` that is -1."""
        numbers = self.compute().items()
        areas = [area for _, _, area in _SUMMARY.values()]
        return {
            name: self._reason(area)
            for (name, value), area in zip(numbers, areas, strict=True)
            if value < 0
        }

    def _reason(self, area: int) -> str:
        if not self._images:
            return "no image was evaluated"
        return (
            f"no object of class {self.category.label!r} {_AREAS[area][0]} has a "
            "labelled keypoint"
        )

    def _add_truth(self, number: int, truth: Arrays) -> None:
        classes = np.asarray(truth["classes"], np.int64).reshape(-1)
        boxes = xywh_px(truth["boxes"], truth["size"])
        points = _pixels(truth, self._ids)
        known = ~np.isnan(points).any(-1)
        visible = truth.get("keypoint_visibility")
        if visible is None:
            visible = np.full(known.shape, 2)
        else:
            visible = np.asarray(visible)[:, self._ids]
        visible = np.where(known, visible, 0)
        area = np.asarray(truth.get("area", np.zeros(classes.size)), np.float64)
        area = np.where(area > 0, area, boxes[:, 2] * boxes[:, 3])
        crowd = np.asarray(truth.get("is_crowd", np.zeros(classes.size, bool)))
        for i in np.flatnonzero(classes == self.category.index):
            self._truth.append(
                {
                    "id": len(self._truth) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "bbox": boxes[i].tolist(),
                    "area": float(area[i]),
                    "iscrowd": int(crowd[i]),
                    "keypoints": _triples(points[i], visible[i]),
                    "num_keypoints": int((visible[i] > 0).sum()),
                }
            )
            self._points.append(np.where(visible[i, :, None] > 0, points[i], np.nan))

    def _add_found(self, number: int, found: Arrays, size: Any) -> None:
        classes = np.asarray(found["classes"], np.int64).reshape(-1)
        scores = np.asarray(found["scores"], np.float64).reshape(-1)
        points = _pixels({"keypoints": found["keypoints"], "size": size}, self._ids)
        for i in np.flatnonzero(classes == self.category.index):
            self._found.append(
                {
                    "image_id": number,
                    "category_id": 1,
                    "keypoints": _triples(points[i], np.ones(len(self._ids))),
                    "score": float(scores[i]),
                }
            )

    def _evaluate(self) -> dict[str, np.ndarray]:
        """Returns precision `[10, 101, 1, 3, 1]` and recall `[10, 1, 3, 1]`."""
        import hotcoco

        params = hotcoco.Params("keypoints")
        params.kpt_oks_sigmas = self.sigmas.tolist()
        stream = hotcoco.StreamingEval(
            [{"id": 1, "name": self.category.label}], "keypoints", params=params
        )
        if self._images:
            stream.update(self._images, self._truth, self._found)
        evaluation = stream.finalize()
        evaluation.accumulate()
        found: Any = evaluation.eval
        return {name: np.asarray(found[name]) for name in ("precision", "recall")}


def _need(image_id: str, arrays: Arrays, what: str, hint: str) -> None:
    if arrays.get("keypoints") is None:
        raise DataError(f"image {image_id!r}", f"{what} without keypoints", hint=hint)


def _pixels(arrays: Arrays, ids: Sequence[int]) -> np.ndarray:
    """Returns `[n, k, 2]` (y, x) in pixels."""
    points = np.asarray(arrays["keypoints"], np.float64)
    if points.size and points.shape[1] <= max(ids):
        raise ValueError(
            f"there are {points.shape[1]} keypoints; the label map has {max(ids) + 1}"
        )
    if not points.size:
        return np.zeros((len(points), len(ids), 2))
    return points[:, list(ids)] * np.asarray(arrays["size"], np.float64)


def _triples(points: np.ndarray, visible: np.ndarray) -> list[float]:
    """Returns x, y, visibility of each keypoint, as COCO writes them."""
    known = np.where(np.asarray(visible)[:, None] > 0, points, 0.0)
    return np.column_stack([known[:, 1], known[:, 0], visible]).reshape(-1).tolist()


def _mean(values: np.ndarray, iou: int | None, area: int) -> float:
    chosen = values[..., area, 0]
    chosen = chosen if iou is None else chosen[iou]
    chosen = chosen[chosen > -1]
    return float(np.mean(chosen)) if chosen.size else -1.0
