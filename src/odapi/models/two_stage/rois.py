"""RoI tensors: flattened over the images, selected by class, in another window."""

from keras import ops

from odapi.geometry.boxes import to_window
from odapi.structures import Tensor


def flatten_rois(rois: Tensor) -> Tensor:
    """Returns `[b * p, ...]` of `[b, p, ...]`."""
    return ops.reshape(rois, (-1, *rois.shape[2:]))


def unflatten_rois(rois: Tensor, num_rois: int) -> Tensor:
    """Returns `[b, num_rois, ...]` of `[b * num_rois, ...]`."""
    return ops.reshape(rois, (-1, num_rois, *rois.shape[1:]))


def boxes_of_best_class(boxes: Tensor, logits: Tensor) -> Tensor:
    """Returns the box `[b, p, 4]` of the best class per RoI.

    Args:
        boxes: `[b, p, classes or 1, 4]`, one per class, or one for all classes.
        logits: `[b, p, classes + 1]`, background first, which is never the best.
    """
    if boxes.shape[2] == 1:
        return boxes[:, :, 0]
    best = ops.argmax(logits[..., 1:], axis=-1)
    best = ops.one_hot(best, boxes.shape[2], dtype=boxes.dtype)
    return ops.sum(boxes * best[..., None], axis=2)


def in_window(boxes: Tensor, window: Tensor) -> Tensor:
    """Returns `boxes [b, p, 4]` normalized to `window [b, 4]` and clipped."""
    return ops.clip(to_window(boxes, window), 0.0, 1.0)
