"""Clusters of box shapes: k-means with the IoU of centered boxes as similarity."""

import numpy as np

_MAX_ROUNDS = 100


def shape_ious(shapes: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Returns the IoUs `[n, k]` of boxes that have the same center.

    Args:
        shapes: Height and width `[n, 2]`.
        centers: Height and width `[k, 2]`.
    """
    shared = np.minimum(shapes[:, None], centers[None]).prod(-1)
    areas = shapes.prod(-1)[:, None] + centers.prod(-1)[None]
    return shared / np.maximum(areas - shared, 1e-12)


def cluster_shapes(shapes: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """Returns the heights and widths `[k, 2]` that fit box shapes best, by area.

    The first centers are drawn as in k-means++, with the distance 1 - IoU; a center is
    the geometric mean of its boxes. The same seed gives the same result.

    Args:
        shapes: Height and width `[n, 2]`, above 0.
        k: Number of clusters; with fewer different shapes, some are equal.
        seed: Random seed.

    Source: Redmon and Farhadi 2017 (https://arxiv.org/abs/1612.08242), section 2.

    Raises:
        ValueError: There is no shape, or k is below 1.
    """
    shapes = np.asarray(shapes, np.float64).reshape(-1, 2)
    if not len(shapes) or k < 1:
        raise ValueError(f"{len(shapes)} shapes cannot form {k} clusters")
    rng = np.random.default_rng(seed)
    centers = _first_centers(shapes, k, rng)
    members = np.full(len(shapes), -1)
    for _ in range(_MAX_ROUNDS):
        nearest = shape_ious(shapes, centers).argmax(1)
        if (nearest == members).all():
            break
        members = nearest
        for i in range(k):
            own = shapes[members == i]
            if len(own):
                centers[i] = np.exp(np.log(own).mean(0))
    return centers[np.lexsort((centers[:, 1], centers.prod(1)))]


def cluster_sizes(shapes: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """Returns the sides `[k]` of squares that fit the areas of boxes, ascending."""
    sides = np.sqrt(np.asarray(shapes, np.float64).prod(-1))
    return cluster_shapes(np.stack([sides, sides], 1), k, seed)[:, 0]


def cluster_aspects(shapes: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """Returns the `k` values of width / height that fit boxes best, ascending."""
    root = np.sqrt(shapes[:, 1] / shapes[:, 0])
    centers = cluster_shapes(np.stack([1 / root, root], 1), k, seed)
    return np.sort(centers[:, 1] / centers[:, 0])


def _first_centers(shapes: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    centers = shapes[[rng.integers(len(shapes))]]
    while len(centers) < k:
        distance = np.maximum(1 - shape_ious(shapes, centers).max(1), 0)
        total = np.square(distance).sum()
        odds = np.square(distance) / total if total > 1e-9 else None
        chosen = rng.choice(len(shapes), p=odds)
        centers = np.concatenate([centers, shapes[[chosen]]])
    return centers.copy()
