"""Why nothing is found: what to look at when numbers are suspiciously low."""

from typing import Any

import numpy as np

from odapi.metrics.coco import CocoBoxMetrics
from odapi.metrics.evaluator import boxes_px
from odapi.metrics.several import SeveralMetrics

_LOW = 0.02  # mAP@.50 below this is no detector but a mistake, or a first step.


class Sanity:
    """Watches an evaluation; costs a small IoU matrix an image."""

    def __init__(self) -> None:
        self.best_score = 0.0
        self.found: set[int] = set()  # Classes of detections.
        self.known: set[int] = set()  # Classes of groundtruth.
        self.num_found = 0
        self.num_known = 0
        self.num_broken = 0  # Detections that are not finite.
        self.covered = 0  # Objects under a detection of whatever class, IoU 0.5.
        self.covered_swapped = 0  # The same, with x and y exchanged.

    def update(self, truth: dict[str, Any], detections: dict[str, Any], broken: int):
        """Adds an image."""
        boxes = boxes_px(truth["boxes"], (1, 1))
        found = boxes_px(detections["boxes"], (1, 1))
        self.num_broken += broken
        self.num_known += len(boxes)
        self.num_found += len(found)
        self.known.update(np.unique(truth["classes"]).tolist())
        self.found.update(np.unique(detections["classes"]).tolist())
        if len(found):
            self.best_score = max(self.best_score, float(max(detections["scores"])))
        if len(found) and len(boxes):
            best = _iou(boxes, found).max(axis=1)
            self.covered += int((best >= 0.5).sum())
            swapped = _iou(boxes, found[:, [1, 0, 3, 2]]).max(axis=1)
            self.covered_swapped += int((swapped >= 0.5).sum())

    def hints(self, metrics: CocoBoxMetrics | SeveralMetrics) -> tuple[str, ...]:
        """Returns sentences to show; none where the numbers look sound."""
        hints = []
        if self.num_broken:
            hints.append(
                f"{self.num_broken} detections were not finite and left out: the "
                "weights have overflowed; go back to an earlier checkpoint"
            )
        precision = metrics.compute()[f"{metrics.prefix}Precision/mAP@.50IOU"]
        if not self.num_known:
            hints.append(
                "no image has groundtruth: is this the right data set and label map?"
            )
        elif precision < _LOW:
            hints += self._low(metrics)
        return tuple(hints)

    def _low(self, metrics: CocoBoxMetrics | SeveralMetrics) -> list[str]:
        if not self.num_found:
            return [
                "not one object was found: every score lies below score_threshold of "
                "post_processing; train longer, or check that the weights were loaded"
            ]
        hints = []
        if not self.found & self.known:
            hints.append(
                f"classes found ({_names(self.found, metrics)}) and classes in the "
                f"groundtruth ({_names(self.known, metrics)}) have none in common: do "
                "training and evaluation use the same label map?"
            )
        covered = self.covered / self.num_known
        if self.covered_swapped > 2 * self.covered + 0.2 * self.num_known:
            hints.append(
                "boxes would fit with x and y exchanged: check the order in the "
                "annotations"
            )
        elif covered >= 0.3 and self.found & self.known:
            hints.append(
                f"{covered:.0%} of the objects lie under a detection of some class: "
                "boxes are found, classes are confused; compare the label maps"
            )
        if self.best_score < 0.1:
            hints.append(
                f"the best score is {self.best_score:.2g}: trained for too short, with "
                "too small a learning rate, or started from no weights"
            )
        if not hints:
            hints.append(
                f"{covered:.0%} of the objects lie under a detection, the best score "
                f"is {self.best_score:.2g}: look at the pictures (--output DIR)"
            )
        return hints


def _names(indices: set[int], metrics: CocoBoxMetrics | SeveralMetrics) -> str:
    labels = {
        c.index: n for c, n in zip(metrics.categories, metrics.names, strict=True)
    }
    shown = [labels.get(i, f"id {i + 1}") for i in sorted(indices)[:5]]
    return ", ".join(shown) + (", ..." if len(indices) > 5 else "")


def _iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU `[n, m]` of boxes `[n, 4]` and `[m, 4]`."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=-1)
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=-1)
    other_area = np.prod(np.maximum(others[:, 2:] - others[:, :2], 0.0), axis=-1)
    union = area[:, None] + other_area[None] - shared
    return shared / np.maximum(union, 1e-12)
