"""Samples of one color, and partners in a given order, for combined images."""

import numpy as np
from scene import Dice

from odapi.data.augment.partners import Partners


class Draws(Dice):
    """Gives the numbers that the test wants, also of the beta distribution."""

    def beta(self, a, b):
        return self._next()

    def permutation(self, values):
        return np.asarray(values)[self._next()]


def plain(name, color, size, *boxes_px, masks=True):
    """Returns a sample of one color; objects are rectangles, a masked pixel each."""
    boxes = np.float32(boxes_px).reshape(-1, 4)
    sample = {
        "image": np.full((*size, 3), color, "uint8"),
        "image_id": name,
        "boxes": boxes / np.tile(np.float32(size), 2),
        "classes": np.full(len(boxes), color, "int32"),
    }
    if masks:
        sample["masks"] = np.zeros((len(boxes), *size), "uint8")
        for mask, (top, left, bottom, right) in zip(
            sample["masks"], boxes.astype(int), strict=True
        ):
            mask[top:bottom, left:right] = 1
    return sample


def partners_of(*samples, size=None):
    """Returns partners that come in this order."""
    order = iter(samples)
    others = Partners(lambda _: next(order), lambda _: 0, samples[0])
    if size is None:
        return others
    return Partners(others.read, others.draw, others.alone, lambda *_: size)


def boxes_px(sample):
    """Returns the boxes in pixels."""
    size = sample["image"].shape[:2]
    return sample["boxes"] * np.tile(size, 2)
