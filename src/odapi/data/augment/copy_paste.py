"""Copy-paste: objects of another image, cut out by their masks."""

import dataclasses

import cv2
import numpy as np

from odapi.data.augment.concatenate import concatenate
from odapi.data.augment.occlusion import occlude, pixels_of_boxes
from odapi.data.augment.partners import Combination, Partners, check_share
from odapi.data.augment.placement import KnownMask, fitted, new_canvas, scaled
from odapi.data.image.lazy import LazyImage
from odapi.data.image.lazy_masks import LazyMasks
from odapi.data.sample import Sample, keep_objects

# Regions of several objects are no object that can be pasted.
_GROUPS = ("is_crowd", "group_of")


@dataclasses.dataclass(frozen=True)
class CopyPaste(Combination):
    """Pastes a random subset of the objects of another image.

    The other image is shrunk to fit if it is larger, and placed at random. Its objects
    are cut out by their masks, or by their boxes if the dataset has no masks. Masks and
    boxes of the objects under them are reduced to what stays visible.

    Args:
        probability: Probability of pasting.
        max_objects: Maximum number of pasted objects.
        overlap_thresh: Objects of which less than this share stays visible are dropped.

    Source: Ghiasi et al. 2020 (https://arxiv.org/abs/2012.07177), without blending of
    the edges, which made no difference there.
    """

    probability: float = 0.5
    max_objects: int = 30
    overlap_thresh: float = 0.3

    def __post_init__(self):
        super().__post_init__()
        if self.max_objects < 1:
            raise ValueError(f"max_objects must be 1 or more, got {self.max_objects}")
        check_share("overlap_thresh", self.overlap_thresh)

    def combined(
        self, sample: Sample, rng: np.random.Generator, partners: Partners
    ) -> Sample:
        """Returns the sample with objects of another one, if that has any."""
        other = self._subset(partners(rng), rng)
        first = scaled(sample, partners)
        size = first.image.shape[:2]
        second = fitted(other, size, partners, rng)
        pasted, covered = _cut_out(second.on_canvas(size), size)
        if not len(pasted["boxes"]):
            return sample
        canvas = new_canvas(first.image)
        _paste(second.image.render(), second.area_of(covered), second.area_of(canvas))
        below = occlude(first.on_canvas(size), covered, self.overlap_thresh)
        return concatenate([below, pasted]) | {"image": LazyImage.of(canvas)}

    def _subset(self, other: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with a random selection of its objects."""
        single = np.ones(len(other["boxes"]), np.bool_)
        for name in _GROUPS:
            if name in other:
                single &= ~other[name].astype(np.bool_)
        indices = np.flatnonzero(single)
        if not len(indices):
            return keep_objects(other, indices)
        count = int(rng.integers(1, min(len(indices), self.max_objects), endpoint=True))
        return keep_objects(other, np.sort(rng.permutation(indices)[:count]))


def _cut_out(objects: Sample, size: tuple[int, int]) -> tuple[Sample, np.ndarray]:
    """Returns the objects that can be pasted, and the pixels of all of them.

    Args:
        objects: Annotations that are normalized to the canvas.
        size: Height and width of the canvas.

    Returns:
        The objects with a pixel, and uint8 `[h, w]`: 1 where they are.
    """
    covered = np.zeros(size, np.uint8)
    masks = objects.get("masks")
    if masks is None:
        areas = [covered[pixels] for pixels in pixels_of_boxes(objects["boxes"], size)]
        for area in areas:
            area[...] = 1
        keep = np.array([area.size > 0 for area in areas], np.bool_)
        return keep_objects(objects, keep), covered
    known = [KnownMask(mask) for mask in masks]  # They are decoded once.
    for one in known:
        covered |= one.mask
    objects = objects | {"masks": LazyMasks(tuple(known), size)}
    keep = np.array([one.mask.any() for one in known], np.bool_)
    return keep_objects(objects, keep), covered


def _paste(image: np.ndarray, mask: np.ndarray, canvas: np.ndarray) -> None:
    """Copies the pixels where `mask` is 1 onto `canvas`; all are of the same size."""
    left, top, width, height = cv2.boundingRect(mask)
    part = slice(top, top + height), slice(left, left + width)
    below = canvas[part]
    # OpenCV drops the axis of a single channel.
    below[...] = cv2.copyTo(image[part], mask[part], below).reshape(below.shape)
