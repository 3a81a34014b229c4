"""Keypoints of objects from heatmaps and from regression at object centers.

Points are (y, x) in cells of the maps unless stated otherwise; 0 is the center of the
first cell. Maps are `[b, h, w, channels]`, of a static size.
"""

import dataclasses
from typing import NamedTuple, Protocol

from keras import ops

from odapi.geometry.boxes import center_size, from_center_size
from odapi.geometry.gather import gather_cells, gather_rows
from odapi.geometry.heatmaps import gaussian_sigma, keep_peaks, top_peaks_per_channel
from odapi.structures import Tensor

_FAR = 1e5  # In cells, larger than any map.
# The IoU of the Gaussians of both the targets and `GaussianWeighted`.
MIN_IOU = 0.7


class Keypoints(NamedTuple):
    """Keypoints of objects."""

    points: Tensor  # [b, n, k, 2] float32
    scores: Tensor  # [b, n, k] float32
    depths: Tensor = None  # [b, n, k] float32


class KeypointCandidates(NamedTuple):
    """Peaks of each keypoint's heatmap, highest first, not yet assigned to objects."""

    points: Tensor  # [b, c, k, 2] float32
    scores: Tensor  # [b, c, k] float32
    valid: Tensor  # [b, c, k] bool: above the threshold
    depths: Tensor = None  # [b, c, k] float32


def regress_keypoints(regression: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Returns `[b, n, k, 2]`: keypoints regressed from the cells of object centers.

    Args:
        regression: `[b, h, w, 2 k]`, (y, x) of each keypoint relative to the cell.
        y, x: `[b, n]` int32, cells of the centers.
    """
    count = regression.shape[-1] // 2
    shift = ops.reshape(gather_cells(regression, y, x), (-1, y.shape[1], count, 2))
    cell = ops.cast(ops.stack([y, x], axis=-1), "float32")
    return cell[:, :, None] + shift


def gather_keypoint_values(
    maps: Tensor, y: Tensor, x: Tensor, channel: Tensor, size: int
) -> Tensor:
    """Returns `[b, m, size]`: the values for one keypoint at each cell.

    Args:
        maps: `[b, h, w, k size]`, or `[b, h, w, size]` shared by all keypoints.
        y, x: `[b, m]` int32, within the map.
        channel: `[b, m]` int32, index of the keypoint.
        size: Number of values per keypoint.
    """
    _, height, width, channels = maps.shape
    kinds = channels // size
    rows = ops.reshape(maps, (-1, height * width * kinds, size))
    cell = y * width + x
    return gather_rows(rows, cell * kinds + channel if kinds > 1 else cell)


def find_keypoint_candidates(
    heatmap: Tensor,
    offsets: Tensor,
    depths: Tensor = None,
    window: int = 3,
    max_candidates: int = 100,
    threshold: float = 0.1,
) -> KeypointCandidates:
    """Returns the highest peaks of each keypoint.

    Args:
        heatmap: `[b, h, w, k]`, probabilities.
        offsets: `[b, h, w, 2 k]` or `[b, h, w, 2]`: from the cell to the keypoint.
        depths: `[b, h, w, k]` or `[b, h, w, 1]`.
        window: Side of the window whose maximum a peak is.
        max_candidates: Number of peaks per keypoint.
        threshold: Minimum score of a peak.
    """
    count = heatmap.shape[-1]
    peaks = top_peaks_per_channel(keep_peaks(heatmap, window), max_candidates)
    y, x, channel = (
        ops.reshape(v, (-1, count * max_candidates))
        for v in (peaks.y, peaks.x, peaks.channels)  # [b, k, c]
    )
    shape = (-1, count, max_candidates)
    points = ops.cast(ops.stack([y, x], axis=-1), "float32")
    points = points + gather_keypoint_values(offsets, y, x, channel, 2)
    points = ops.transpose(ops.reshape(points, (*shape, 2)), (0, 2, 1, 3))
    scores = ops.transpose(peaks.scores, (0, 2, 1))
    if depths is not None:
        depths = gather_keypoint_values(depths, y, x, channel, 1)
        depths = ops.transpose(ops.reshape(depths, shape), (0, 2, 1))
    return KeypointCandidates(points, scores, scores >= threshold, depths)


class CandidateRanking(Protocol):
    """Ranks candidates; a regressed keypoint moves to the one of highest rank."""

    @property
    def needs_boxes(self) -> bool:
        """True if ranks depend on the size of the object's box."""

    @property
    def is_score(self) -> bool:
        """True if the rank replaces the candidate's score as the keypoint's score."""

    def __call__(self, scores: Tensor, distances: Tensor, boxes: Tensor) -> Tensor:
        """Returns ranks `[b, n, c, k]`.

        Args:
            scores: `[b, 1, c, k]`, scores of candidates.
            distances: `[b, n, c, k]`, from the regressed keypoints.
            boxes: `[b, n, 4]`, or None.
        """


@dataclasses.dataclass(frozen=True)
class Nearest:
    """Ranks by distance, nearest first."""

    needs_boxes = False
    is_score = False

    def __call__(self, scores: Tensor, distances: Tensor, boxes: Tensor) -> Tensor:
        """Returns the negative distance."""
        return -distances


@dataclasses.dataclass(frozen=True)
class ScorePerDistance:
    """Ranks by score divided by distance.

    Args:
        offset: Added to the distance, in cells, above 0.
    """

    offset: float = 1.0
    needs_boxes = False
    is_score = False

    def __post_init__(self) -> None:
        if not self.offset > 0:
            raise ValueError(f"score_distance_offset must be > 0, got {self.offset}")

    def __call__(self, scores: Tensor, distances: Tensor, boxes: Tensor) -> Tensor:
        """Returns `score / (distance + offset)`."""
        return scores / (distances + self.offset)


@dataclasses.dataclass(frozen=True)
class ScorePerScaledDistance:
    """Ranks by score divided by distance, which counts less in a larger box.

    Args:
        multiplier: Fraction of the box's longer side that is added to the distance.
    """

    multiplier: float = 0.1
    needs_boxes = True
    is_score = False

    def __post_init__(self) -> None:
        if not self.multiplier > 0:
            raise ValueError(
                f"score_distance_multiplier must be > 0, got {self.multiplier}"
            )

    def __call__(self, scores: Tensor, distances: Tensor, boxes: Tensor) -> Tensor:
        """Returns `score / (distance + multiplier * side)`."""
        side = ops.max(center_size(boxes)[1], axis=-1)[:, :, None, None]
        # A box without area, such as padding, must not divide 0 by 0.
        return scores / ops.maximum(distances + side * self.multiplier, 1e-6)


@dataclasses.dataclass(frozen=True)
class GaussianWeighted:
    """Ranks by score times the target's Gaussian at the distance; replaces the score.

    Args:
        deviations: Standard deviation per keypoint, relative to that of the box.
    """

    deviations: tuple[float, ...]
    needs_boxes = True
    is_score = True

    def __post_init__(self) -> None:
        if not all(d > 0 for d in self.deviations):
            raise ValueError(f"deviations must be > 0, got {self.deviations}")

    def __call__(self, scores: Tensor, distances: Tensor, boxes: Tensor) -> Tensor:
        """Returns `score * exp(-distance^2 / (2 sigma^2))`."""
        size = center_size(boxes)[1]
        sigma = gaussian_sigma(size[..., 0], size[..., 1], MIN_IOU)[:, :, None, None]
        sigma = sigma * ops.convert_to_tensor(self.deviations, dtype="float32")
        return scores * ops.exp(-ops.square(distances) / (2.0 * ops.square(sigma)))


@dataclasses.dataclass(frozen=True)
class KeypointRefiner:
    """Refines regressed keypoints: moves each to a heatmap candidate nearby, if any.

    A candidate must have at least the score `threshold` and lie in the object's
    enlarged box; and the nearest candidate must not be further away than a fraction of
    that box's longer side.

    Args:
        ranking: Chooses among several candidates.
        threshold: Minimum score; of the rank if the rank replaces the score.
        unmatched_score: Score of a keypoint that keeps its regressed position.
        box_scale: Factor by which the box is enlarged.
        search_scale: Maximum distance, as a fraction of the enlarged box's longer side.

    Source: Zhou et al. 2019 (https://arxiv.org/abs/1904.07850), section 4.2, and the
    original's center_net_meta_arch.py.
    """

    ranking: CandidateRanking = Nearest()
    threshold: float = 0.1
    unmatched_score: float = 0.1
    box_scale: float = 1.2
    search_scale: float = 0.3

    def __call__(
        self, regressed: Tensor, candidates: KeypointCandidates, boxes: Tensor = None
    ) -> Keypoints:
        """Returns the refined keypoints; depth is 0 where no candidate matched.

        Args:
            regressed: `[b, n, k, 2]`.
            candidates: Candidates of the same keypoints.
            boxes: `[b, n, 4]` in cells; None: candidates are not restricted.
        """
        gap = regressed[:, :, None] - candidates.points[:, None]  # [b, n, c, k, 2]
        distances = ops.sqrt(ops.sum(ops.square(gap), axis=-1))
        distances = ops.where(candidates.valid[:, None], distances, _FAR)
        ranks = self.ranking(candidates.scores[:, None], distances, boxes)
        chosen = ops.cast(ops.argmax(ranks, axis=2), "int32")  # [b, n, k]
        points = _chosen(candidates.points, chosen)
        scores = _chosen(candidates.scores[..., None], chosen)[..., 0]
        if self.ranking.is_score:
            scores = ops.max(ranks, axis=2)
        stays = ops.logical_or(
            scores < self.threshold,
            self._outside(points, ops.min(distances, axis=2), boxes),
        )
        depths = candidates.depths
        if depths is not None:
            depths = ops.where(stays, 0.0, _chosen(depths[..., None], chosen)[..., 0])
        return Keypoints(
            ops.where(stays[..., None], regressed, points),
            ops.where(stays, self.unmatched_score, scores),
            depths,
        )

    def _outside(self, points: Tensor, nearest: Tensor, boxes: Tensor) -> Tensor:
        """Returns `[b, n, k]` bool: points `[b, n, k, 2]` that are out of bounds."""
        if boxes is None:
            return nearest >= _FAR
        center, size = center_size(boxes)
        size = size * self.box_scale
        box = from_center_size(center, size)[:, :, None]
        radius = ops.max(size, axis=-1) * self.search_scale
        out = ops.logical_or(points < box[..., :2], points > box[..., 2:])
        return ops.logical_or(ops.any(out, axis=-1), nearest > radius[..., None])


def _chosen(values: Tensor, index: Tensor) -> Tensor:
    """Returns `[b, n, k, d]`: rows `index [b, n, k]` of `values [b, c, k, d]`."""
    count, kinds, size = values.shape[1:]
    number = index.shape[1]
    rows = ops.reshape(values, (-1, count * kinds, size))
    place = index * kinds + ops.arange(kinds, dtype="int32")
    found = gather_rows(rows, ops.reshape(place, (-1, number * kinds)))
    return ops.reshape(found, (-1, number, kinds, size))


def argmax_keypoints(
    heatmap: Tensor,
    offsets: Tensor,
    regressed: Tensor,
    boxes: Tensor,
    ratio: float = 0.1,
    depths: Tensor = None,
) -> Keypoints:
    """Returns the highest cell per keypoint, weighted by distance.

    Does not sort, for engines that sort slowly, but takes memory for one number per
    cell, object and keypoint. The score of a cell is the maximum over objects, as in
    the original.

    Args:
        heatmap: `[b, h, w, k]`, probabilities.
        offsets: `[b, h, w, 2 k]` or `[b, h, w, 2]`.
        regressed: `[b, n, k, 2]`.
        boxes: `[b, n, 4]` in cells; cells outside are excluded.
        ratio: Divides squared distances, as a fraction of the map's shorter side.
        depths: `[b, h, w, k]` or `[b, h, w, 1]`.
    """
    _, height, width, count = heatmap.shape
    number = regressed.shape[1]

    def factor(length: int, axis: int) -> Tensor:
        cells = ops.arange(length, dtype="float32")[None, :, None, None]
        near = ops.exp(
            -ops.square(cells - regressed[..., axis][:, None])
            / (ratio * min(height, width))
        )
        low, high = boxes[:, None, :, axis, None], boxes[:, None, :, axis + 2, None]
        inside = ops.logical_and(cells >= low, cells < high)
        return ops.where(inside, near, 0.0)  # [b, length, n, k]

    nearby = factor(height, 0)[:, :, None] * factor(width, 1)[:, None]
    ranks = ops.reshape(
        heatmap[:, :, :, None] * nearby, (-1, height * width, number, count)
    )
    best = ops.reshape(ops.argmax(ranks, axis=1), (-1, number * count))
    best = ops.cast(best, "int32")
    y, x = best // width, best % width
    channel = ops.tile(ops.arange(count, dtype="int32"), (number,))[None] + 0 * best
    highest = ops.reshape(ops.max(ranks, axis=2), (-1, height, width, count))
    points = ops.cast(ops.stack([y, x], axis=-1), "float32")
    points = points + gather_keypoint_values(offsets, y, x, channel, 2)
    scores = gather_keypoint_values(highest, y, x, channel, 1)
    if depths is not None:
        depths = gather_keypoint_values(depths, y, x, channel, 1)
        depths = ops.reshape(depths, (-1, number, count))
    return Keypoints(
        ops.reshape(points, (-1, number, count, 2)),
        ops.reshape(scores, (-1, number, count)),
        depths,
    )


def clip_to_frame(points: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Clips normalized points to the image; points outside get score 0.

    Args:
        points: `[..., 2]`.
        scores: `[...]`.
    """
    inside = ops.all(ops.logical_and(points >= 0, points <= 1), axis=-1)
    return ops.clip(points, 0.0, 1.0), ops.where(inside, scores, 0.0)


def rescore_by_keypoints(
    scores: Tensor, keypoint_scores: Tensor, threshold: float
) -> Tensor:
    """Returns scores `[b, n]` times the mean score of the keypoints above a threshold.

    Args:
        scores: `[b, n]`, scores of objects.
        keypoint_scores: `[b, n, k]`, scores of their keypoints.
        threshold: Keypoints must be above it; if none is, the score is 0.
    """
    counted = ops.cast(keypoint_scores > threshold, "float32")
    total = ops.sum(keypoint_scores * counted, axis=-1)
    return scores * total / ops.maximum(ops.sum(counted, axis=-1), 1.0)
