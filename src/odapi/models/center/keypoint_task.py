"""CenterNet's keypoints of one class: heads, losses, and keypoints of detections."""

import dataclasses
from collections.abc import Mapping, Sequence

from keras import ops

from odapi.geometry.keypoints import (
    KeypointRefiner,
    Keypoints,
    argmax_keypoints,
    clip_to_frame,
    find_keypoint_candidates,
    gather_keypoint_values,
    regress_keypoints,
    rescore_by_keypoints,
)
from odapi.losses.boxes import BoxLoss, L1Loss
from odapi.losses.classification import ClassificationLoss, PenaltyReducedFocalLoss
from odapi.models.center.task import STRIDE, Frame, Head, Maps, Peaks, Task
from odapi.structures import Detections, Groundtruth, Tensor
from odapi.targets.keypoint_targets import (
    CellTargets,
    depth_targets,
    heatmap_targets,
    keypoints_of_class,
    offset_targets,
    regression_targets,
)

_KINDS = ("heatmap", "offset", "regression", "depth")
_HEATMAP_LOSS = PenaltyReducedFocalLoss()
_CELL_LOSS = L1Loss()
_SNAPPING = KeypointRefiner()


@dataclasses.dataclass(frozen=True)
class SnapToPeaks:
    """Keypoints move from where the center says to a peak of the heatmap nearby.

    Args:
        snapping: Which peak, and when.
        window: Side of the window in which a peak is highest.
        most: Peaks of a keypoint that are looked at.
    """

    snapping: KeypointRefiner = _SNAPPING
    window: int = 3
    most: int = 100

    def __call__(
        self,
        heatmap: Tensor,
        offsets: Tensor,
        depths: Tensor,
        regressed: Tensor,
        boxes: Tensor,
    ) -> Keypoints:
        """Returns the keypoints of `regressed [b, n, k, 2]`, in cells."""
        candidates = find_keypoint_candidates(
            heatmap, offsets, depths, self.window, self.most, self.snapping.threshold
        )
        return self.snapping(regressed, candidates, boxes)


@dataclasses.dataclass(frozen=True)
class HighestNearby:
    """Keypoints are the highest cell, cells further from the regression counting less.

    Args:
        ratio: Share of the map's shorter side that distances, squared, are divided by.
    """

    ratio: float = 0.1

    def __post_init__(self):
        if not self.ratio > 0:
            raise ValueError(f"gaussian_denom_ratio must be > 0, got {self.ratio}")

    def __call__(
        self,
        heatmap: Tensor,
        offsets: Tensor,
        depths: Tensor,
        regressed: Tensor,
        boxes: Tensor,
    ) -> Keypoints:
        """Returns the keypoints of `regressed [b, n, k, 2]`, in cells."""
        return argmax_keypoints(heatmap, offsets, regressed, boxes, self.ratio, depths)


@dataclasses.dataclass(frozen=True)
class KeypointWeights:
    """How much each loss counts."""

    task: float = 1.0
    heatmap: float = 1.0
    offset: float = 1.0
    regression: float = 1.0
    depth: float = 1.0

    def of(self, kind: str) -> float:
        """Returns the whole weight of one of the losses."""
        return self.task * getattr(self, kind)


@dataclasses.dataclass(frozen=True)
class KeypointTask(Task):
    """Finds the keypoints of the objects of one class.

    Args:
        name: Part of the names of heads and losses.
        class_id: The class, from 0.
        indices: Its keypoints among those of the groundtruth and of detections.
        total: Keypoints of a detection, over all classes.
        deviations: How wide the target's peaks are, by keypoint, times a deviation
            that grows with the box; empty: 1.
        heatmap_loss, cell_loss: Of heatmaps, and of everything else.
        weights: How much each loss counts.
        offset_radius: Of the disk of cells that learn offsets, shifts and depths.
        offset_of_each: Each keypoint has offsets of its own.
        has_depth: Depths are predicted.
        depth_of_each: Each keypoint has a depth of its own.
        decoding: From maps to keypoints.
        clip: Keypoints out of the image are moved to its edge and score 0.
        rescoring_threshold: Scores of objects become their product with the mean score
            of keypoints above this; None: they stay.
        layers_of: Heads by kind, such as "heatmap", for their layers; name, channels
            and bias are set here.
        heatmap_bias: First bias of the heatmap.

    Source: Zhou et al. 2019 (https://arxiv.org/abs/1904.07850), section 4.2.
    """

    name: str
    class_id: int
    indices: tuple[int, ...]
    total: int
    deviations: tuple[float, ...] = ()
    heatmap_loss: ClassificationLoss = _HEATMAP_LOSS
    cell_loss: BoxLoss = _CELL_LOSS
    weights: KeypointWeights = KeypointWeights()
    offset_radius: int = 0
    offset_of_each: bool = False
    has_depth: bool = False
    depth_of_each: bool = False
    decoding: SnapToPeaks | HighestNearby = SnapToPeaks()
    clip: bool = False
    rescoring_threshold: float | None = None
    layers_of: Mapping[str, Head] = dataclasses.field(default_factory=dict)
    heatmap_bias: float = -2.19

    def __post_init__(self):
        if not self.indices:
            raise ValueError(f"task {self.name!r} has no keypoints")
        if self.deviations and len(self.deviations) != len(self.indices):
            raise ValueError(
                f"needs a deviation for each of {len(self.indices)} keypoints, got "
                f"{len(self.deviations)}"
            )
        if self.cell_loss.on_boxes:
            raise ValueError("offsets are no boxes, which the loss compares")
        if self.total <= max(self.indices):
            raise ValueError(f"total must be above {max(self.indices)}")

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is predicted."""
        return _KINDS if self.has_depth else _KINDS[:3]

    @property
    def heads(self) -> tuple[Head, ...]:
        """Heads as the original has them."""
        count = len(self.indices)
        channels = {
            "heatmap": count,
            "offset": 2 * count if self.offset_of_each else 2,
            "regression": 2 * count,
            "depth": count if self.depth_of_each else 1,
        }
        return tuple(
            dataclasses.replace(
                self.layers_of.get(kind, Head(kind, 1)),
                name=self._key(kind),
                channels=channels[kind],
                bias=self.heatmap_bias if kind == "heatmap" else None,
            )
            for kind in self.kinds
        )

    @property
    def loss_names(self) -> tuple[str, ...]:
        """As the original has them."""
        return tuple(f"Loss/{self._key(kind)}" for kind in self.kinds)

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Keypoints, and their depths where they are learnt."""
        depths = ("keypoint_depths", "keypoint_depth_weights")
        return ("keypoints", *(depths if self.has_depth else ()))

    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted losses, by the original's names."""
        size = frame.map_size
        points = keypoints_of_class(truth, self.class_id, self.indices, size)
        found = {"heatmap": self._heatmap_loss(stages, truth, points, frame)}
        cells = {
            "offset": offset_targets(points, self.offset_radius, size),
            "regression": regression_targets(truth, points, self.offset_radius, size),
        }
        if self.has_depth:
            cells["depth"] = depth_targets(
                truth, points, self.indices, self.offset_radius, size
            )
        found |= {kind: self._cell_loss(stages, kind, c) for kind, c in cells.items()}
        return {
            f"Loss/{self._key(kind)}": self.weights.of(kind) * found[kind]
            for kind in self.kinds
        }

    def detect(
        self, maps: Maps, peaks: Peaks, found: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with keypoints where they are of the class.

        Points are normalized to the image without padding. Those of other classes
        are 0, as are keypoints that no task finds. Where no boxes are predicted, those
        around the keypoints take their place.
        """
        regressed = regress_keypoints(self._map(maps, "regression"), peaks.y, peaks.x)
        keypoints = self.decoding(
            ops.sigmoid(self._map(maps, "heatmap")),
            self._map(maps, "offset"),
            self._map(maps, "depth") if self.has_depth else None,
            regressed,
            found.boxes_strided,
        )
        points = keypoints.points * STRIDE / frame.real_size[:, None, None]
        scores = keypoints.scores
        if self.clip:
            points, scores = clip_to_frame(points, scores)
        rows = ops.arange(peaks.scores.shape[1], dtype="int32")[None]
        ours = ops.logical_and(
            peaks.classes == self.class_id, rows < found.num[:, None]
        )
        if found.boxes_strided is None:
            # As in the original, something to measure where no boxes are predicted.
            around = ops.concatenate([ops.min(points, 2), ops.max(points, 2)], axis=-1)
            boxes = ops.where(ours[..., None], around, found.boxes)
            found = found._replace(boxes=boxes)
        return self._with(found, ours, points, scores, keypoints.depths)

    def rescore(self, found: Detections) -> Detections:
        """Returns the detections of the class with scores that keypoints are part of.

        See `rescoring_threshold`.
        """
        if self.rescoring_threshold is None:
            return found
        index = ops.convert_to_tensor(self.indices, dtype="int32")
        scores = ops.take(found.keypoint_scores, index, axis=2)
        new = rescore_by_keypoints(found.scores, scores, self.rescoring_threshold)
        ours = found.classes == self.class_id
        return found._replace(scores=ops.where(ours, new, found.scores))

    def _with(
        self,
        found: Detections,
        ours: Tensor,
        points: Tensor,
        scores: Tensor,
        depths: Tensor,
    ) -> Detections:
        """Adds keypoints of one's own objects to what other tasks have found."""
        ours = ops.cast(ours, "float32")[..., None]
        # [k, total]: which place each keypoint has.
        place = ops.one_hot(
            ops.convert_to_tensor(self.indices, dtype="int32"), self.total
        )

        def added(old, new):
            new = ops.matmul(new * ours, place)
            return new if old is None else old + new

        before = found.keypoints
        y, x = (
            added(None if before is None else before[..., axis], points[..., axis])
            for axis in (0, 1)
        )
        fields = {
            "keypoints": ops.stack([y, x], axis=-1),
            "keypoint_scores": added(found.keypoint_scores, scores),
        }
        if depths is not None:
            fields["keypoint_depths"] = added(found.keypoint_depths, depths)
        return found._replace(**fields)

    def _heatmap_loss(self, stages, truth, points, frame) -> Tensor:
        deviations = self.deviations or (1.0,) * len(self.indices)
        targets = heatmap_targets(truth, points, deviations, frame.map_size)
        weights = targets.weights * frame.valid_cells()
        wanted, weights = _flat(targets.heatmaps), _flat(weights)
        total = sum(
            ops.sum(self.heatmap_loss(_flat(self._map(s, "heatmap")), wanted, weights))
            for s in stages
        )
        return total / (float(len(stages)) * targets.number)

    def _cell_loss(self, stages, kind: str, cells: CellTargets) -> Tensor:
        size = cells.values.shape[-1]
        place = (cells.y, cells.x, cells.keypoints)
        total = sum(
            ops.sum(
                self.cell_loss(
                    gather_keypoint_values(self._map(s, kind), *place, size),
                    cells.values,
                    cells.weights,
                )
            )
            for s in stages
        )
        number = ops.maximum(ops.sum(cells.weights), 1.0)
        return total / (float(len(stages)) * number)

    def _key(self, kind: str) -> str:
        return f"{self.name}/keypoint/{kind}"

    def _map(self, maps: Maps, kind: str) -> Tensor:
        return maps[self._key(kind)]


def _flat(maps: Tensor) -> Tensor:
    _, height, width, channels = maps.shape
    return ops.reshape(maps, (-1, height * width, channels))
