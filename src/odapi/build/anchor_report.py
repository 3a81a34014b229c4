"""Recall of a config's anchors on a dataset, and of the proposed ones."""

import dataclasses
from typing import Any

import numpy as np

from odapi.build.anchor_proposal import Proposal, propose_anchors
from odapi.build.anchor_setup import AnchorSetup
from odapi.data.anchor_recall import by_aspect, by_size
from odapi.data.resized_boxes import ResizedBoxes, read_resized_boxes
from odapi.data.sources.base import BaseSource
from odapi.draw.plots import Line, plot
from odapi.wording import counted

_WINDOWS = 24  # Points of the curve over sizes, of equally many objects.


@dataclasses.dataclass(frozen=True)
class RecallRow:
    """Recall of the objects in one bin.

    Args:
        name: Bounds of the bin.
        objects: Number of objects.
        recall: Share of them with an anchor at or above the threshold; None without
            objects.
        proposed: The same with the proposed anchors.
    """

    name: str
    objects: int
    recall: float | None
    proposed: float | None


@dataclasses.dataclass(frozen=True)
class AnchorReport:
    """Recall of anchors.

    Args:
        setup: The anchors of the config.
        proposal: Better ones.
        objects: The dataset.
        ious: Highest IoU `[n]` of each object with any anchor of the config.
        proposed_ious: The same with the proposed anchors.
    """

    setup: AnchorSetup
    proposal: Proposal
    objects: ResizedBoxes
    ious: np.ndarray
    proposed_ious: np.ndarray

    @property
    def all_objects(self) -> RecallRow:
        """Recall of all objects."""
        return self._rows(np.zeros(len(self.objects), int), ("all objects",))[0]

    @property
    def by_size(self) -> list[RecallRow]:
        """Recall by the root of the area in pixels of the resized image."""
        return self._rows(*by_size(self.objects.boxes))

    @property
    def by_aspect(self) -> list[RecallRow]:
        """Recall by width : height in the resized image."""
        return self._rows(*by_aspect(self.objects.boxes))

    def as_dict(self) -> dict[str, Any]:
        """Returns the report in values that JSON can hold."""
        total = self.all_objects
        return {
            "generator": f"{self.setup.path}.{self.setup.kind}",
            "images": self.objects.images,
            "objects": len(self.objects),
            "iou_threshold": self.setup.threshold,
            "anchors_across_border": self.setup.border.value,
            "forced_matches": self.setup.matcher.force,
            "recall": total.recall,
            "mean_iou": float(self.ious.mean()),
            "proposed_recall": total.proposed,
            "proposed_mean_iou": float(self.proposed_ious.mean()),
            "by_size": [dataclasses.asdict(row) for row in self.by_size],
            "by_aspect": [dataclasses.asdict(row) for row in self.by_aspect],
            "overrides": list(self.proposal.overrides),
        }

    def plot(self) -> np.ndarray:
        """Returns curves of the recall over IoU thresholds and over object sizes."""
        anchors = {"anchors of the config": self.ious}
        if self.proposal.overrides:
            anchors["proposed anchors"] = self.proposed_ious
        thresholds = np.linspace(0, 1, 101)
        upper = plot(
            [
                Line(name, thresholds, (ious[:, None] >= thresholds).mean(0))
                for name, ious in anchors.items()
            ],
            title=f"Recall of anchors, {counted(len(self.objects), 'object')}",
            x_label="IoU threshold",
            y_label="recall",
            x_range=(0.0, 1.0),
            y_range=(0.0, 1.02),
        )
        sides = np.sqrt(self.objects.shapes.prod(1))
        windows = [w for w in np.array_split(np.argsort(sides), _WINDOWS) if len(w)]
        lower = plot(
            [
                Line(
                    name,
                    [float(np.median(sides[w])) for w in windows],
                    [float((ious[w] >= self.setup.threshold).mean()) for w in windows],
                )
                for name, ious in anchors.items()
            ],
            title=f"Recall at IoU {self.setup.threshold:g} by object size",
            x_label="root of the area in pixels of the resized image",
            y_label="recall",
            y_range=(0.0, 1.02),
        )
        return np.concatenate([upper, lower])

    def _rows(self, bins: np.ndarray, names: tuple[str, ...]) -> list[RecallRow]:
        rows = []
        for i, name in enumerate(names):
            chosen = bins == i
            shares = [
                float((ious[chosen] >= self.setup.threshold).mean())
                if chosen.any()
                else None
                for ious in (self.ious, self.proposed_ious)
            ]
            rows.append(RecallRow(name, int(chosen.sum()), *shares))
        return rows


def report_anchors(
    setup: AnchorSetup, source: BaseSource, seed: int = 0
) -> AnchorReport:
    """Returns the recall of the anchors of a config, and proposes better ones.

    Args:
        setup: The anchors.
        source: The dataset.
        seed: Seed of k-means.

    Raises:
        DataError: The dataset has no object.
    """
    objects = read_resized_boxes(source, setup.resizer)
    proposal = propose_anchors(setup, objects, seed)
    return AnchorReport(
        setup,
        proposal,
        objects,
        setup.best_ious(objects),
        proposal.setup.best_ious(objects),
    )
