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
from odapi.losses.normalizer import batch_normalizer
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
    """Decoding that snaps regressed keypoints to nearby peaks of the heatmap.

    Args:
        snapping: Choice of the peak.
        window: Side of the window in which a peak is the maximum.
        max_peaks: Maximum number of peaks per keypoint.
    """

    snapping: KeypointRefiner = _SNAPPING
    window: int = 3
    max_peaks: int = 100

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
            heatmap,
            offsets,
            depths,
            self.window,
            self.max_peaks,
            self.snapping.threshold,
        )
        return self.snapping(regressed, candidates, boxes)


@dataclasses.dataclass(frozen=True)
class HighestNearby:
    """Decoding by the highest cell, weighted by the distance to the regression.

    Args:
        ratio: Fraction of the shorter side of the map that divides squared distances.
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
    """Weights of the task and of its losses."""

    task: float = 1.0
    heatmap: float = 1.0
    offset: float = 1.0
    regression: float = 1.0
    depth: float = 1.0

    def of(self, kind: str) -> float:
        """Returns the product of the weights of a loss and of the task."""
        return self.task * getattr(self, kind)


@dataclasses.dataclass(frozen=True)
class KeypointTask(Task):
    """Predicts the keypoints of the objects of one class.

    Args:
        name: Part of the names of heads and losses.
        class_id: The class, 0-based.
        indices: Indices of its keypoints in the groundtruth and in detections.
        total: Number of keypoints per detection, over all classes.
        deviations: Standard deviations of the target's peaks per keypoint, relative to
            one that depends on the box size; empty: 1.
        heatmap_loss, cell_loss: Losses of the heatmaps and of the other outputs.
        weights: Weights of the losses.
        offset_radius: Radius in which cells learn offsets, displacements and depths.
        per_keypoint_offset: Whether each keypoint has separate offsets.
        has_depth: Whether depths are predicted.
        per_keypoint_depth: Whether each keypoint has a separate depth.
        decoding: Decoding of keypoints from maps.
        clip: Whether keypoints outside the image are clipped to it, with score 0.
        rescoring_threshold: The score of an object is multiplied by the mean score of
            its keypoints above this; None: scores are unchanged.
        head_specs: Heads by kind, such as "heatmap"; their name, channels and bias are
            set here.
        heatmap_bias: Initial bias of the heatmap.

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
    per_keypoint_offset: bool = False
    has_depth: bool = False
    per_keypoint_depth: bool = False
    decoding: SnapToPeaks | HighestNearby = SnapToPeaks()
    clip: bool = False
    rescoring_threshold: float | None = None
    head_specs: Mapping[str, Head] = dataclasses.field(default_factory=dict)
    heatmap_bias: float = -2.19

    def __post_init__(self):
        if not self.indices:
            raise ValueError(f"task {self.name!r} has no keypoints")
        if self.deviations and len(self.deviations) != len(self.indices):
            raise ValueError(
                f"needs one deviation per keypoint ({len(self.indices)}), got "
                f"{len(self.deviations)}"
            )
        if self.cell_loss.on_boxes:
            raise ValueError(
                "cell_loss must not be a loss of boxes, such as an IoU loss"
            )
        if self.total <= max(self.indices):
            raise ValueError(f"total must be above {max(self.indices)}")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of outputs."""
        return _KINDS if self.has_depth else _KINDS[:3]

    @property
    def heads(self) -> tuple[Head, ...]:
        """Heads, named as in the original."""
        count = len(self.indices)
        channels = {
            "heatmap": count,
            "offset": 2 * count if self.per_keypoint_offset else 2,
            "regression": 2 * count,
            "depth": count if self.per_keypoint_depth else 1,
        }
        return tuple(
            dataclasses.replace(
                self.head_specs.get(kind, Head(kind, 1)),
                name=self._key(kind),
                channels=channels[kind],
                bias=self.heatmap_bias if kind == "heatmap" else None,
            )
            for kind in self.kinds
        )

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Keys of the dict that `losses` returns, as in the original."""
        return tuple(f"Loss/{self._key(kind)}" for kind in self.kinds)

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Optional fields of `Groundtruth` that its losses read."""
        depths = ("keypoint_depths", "keypoint_depth_weights")
        return ("keypoints", *(depths if self.has_depth else ()))

    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted losses, by the original's names."""
        size = frame.map_size
        points = keypoints_of_class(truth, self.class_id, self.indices, size)
        losses = {"heatmap": self._heatmap_loss(stages, truth, points, frame)}
        cells = {
            "offset": offset_targets(points, self.offset_radius, size),
            "regression": regression_targets(truth, points, self.offset_radius, size),
        }
        if self.has_depth:
            cells["depth"] = depth_targets(
                truth, points, self.indices, self.offset_radius, size
            )
        losses |= {kind: self._cell_loss(stages, kind, c) for kind, c in cells.items()}
        return {
            f"Loss/{self._key(kind)}": self.weights.of(kind) * losses[kind]
            for kind in self.kinds
        }

    def detect(
        self, maps: Maps, peaks: Peaks, detections: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with keypoints of those of the class.

        Points are normalized to the image without padding; keypoints of other classes
        are 0. Without predicted boxes, the bounding boxes of the keypoints are used.
        """
        regressed = regress_keypoints(self._map(maps, "regression"), peaks.y, peaks.x)
        keypoints = self.decoding(
            ops.sigmoid(self._map(maps, "heatmap")),
            self._map(maps, "offset"),
            self._map(maps, "depth") if self.has_depth else None,
            regressed,
            detections.boxes_strided,
        )
        points = keypoints.points * STRIDE / frame.real_size[:, None, None]
        scores = keypoints.scores
        if self.clip:
            points, scores = clip_to_frame(points, scores)
        rows = ops.arange(peaks.scores.shape[1], dtype="int32")[None]
        of_class = ops.logical_and(
            peaks.classes == self.class_id, rows < detections.num[:, None]
        )
        if detections.boxes_strided is None:
            # As in the original, which has no boxes then.
            around = ops.concatenate([ops.min(points, 2), ops.max(points, 2)], axis=-1)
            boxes = ops.where(of_class[..., None], around, detections.boxes)
            detections = detections._replace(boxes=boxes)
        return self._add_keypoints(
            detections, of_class, points, scores, keypoints.depths
        )

    def rescore(self, detections: Detections) -> Detections:
        """Returns the detections, those of the class rescored by their keypoints."""
        if self.rescoring_threshold is None:
            return detections
        index = ops.convert_to_tensor(self.indices, dtype="int32")
        scores = ops.take(detections.keypoint_scores, index, axis=2)
        new = rescore_by_keypoints(detections.scores, scores, self.rescoring_threshold)
        of_class = detections.classes == self.class_id
        return detections._replace(scores=ops.where(of_class, new, detections.scores))

    def _add_keypoints(
        self,
        detections: Detections,
        of_class: Tensor,
        points: Tensor,
        scores: Tensor,
        depths: Tensor,
    ) -> Detections:
        """Adds the keypoints of the objects of the class to those of other tasks."""
        of_class = ops.cast(of_class, "float32")[..., None]
        # One-hot indices [k, total] of the keypoints.
        place = ops.one_hot(
            ops.convert_to_tensor(self.indices, dtype="int32"), self.total
        )

        def added(old, new):
            new = ops.matmul(new * of_class, place)
            return new if old is None else old + new

        before = detections.keypoints
        y, x = (
            added(None if before is None else before[..., axis], points[..., axis])
            for axis in (0, 1)
        )
        fields = {
            "keypoints": ops.stack([y, x], axis=-1),
            "keypoint_scores": added(detections.keypoint_scores, scores),
        }
        if depths is not None:
            fields["keypoint_depths"] = added(detections.keypoint_depths, depths)
        return detections._replace(**fields)

    def _heatmap_loss(self, stages, truth, points, frame) -> Tensor:
        deviations = self.deviations or (1.0,) * len(self.indices)
        targets = heatmap_targets(truth, points, deviations, frame.map_size)
        weights = targets.weights * frame.valid_cells()
        wanted, weights = _flat(targets.heatmaps), _flat(weights)
        total = sum(
            ops.sum(self.heatmap_loss(_flat(self._map(s, "heatmap")), wanted, weights))
            for s in stages
        )
        return total / (float(len(stages)) * batch_normalizer(targets.number))

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
        number = batch_normalizer(ops.sum(cells.weights))
        return total / (float(len(stages)) * number)

    def _key(self, kind: str) -> str:
        return f"{self.name}/keypoint/{kind}"

    def _map(self, maps: Maps, kind: str) -> Tensor:
        return maps[self._key(kind)]


def _flat(maps: Tensor) -> Tensor:
    _, height, width, channels = maps.shape
    return ops.reshape(maps, (-1, height * width, channels))
