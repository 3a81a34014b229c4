"""COCO keypoint metrics (OKS) of one class."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from odapi.errors import DataError
from odapi.labels import Category
from odapi.metrics.coco.keypoint_sigmas import DEFAULT_SIGMA, estimate_sigmas
from odapi.metrics.coco.summary import AREAS, mean_of_known
from odapi.metrics.evaluator import Arrays, Evaluator
from odapi.metrics.pixel_boxes import xywh_px
from odapi.wording import counted


class SummaryRow(NamedTuple):
    """The part of the precision or recall array that one metric averages.

    Args:
        kind: "precision" or "recall".
        iou: Index of the OKS threshold; None averages over all ten.
        area: Index into `_AREAS`.
    """

    kind: str
    iou: int | None
    area: int


# The names of recalls are the original's, which uses those of box metrics for the
# values that COCO's keypoint summary has at these places.
_SUMMARY = {
    "Precision/mAP": SummaryRow("precision", None, 0),
    "Precision/mAP@.50IOU": SummaryRow("precision", 0, 0),
    "Precision/mAP@.75IOU": SummaryRow("precision", 5, 0),
    "Precision/mAP (medium)": SummaryRow("precision", None, 1),
    "Precision/mAP (large)": SummaryRow("precision", None, 2),
    "Recall/AR@1": SummaryRow("recall", None, 0),
    "Recall/AR@10": SummaryRow("recall", 0, 0),
    "Recall/AR@100": SummaryRow("recall", 5, 0),
    "Recall/AR@100 (medium)": SummaryRow("recall", None, 1),
    "Recall/AR@100 (large)": SummaryRow("recall", None, 2),
}
_AREAS = (AREAS[0], *AREAS[2:])  # COCO has no small objects with keypoints.


class CocoKeypointMetrics(Evaluator):
    """The 10 COCO keypoint metrics of one class, at most 20 detections per image.

    Objects without a labeled keypoint and crowds count neither as found nor as missed.

    Args:
        category: The class, with its keypoints.
        sigmas: OKS per-keypoint sigmas by keypoint name, as in COCO; missing ones are
            0.05, as in the original.
        estimate: Whether missing sigmas are estimated from the groundtruth instead. The
            metrics then have names of their own, since their values do not compare.

    Raises:
        ValueError: The class has no keypoints, or a name or a sigma is wrong.
    """

    def __init__(
        self,
        category: Category,
        sigmas: Mapping[str, float] | None = None,
        estimate: bool = False,
    ):
        self.category = category
        self.estimate = estimate
        self.prefix = "KeypointsEstimatedSigmas_" if estimate else "Keypoints_"
        self._ids = [k.id for k in category.keypoints]
        if not self._ids:
            raise ValueError(
                f"class {category.label!r} has no keypoints in the label map"
            )
        names = [k.name for k in category.keypoints]
        given = dict(sigmas or {})
        if unknown := sorted(set(given) - set(names)):
            raise ValueError(
                f"{unknown[0]!r} is not a keypoint of {category.label!r}, whose "
                f"keypoints are {', '.join(names)}"
            )
        if not all(value > 0 for value in given.values()):
            raise ValueError(f"sigmas must be > 0, got {given}")
        self._sigmas = np.array([given.get(name, np.nan) for name in names])
        self.reset()

    def reset(self) -> None:
        """Discards all images."""
        self._images: list[dict[str, Any]] = []
        self._seen: set[str] = set()
        self._truth: list[dict[str, Any]] = []
        self._found: list[dict[str, Any]] = []
        # Groundtruth in pixels, to estimate the sigmas.
        self._points: list[NDArray[np.float64]] = []
        self._computed: dict[str, float] | None = None

    @property
    def num_images(self) -> int:
        """Images seen since the last reset."""
        return len(self._images)

    @property
    def sigmas(self) -> NDArray[np.float64]:
        """The sigma of each keypoint, `[k]`."""
        if not self.estimate:
            return np.where(np.isnan(self._sigmas), DEFAULT_SIGMA, self._sigmas)
        count = len(self._ids)
        points = np.array(self._points).reshape(-1, count, 2)
        areas = np.array([a["area"] for a in self._truth])
        estimated = estimate_sigmas(points, areas)
        return np.where(np.isnan(self._sigmas), estimated, self._sigmas)

    def update(self, image_id: str, groundtruth: Arrays, detections: Arrays) -> None:
        """Adds one image.

        Args:
            image_id: Unique.
            groundtruth: As of `CocoBoxMetrics`, with `keypoints [n, k, 2]` normalized,
                NaN if unlabeled, and optional `keypoint_visibility [n, k]`.
            detections: As of `CocoBoxMetrics`, with `keypoints [m, k, 2]` normalized.

        Raises:
            DataError: Groundtruth or detections have no keypoints.
            ValueError: The image was already added.
        """
        if image_id in self._seen:
            raise ValueError(f"image {image_id!r} was already added")
        _check_keypoints(
            image_id, groundtruth, "groundtruth", "set num_keypoints of the reader"
        )
        _check_keypoints(
            image_id, detections, "detections", "this model does not predict keypoints"
        )
        height, width = (int(v) for v in groundtruth["size"])
        number = len(self._images) + 1
        self._add_groundtruth(number, groundtruth)
        self._add_detections(number, detections, groundtruth["size"])
        self._images.append({"id": number, "height": height, "width": width})
        self._seen.add(image_id)
        self._computed = None

    def compute(self) -> dict[str, float]:
        """Returns the metrics by name; -1 without groundtruth."""
        if self._computed is None:
            values = self._evaluate()
            self._computed = {
                f"{self.prefix}{name} ByCategory/{self.category.label}": _mean(
                    values[row.kind], row
                )
                for name, row in _SUMMARY.items()
            }
        return dict(self._computed)

    def explain(self) -> dict[str, str]:
        """Returns the reason for each metric of `compute` that is -1."""
        numbers = self.compute().items()
        return {
            name: self._reason(row.area)
            for (name, value), row in zip(numbers, _SUMMARY.values(), strict=True)
            if value < 0
        }

    def _reason(self, area: int) -> str:
        if not self._images:
            return "no image was evaluated"
        return (
            f"no object of class {self.category.label!r} {_AREAS[area].text} has a "
            "labeled keypoint"
        )

    def _add_groundtruth(self, number: int, truth: Arrays) -> None:
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

    def _add_detections(self, number: int, found: Arrays, size: Any) -> None:
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

    def _evaluate(self) -> dict[str, NDArray[np.float64]]:
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


def _check_keypoints(image_id: str, arrays: Arrays, what: str, hint: str) -> None:
    if arrays.get("keypoints") is None:
        raise DataError(f"image {image_id!r}", f"{what} have no keypoints", hint=hint)


def _pixels(arrays: Arrays, ids: Sequence[int]) -> NDArray[np.float64]:
    """Returns keypoints `[n, k, 2]` (y, x) in pixels."""
    points = np.asarray(arrays["keypoints"], np.float64)
    if points.size and points.shape[1] <= max(ids):
        raise ValueError(
            f"there are {counted(points.shape[1], 'keypoint')}; the label map has "
            f"{max(ids) + 1}"
        )
    if not points.size:
        return np.zeros((len(points), len(ids), 2))
    return points[:, list(ids)] * np.asarray(arrays["size"], np.float64)


def _triples(points: NDArray[np.float64], visible: NDArray[Any]) -> list[float]:
    """Returns x, y and visibility of each keypoint in one list, as in COCO files."""
    known = np.where(np.asarray(visible)[:, None] > 0, points, 0.0)
    triples = np.column_stack([known[:, 1], known[:, 0], visible])
    return [float(value) for value in triples.reshape(-1)]


def _mean(values: NDArray[np.float64], row: SummaryRow) -> float:
    chosen = values[..., row.area, 0]
    return mean_of_known(chosen if row.iou is None else chosen[row.iou])
