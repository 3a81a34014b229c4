"""Estimation of the OKS per-keypoint sigmas (tolerances) from the annotations."""

import warnings

import numpy as np
from numpy.typing import NDArray

# A sigma in units of the median distance to the nearest other keypoint of the object.
# The median over COCO's sigmas, which were measured on images annotated twice, is 0.28
# (127 people of coco_mini), and their mean deviation from this estimate is 17 %.
_SIGMA_PER_DISTANCE = 0.28
_MIN_SIGMA, _MAX_SIGMA = 0.025, 0.107  # COCO's: eyes and hips.
DEFAULT_SIGMA = 0.05  # Of the original, for every keypoint without a sigma.


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
