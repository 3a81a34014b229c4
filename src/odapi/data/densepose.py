"""What is known of individuals besides keypoints: DensePose points, and motion.

Positions move with the picture; an offset is the difference of two positions, so it is
scaled and turned, not shifted.
"""

from collections.abc import Callable

import numpy as np

from odapi.data.sample import Sample

# Points of an object, at most; there is always room for so many, as in the original.
MAX_POINTS = 336

DENSEPOSE_KEYS = ("densepose_num_points", "densepose_part_ids", "densepose_points")
MOTION_KEYS = ("temporal_offsets", "track_match_flags")
# Shape of one object's value, what is there where nothing is known, and the type.
FIELDS: dict[str, tuple[tuple[int, ...], float, type]] = {
    "densepose_num_points": ((), 0, np.int32),
    "densepose_part_ids": ((MAX_POINTS,), 0, np.int32),
    "densepose_points": ((MAX_POINTS, 4), 0.0, np.float32),
    "temporal_offsets": ((2,), 0.0, np.float32),
    "track_match_flags": ((), False, np.bool_),
}

# Of those, the ones that change with places.
_MOVED_KEYS = {"densepose_points", "temporal_offsets"}

Move = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def unknown(key: str, count: int) -> np.ndarray:
    """Returns the values of a key for objects of which it is not known."""
    shape, value, dtype = FIELDS[key]
    return np.full((count, *shape), value, dtype)


def moved(sample: Sample, move: Move) -> Sample:
    """Returns the keys of a sample that a change of places changes.

    Args:
        sample: The sample.
        move: Gives new places `(y, x)` for old ones, both normalised; it is linear
            but for a shift.
    """
    found: Sample = {}
    if "densepose_points" in sample:
        points = sample["densepose_points"].copy()
        points[..., 0], points[..., 1] = move(points[..., 0], points[..., 1])
        found["densepose_points"] = points
    if "temporal_offsets" in sample:
        y, x = sample["temporal_offsets"].T
        start, end = move(np.zeros_like(y), np.zeros_like(x)), move(y, x)
        pairs = [after - before for before, after in zip(start, end, strict=True)]
        found["temporal_offsets"] = np.stack(pairs, axis=-1).astype(np.float32)
    return found


def rescaled(
    sample: Sample, scale: np.ndarray, shift: np.ndarray | float = 0
) -> Sample:
    """Returns the keys that change where places become `place * scale - shift`.

    Args:
        sample: The sample.
        scale, shift: `[2]`, of y and x.
    """
    if not _MOVED_KEYS & sample.keys():
        return {}
    factors, moves = np.broadcast_to(scale, 2), np.broadcast_to(shift, 2)

    def move(y, x):
        return y * factors[0] - moves[0], x * factors[1] - moves[1]

    return moved(sample, move)


def without_points_outside(sample: Sample) -> Sample:
    """Returns the sample without DensePose points that are not in the picture."""
    if "densepose_points" not in sample:
        return sample
    points, parts = sample["densepose_points"], sample["densepose_part_ids"]
    places = points[..., :2]
    inside = ((places >= 0) & (places <= 1)).all(axis=-1)
    real = np.arange(points.shape[1]) < sample["densepose_num_points"][:, None]
    seen = inside & real
    order = np.argsort(~seen, axis=1, kind="stable")  # Those that stay come first.
    return sample | {
        "densepose_points": np.take_along_axis(points, order[..., None], axis=1),
        "densepose_part_ids": np.take_along_axis(parts, order, axis=1),
        "densepose_num_points": seen.sum(axis=1).astype(np.int32),
    }
