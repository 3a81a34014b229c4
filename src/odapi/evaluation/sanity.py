"""Likely causes of suspiciously low metrics."""

from typing import Any

import numpy as np

from odapi.geometry.overlap import pairwise_iou
from odapi.labels import LabelMap
from odapi.metrics.pixel_boxes import boxes_px

# Objects from which a fault of the data is inferred: fewer fit anything by chance.
MIN_OBJECTS = 20


class SanityCheck:
    """Collects statistics that tell a mistake from a weak detector.

    Costs one small IoU matrix per image.

    Args:
        label_map: For names of classes; None shows their ids.
    """

    def __init__(self, label_map: LabelMap | None = None):
        self._names = {c.index: c.label for c in label_map or ()}
        self._has_one_class = label_map is not None and len(label_map) == 1
        self.best_score = 0.0
        self.detected_classes: set[int] = set()
        self.true_classes: set[int] = set()
        self.num_detections = 0
        self.num_objects = 0
        self.num_not_finite = 0  # Detections.
        self.covered = 0  # Objects with a detection of any class at IoU 0.5.
        self.covered_swapped = 0  # The same, with x and y exchanged.

    def update(
        self, truth: dict[str, Any], detections: dict[str, Any], num_not_finite: int
    ) -> None:
        """Adds one image.

        Args:
            truth, detections: `boxes` and `classes`, detections with `scores`.
            num_not_finite: Number of detections that were left out as not finite.
        """
        boxes = boxes_px(truth["boxes"], (1, 1))
        found = boxes_px(detections["boxes"], (1, 1))
        self.num_not_finite += num_not_finite
        self.num_objects += len(boxes)
        self.num_detections += len(found)
        self.true_classes.update(np.unique(truth["classes"]).tolist())
        self.detected_classes.update(np.unique(detections["classes"]).tolist())
        if len(found):
            self.best_score = max(self.best_score, float(max(detections["scores"])))
        if len(found) and len(boxes):
            best = pairwise_iou(boxes, found).max(axis=1)
            self.covered += int((best >= 0.5).sum())
            swapped = pairwise_iou(boxes, found[:, [1, 0, 3, 2]]).max(axis=1)
            self.covered_swapped += int((swapped >= 0.5).sum())

    def hints(self, suspiciously_low: bool, is_trained: bool = True) -> tuple[str, ...]:
        """Returns messages to show.

        Args:
            suspiciously_low: Whether to look for a cause of low metrics.
            is_trained: Whether the cause may be in the data; the detections of the
                first training steps tell nothing about them.
        """
        hints = []
        if self.num_not_finite:
            hints.append(
                f"ignored {self.num_not_finite} detections with NaN or infinite "
                "values: the weights have overflowed; use an earlier checkpoint"
            )
        if not self.num_objects:
            hints.append(
                "no image has groundtruth: check the dataset and the label map"
            )
        elif suspiciously_low:
            hints += self._causes(is_trained)
        return tuple(hints)

    def _causes(self, is_trained: bool) -> list[str]:
        if not self.num_detections:
            return [
                "no objects were detected: every score is below the score_threshold of "
                "post_processing; train longer, or check that the weights were loaded"
            ]
        hints = []
        covered = self.covered / self.num_objects
        if is_trained and self.num_objects >= MIN_OBJECTS:
            hints += self._causes_in_data(covered)
        if self.best_score < 0.1:
            hints.append(
                f"the best score is {self.best_score:.2g}: train longer, increase the "
                "learning rate, or start from pretrained weights"
            )
        if not hints:
            hints.append(
                f"{covered:.0%} of the objects overlap a detection at IoU 0.5, the "
                f"best score is {self.best_score:.2g}: look at the drawn images "
                "(--output DIR)"
            )
        return hints

    def _causes_in_data(self, covered: float) -> list[str]:
        hints = []
        in_common = self.detected_classes & self.true_classes
        if not in_common:
            hints.append(
                f"detected classes ({self._list(self.detected_classes)}) and classes "
                f"in the groundtruth ({self._list(self.true_classes)}) do not overlap: "
                "check that training and evaluation use the same label map"
            )
        if self.covered_swapped > 2 * self.covered + 0.2 * self.num_objects:
            hints.append(
                "boxes would match with x and y exchanged: check the order of "
                "coordinates in the annotations"
            )
        elif covered >= 0.3 and in_common and not self._has_one_class:
            hints.append(
                f"{covered:.0%} of the objects overlap a detection of any class at "
                "IoU 0.5: boxes are right but classes are wrong; compare the label maps"
            )
        return hints

    def _list(self, indices: set[int]) -> str:
        shown = [self._names.get(i, f"id {i + 1}") for i in sorted(indices)[:5]]
        return ", ".join(shown) + (", ..." if len(indices) > 5 else "")
