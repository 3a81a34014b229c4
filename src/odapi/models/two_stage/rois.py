"""Regions of a batch of images: as one long batch, by class, and in another frame."""

from keras import ops

from odapi.geometry.boxes import to_window
from odapi.structures import Tensor


def flatten_rois(regions: Tensor) -> Tensor:
    """Returns `[b * p, ...]` of `[b, p, ...]`."""
    return ops.reshape(regions, (-1, *regions.shape[2:]))


def unflatten_rois(regions: Tensor, number: int) -> Tensor:
    """Returns `[b, number, ...]` of `[b * number, ...]`."""
    return ops.reshape(regions, (-1, number, *regions.shape[1:]))


def boxes_of_best_class(boxes: Tensor, logits: Tensor) -> Tensor:
    """Returns the box `[b, p, 4]` of the best class of each region.

    Args:
        boxes: `[b, p, classes or 1, 4]`, one for each class or for all.
        logits: `[b, p, classes + 1]`, background first: never the best.
    """
    if boxes.shape[2] == 1:
        return boxes[:, :, 0]
    best = ops.argmax(logits[..., 1:], axis=-1)
    best = ops.one_hot(best, boxes.shape[2], dtype=boxes.dtype)
    return ops.sum(boxes * best[..., None], axis=2)


def in_window(boxes: Tensor, window: Tensor) -> Tensor:
    """Returns `boxes [b, p, 4]` normalized to `window [b, 4]`, and cut to it."""
    return ops.clip(to_window(boxes, window), 0.0, 1.0)
