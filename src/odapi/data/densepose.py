"""DensePose points: annotated points on the surface of people.

Their fields, and how they move with the image, are in `odapi.fields`.
"""

import numpy as np

from odapi.data.sample import Sample


def drop_points_outside(sample: Sample) -> Sample:
    """Returns the sample without the DensePose points that are not in the image."""
    if "densepose_points" not in sample:
        return sample
    points, parts = sample["densepose_points"], sample["densepose_part_ids"]
    positions = points[..., :2]
    inside = ((positions >= 0) & (positions <= 1)).all(axis=-1)
    valid = np.arange(points.shape[1]) < sample["densepose_num_points"][:, None]
    kept = inside & valid
    order = np.argsort(~kept, axis=1, kind="stable")  # The kept points come first.
    return sample | {
        "densepose_points": np.take_along_axis(points, order[..., None], axis=1),
        "densepose_part_ids": np.take_along_axis(parts, order, axis=1),
        "densepose_num_points": kept.sum(axis=1).astype(np.int32),
    }
