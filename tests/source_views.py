"""Views of sources and samples that tables of expected values compare."""

import numpy as np


def boxes_px(sample):
    """Returns the boxes of a sample with image in pixels, rounded to 0.001."""
    height, width, _ = sample["image"].shape
    return np.round(sample["boxes"] * [height, width, height, width], 3).tolist()


def problems(source):
    """Returns the number and the first place of each kind of problem."""
    return {p.kind: (p.count, p.first[0]) for p in source.problems}
