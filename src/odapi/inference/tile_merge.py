"""Merging of the detections of overlapping tiles.

Two detections of one class from different tiles are the same object if they agree
where both tiles look: the IoU of what each of them has in the area that the tiles share
is at least `MIN_IOU`. A detection is cut if it ends at a border of its tile that is not
a border of the image, or if the same object reaches beyond the tile. Whole detections
replace cut ones, also those of which `MIN_COVERED` lies in them; an object that no
tile has as a whole is the union of its parts.
"""

import collections
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from odapi.geometry.overlap import area, pairwise_iou, pairwise_overlap_area
from odapi.geometry.tiles import Tile
from odapi.inference.predictor import Arrays

MIN_IOU, MIN_COVERED = 0.5, 0.7
# A box that ends closer to the border of its tile is cut: pixels, and share of a tile.
_MARGIN_PX, _MARGIN = 2.0, 0.01
# Fields of which an object of several parts takes the best value per keypoint.
_PER_KEYPOINT = ("keypoints", "keypoint_scores", "keypoint_depths")


@dataclasses.dataclass(frozen=True)
class TileDetections:
    """The detections of all tiles of an image, in pixels of the image.

    Args:
        found: Arrays with one row per detection; `boxes [n, 4]` in pixels, keypoints
            `[n, k, 2]` in pixels, `(y, x)`.
        tiles: The tiles `[t, 4]`, `[y_min, x_min, y_max, x_max]`.
        tile_of: Index of the tile of each detection `[n]`, ascending.
        size: Height and width of the image.
    """

    found: Arrays
    tiles: np.ndarray
    tile_of: np.ndarray
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.found["scores"])


def gather(
    rows: Sequence[Arrays], tiles: Sequence[Tile], size: tuple[int, int]
) -> TileDetections:
    """Returns the detections of tiles in pixels of the image.

    Args:
        rows: What a `Predictor` found in each tile.
        tiles: The tiles.
        size: Height and width of the image.
    """
    moved = []
    for row, tile in zip(rows, tiles, strict=True):
        row = {name: np.asarray(value) for name, value in row.items()}
        valid = row["scores"] > 0  # Others are padding.
        row = {name: value[valid] for name, value in row.items()}
        scale = np.array([tile.height, tile.width], np.float64)
        start = np.array([tile.top, tile.left], np.float64)
        boxes = row["boxes"].reshape(-1, 4).astype(np.float64)
        row["boxes"] = boxes * np.tile(scale, 2) + np.tile(start, 2)
        if "keypoints" in row:
            row["keypoints"] = row["keypoints"].astype(np.float64) * scale + start
        moved.append(row)
    names = moved[0].keys()
    found = {name: np.concatenate([row[name] for row in moved]) for name in names}
    counts = [len(row["scores"]) for row in moved]
    tile_of = np.repeat(np.arange(len(tiles)), counts)
    return TileDetections(found, np.stack([t.box for t in tiles]), tile_of, size)


def merge(detections: TileDetections) -> Arrays:
    """Returns the objects of an image, each once, best first, as a `Predictor` does.

    The score of an object is the highest of its detections.

    Args:
        detections: Of all tiles.
    """
    found, scores = detections.found, detections.found["scores"]
    groups = _groups(detections)
    seeds = np.array([group.members[0] for group in groups], int)
    merged = {name: np.array(value[seeds]) for name, value in found.items()}
    for i, group in enumerate(groups):
        merged["scores"][i] = scores[group.members].max()
        if group.is_cut and len(group.members) > 1:
            _unite(merged, i, found, group.members)
    order = np.argsort(-merged["scores"], kind="stable")
    merged = {name: value[order] for name, value in merged.items()}
    unit = np.array(detections.size, np.float64)
    merged["boxes"] = (merged["boxes"] / np.tile(unit, 2)).astype(np.float32)
    if "keypoints" in merged:
        merged["keypoints"] = (merged["keypoints"] / unit).astype(np.float32)
    return merged


class _Group(NamedTuple):
    """The detections of one object, and whether all of them are cut."""

    members: list[int]
    is_cut: bool


def _groups(detections: TileDetections) -> list[_Group]:
    at_border = _at_border(detections)
    first, second = _same(detections, at_border)
    cut = at_border.copy()
    cut[first[_exceeds(detections, first, second)]] = True
    same: dict[int, list[int]] = collections.defaultdict(list)
    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        same[i].append(j)
    free = np.ones(len(detections), bool)
    groups = []
    for i in np.lexsort((-detections.found["scores"], cut)).tolist():  # Whole first.
        if not free[i]:
            continue
        free[i] = False
        group = _Group([i], bool(cut[i]))
        for member in group.members:
            others = [j for j in same[member] if free[j]]
            free[others] = False
            group.members.extend(others)
            if not group.is_cut:
                break  # Only the parts of parts are of the same object, too.
        groups.append(group)
    return groups


def _same(
    detections: TileDetections, at_border: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pairs of detections of the same object, in both directions."""
    boxes, classes = detections.found["boxes"], detections.found["classes"]
    tiles, limits = detections.tiles, np.arange(len(detections.tiles) + 1)
    starts = np.searchsorted(detections.tile_of, limits)
    pairs = [np.zeros((2, 0), int)]
    for a, b in itertools.combinations(range(len(tiles)), 2):
        low = np.maximum(tiles[a, :2], tiles[b, :2])
        high = np.minimum(tiles[a, 2:], tiles[b, 2:])
        if (high <= low).any():
            continue
        rows, columns = (np.arange(starts[t], starts[t + 1]) for t in (a, b))
        clipped = [
            np.concatenate(
                [np.maximum(boxes[r, :2], low), np.minimum(boxes[r, 2:], high)], axis=1
            )
            for r in (rows, columns)
        ]
        agree = pairwise_iou(*clipped) >= MIN_IOU
        shared = pairwise_overlap_area(boxes[rows], boxes[columns])
        ends, other_ends = at_border[rows, None], at_border[None, columns]
        areas, other_areas = area(boxes[rows])[:, None], area(boxes[columns])[None]
        agree |= ends & ~other_ends & (shared >= MIN_COVERED * areas) & (shared > 0)
        covered = (shared >= MIN_COVERED * other_areas) & (shared > 0)
        agree |= other_ends & ~ends & covered
        agree &= classes[rows, None] == classes[None, columns]
        found = np.nonzero(agree)
        pairs.append(np.stack([rows[found[0]], columns[found[1]]]))
    first, second = np.concatenate(pairs, axis=1)
    return np.concatenate([first, second]), np.concatenate([second, first])


def _at_border(detections: TileDetections) -> np.ndarray:
    """Returns which boxes `[n]` end at a border of their tile within the image."""
    tiles, borders = detections.tiles[detections.tile_of], [0.0, 0.0, *detections.size]
    near = np.abs(detections.found["boxes"] - tiles) <= _margin(tiles)
    at_border: np.ndarray = (near & (tiles != np.array(borders))).any(1)
    return at_border


def _exceeds(
    detections: TileDetections, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Returns for which pairs the second box reaches beyond the tile of the first."""
    tiles = detections.tiles[detections.tile_of[first]]
    beyond = (detections.found["boxes"][second] - tiles) * np.array([-1, -1, 1, 1])
    exceeds: np.ndarray = (beyond > _margin(tiles)).any(1)
    return exceeds


def _margin(tiles: np.ndarray) -> np.ndarray:
    sides = np.tile(tiles[:, 2:] - tiles[:, :2], 2)
    return np.maximum(_MARGIN_PX, _MARGIN * sides)


def _unite(merged: Arrays, i: int, found: Arrays, members: list[int]) -> None:
    """Sets object `i` to the union of its parts."""
    boxes = found["boxes"][members]
    box = np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])
    merged["boxes"][i] = box
    if "box_masks" in merged:
        masks = found["box_masks"][members]
        parts = [_resampled(m, b, box) for m, b in zip(masks, boxes, strict=True)]
        whole = np.max(parts, axis=0)
        if merged["box_masks"].dtype.kind in "biu":
            whole = whole > 0.5
        merged["box_masks"][i] = whole
    if "keypoint_scores" in merged:
        best = found["keypoint_scores"][members].argmax(0)
        for name in _PER_KEYPOINT:
            if name in merged:
                values = found[name][members]
                merged[name][i] = values[best, np.arange(len(best))]


def _resampled(mask: np.ndarray, box: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns the mask of a box as that of a larger box, of the same shape."""
    axes: list[Any] = []
    for axis, cells in enumerate(mask.shape):
        low, high = box[axis], box[axis + 2]
        # The first and last row lie on the edges of the box.
        places = np.linspace(target[axis], target[axis + 2], cells)
        at = (places - low) / max(high - low, 1e-9) * (cells - 1)
        weights = np.maximum(1 - np.abs(at[:, None] - np.arange(cells)), 0)
        axes.append(weights)
    resampled: np.ndarray = axes[0] @ mask.astype(np.float32) @ axes[1].T
    return resampled
