"""OKS per-keypoint sigmas (tolerances): COCO's, and estimates from annotations."""

import re
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# A sigma in units of the median distance to the nearest other keypoint of the object.
# The median over COCO's sigmas, which were measured on images annotated twice, is 0.28
# (127 people of coco_mini), and their mean deviation from this estimate is 17 %.
_SIGMA_PER_DISTANCE = 0.28
_MIN_SIGMA, _MAX_SIGMA = 0.025, 0.107  # COCO's: eyes and hips.
DEFAULT_SIGMA = 0.05  # Of the original, for every keypoint without a sigma.

# Of COCO's person, measured on 5000 images that were annotated twice.
_COCO_SIGMAS = {
    "nose": 0.026, "left_eye": 0.025, "right_eye": 0.025, "left_ear": 0.035,
    "right_ear": 0.035, "left_shoulder": 0.079, "right_shoulder": 0.079,
    "left_elbow": 0.072, "right_elbow": 0.072, "left_wrist": 0.062,
    "right_wrist": 0.062, "left_hip": 0.107, "right_hip": 0.107, "left_knee": 0.087,
    "right_knee": 0.087, "left_ankle": 0.089, "right_ankle": 0.089,
}  # fmt: skip


def coco_sigmas(names: Sequence[str]) -> list[float] | None:
    """Returns COCO's sigmas for its 17 keypoints, in the order of `names`.

    Args:
        names: Of the keypoints of a class; case, spaces and hyphens do not matter.

    Returns:
        The sigmas, or None if the names are not those of COCO's person.
    """
    plain = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in names]
    if len(plain) != len(_COCO_SIGMAS) or set(plain) != set(_COCO_SIGMAS):
        return None
    return [_COCO_SIGMAS[name] for name in plain]


def estimate_sigmas(
    points_px: NDArray[np.float64], areas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Estimates the OKS sigma of each keypoint, `[k]`.

    A keypoint close to others gets a smaller tolerance than one that is far from them.
    Keypoints that never occur together with another one get 0.05.

    Args:
        points_px: `[n, k, 2]`, in pixels; NaN: unlabeled.
        areas: `[n]`, of the objects, in square pixels.
    """
    count = points_px.shape[1]
    if not len(points_px) or count < 2:
        return np.full(count, DEFAULT_SIGMA)
    nearest = np.full(points_px.shape[:2], np.nan)
    for k in range(count):  # A loop, since [n, k, k, 2] of all pairs would be large.
        apart = points_px - points_px[:, k : k + 1]
        distance = np.sqrt(np.square(apart).sum(-1))
        distance[:, k] = np.inf
        distance[np.isnan(distance)] = np.inf
        nearest[:, k] = distance.min(axis=1)
    nearest[~np.isfinite(nearest)] = np.nan
    scale = np.sqrt(np.maximum(areas, 1e-9))[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # Columns of NaN.
        typical = np.nanmedian(nearest / scale, axis=0)
    sigmas = np.clip(typical * _SIGMA_PER_DISTANCE, _MIN_SIGMA, _MAX_SIGMA)
    return np.where(np.isnan(sigmas), DEFAULT_SIGMA, sigmas)
