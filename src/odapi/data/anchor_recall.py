"""Recall of anchors: the highest IoU that any anchor has with an object.

For an anchor of a given size, the IoU does not increase with the distance of the
centers, separately in rows and columns: only the anchor whose center is nearest needs
to be compared, which makes the cost independent of the number of locations.
"""

import dataclasses
import enum
import itertools
from collections.abc import Sequence

import numpy as np

Size = tuple[int, int]

# Bounds of the root of the area in pixels, and of width / height.
SIZES = (0.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, np.inf)
ASPECTS = (0.0, 1 / 3, 1 / 2, 4 / 5, 5 / 4, 2.0, 3.0, np.inf)
_SIZE_NAMES = ("below 8", "8-16", "16-32", "32-64", "64-128", "128-256", "256 and more")
_ASPECT_NAMES = (
    "below 1:3", "1:3-1:2", "1:2-4:5", "4:5-5:4", "5:4-2:1", "2:1-3:1", "above 3:1"
)  # fmt: skip


class Border(enum.Enum):
    """Treatment of anchors that cross the border of the image.

    CROSSED: They are used as they are, as an SSD does.
    DROPPED: They are left out, as in the training of a Faster R-CNN.
    CLIPPED: They are clipped, as by its option `clip_anchors_to_image`.
    """

    CROSSED = "crossed"
    DROPPED = "dropped"
    CLIPPED = "clipped"


@dataclasses.dataclass(frozen=True)
class AnchorLevel:
    """The anchors of one feature map, in pixels.

    Args:
        rows: Centers `[h]`, ascending.
        columns: Centers `[w]`, ascending.
        sizes: Height and width `[k, 2]` of the anchors at every location.
    """

    rows: np.ndarray
    columns: np.ndarray
    sizes: np.ndarray

    def inside(self, image_size: Size, shape: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns the rows and columns at which an anchor does not leave the image."""
        return tuple(
            centers[(centers - half >= -1e-3) & (centers + half <= side + 1e-3)]
            for centers, half, side in zip(
                (self.rows, self.columns), shape / 2, image_size, strict=True
            )
        )


def anchor_levels(
    anchors: np.ndarray,
    image_size: Size,
    grids: Sequence[Size],
    per_location: Sequence[int],
) -> list[AnchorLevel]:
    """Returns the levels of what an anchor generator returned, without empty ones.

    Args:
        anchors: `[anchors, 4]`, normalized.
        image_size: Height and width in pixels.
        grids: Height and width of each feature map.
        per_location: Number of anchors per location of each level.
    """
    pixels = np.asarray(anchors, np.float64) * np.tile(image_size, 2)
    levels, start = [], 0
    for (height, width), count in zip(grids, per_location, strict=True):
        end = start + height * width * count
        part = pixels[start:end].reshape(height, width, count, 4)
        start = end
        if part.size:
            centers = (part[..., :2] + part[..., 2:]) / 2
            sizes = (part[..., 2:] - part[..., :2])[0, 0]
            levels.append(AnchorLevel(centers[:, 0, 0, 0], centers[0, :, 0, 1], sizes))
    return levels


def best_ious(
    boxes: np.ndarray,
    levels: Sequence[AnchorLevel],
    image_size: Size = (0, 0),
    border: Border = Border.CROSSED,
) -> np.ndarray:
    """Returns the highest IoU `[n]` that any anchor has with each box.

    Args:
        boxes: `[n, 4]` in pixels, `[y_min, x_min, y_max, x_max]`, within the image.
        levels: The anchors.
        image_size: Height and width in pixels, for the treatment of the border.
        border: Treatment of anchors that cross the border of the image.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    best = np.zeros(len(boxes))
    for level in levels:
        for shape in level.sizes:
            centers: tuple[np.ndarray, ...] = (level.rows, level.columns)
            if border is Border.DROPPED:
                centers = level.inside(image_size, shape)
            if not len(centers[0]) or not len(centers[1]):
                continue
            rows, columns = (
                _candidates(centers[i], boxes[:, i], boxes[:, i + 2], shape[i], border)
                for i in range(2)
            )
            clipped = image_size if border is Border.CLIPPED else None
            for y, x in itertools.product(rows, columns):
                ious = _ious(boxes, np.stack([y, x], 1), shape, clipped)
                np.maximum(best, ious, out=best)
    return best


def by_size(boxes: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns the index of the size bin `[n]` of boxes in pixels, and the bin names."""
    height, width = (boxes[:, 2:] - boxes[:, :2]).T
    return _bins(np.sqrt(height * width), SIZES), _SIZE_NAMES


def by_aspect(boxes: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns the index of the aspect bin `[n]` of boxes in pixels, and the names."""
    height, width = (boxes[:, 2:] - boxes[:, :2]).T
    return _bins(width / np.maximum(height, 1e-9), ASPECTS), _ASPECT_NAMES


def _bins(values: np.ndarray, bounds: Sequence[float]) -> np.ndarray:
    return np.searchsorted(np.asarray(bounds[1:-1]), values, side="right")


def _candidates(
    centers: np.ndarray, low: np.ndarray, high: np.ndarray, side: float, border: Border
) -> list[np.ndarray]:
    """Returns the centers `[n]`, of rows or columns, among which the best is.

    An anchor that is clipped gets smaller the farther it is outside, and covers as
    much of a box until its inner edge passes that of the box.
    """
    wanted = [(low + high) / 2]
    if border is Border.CLIPPED:
        wanted += [high - side / 2, low + side / 2]
    return [_nearest(centers, target) for target in wanted]


def _nearest(centers: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns the center that is nearest to each of some numbers."""
    high = np.minimum(np.searchsorted(centers, wanted), len(centers) - 1)
    low = np.maximum(high - 1, 0)
    nearer = np.abs(centers[low] - wanted) <= np.abs(centers[high] - wanted)
    return np.where(nearer, centers[low], centers[high])


def _ious(
    boxes: np.ndarray, centers: np.ndarray, shape: np.ndarray, clipped: Size | None
) -> np.ndarray:
    """Returns the IoU of boxes `[n, 4]` with anchors of one shape at `centers`."""
    low, high = centers - shape / 2, centers + shape / 2
    if clipped is not None:
        low, high = np.maximum(low, 0), np.minimum(high, clipped)
    shared = np.maximum(
        np.minimum(boxes[:, 2:], high) - np.maximum(boxes[:, :2], low), 0
    ).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1) + np.maximum(high - low, 0).prod(1)
    return shared / np.maximum(areas - shared, 1e-12)
