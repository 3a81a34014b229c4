"""How exactly keypoints can be told, from where they lie to each other."""

import warnings

import numpy as np

# Of the median distance to the nearest other keypoint of the object. COCO's sigmas,
# measured from images that were annotated twice, are 0.28 of it in the median (127
# people of coco_mini) and differ from it by 17 % in the mean.
_SHARE = 0.28
_LEAST, _MOST = 0.025, 0.107  # COCO's: eyes and hips.
DEFAULT_SIGMA = 0.05  # Of the original, where nothing is known.


def estimated_sigmas(points_px: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Returns a sigma `[k]` for each keypoint, of COCO's kind.

    A keypoint that lies close to others must be found more exactly than one that lies
    alone. Without two keypoints of an object the sigma is 0.05.

    Args:
        points_px: `[n, k, 2]`, in pixels; NaN: unlabelled.
        areas: `[n]`, of the objects, in square pixels.
    """
    count = points_px.shape[1]
    if not len(points_px) or count < 2:
        return np.full(count, DEFAULT_SIGMA)
    nearest = np.full(points_px.shape[:2], np.nan)
    for k in range(count):  # All pairs at once would be large.
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
    sigmas = np.clip(typical * _SHARE, _LEAST, _MOST)
    return np.where(np.isnan(sigmas), DEFAULT_SIGMA, sigmas)
