"""Losses of masks: with masks to learn from, and with boxes, colours or points alone.

Masks are logits `[b, n, h, w]`; every function returns a loss an object, `[b, n]`.
"""

from typing import Literal

from keras import ops

from odapi.geometry.box_maps import neighbors
from odapi.geometry.gather import gather_rows
from odapi.losses.classification import ClassificationLoss, DiceLoss
from odapi.structures import Tensor

Normalize = Literal["auto", "groundtruth_count", "balanced"]
# What is as good as the same mask.
_LEAST_PROBABILITY = 1e-3
# Colours that differ by so much in the space of L, a and b count as 1 / e alike.
_COLOR_SPREAD = 2.0


def mask_loss(
    loss: ClassificationLoss,
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    normalize: Normalize = "auto",
) -> Tensor:
    """Returns what each object's mask, or row of any kind of numbers, is worth.

    Args:
        loss: Of logits.
        logits: `[b, n, ...]`.
        targets: As `logits`, in [0, 1].
        weights: As `logits`; None: 1.
        normalize: "auto" takes the mean; "groundtruth_count" divides the sum by the
            sum of the targets (where it is 0 by 1; the original by 0); "balanced"
            gives what is inside and what is outside the same weight.

    Raises:
        ValueError: `loss` gives no loss for each pixel, and "balanced" needs it.
    """
    number, places = logits.shape[1], _places(logits)
    flat, wanted = (ops.reshape(x, (-1, places, 1)) for x in (logits, targets))
    if weights is None:
        weights = ops.ones_like(flat)
    else:
        weights = ops.reshape(weights, (-1, places, 1))
    value = loss(flat, wanted, weights)
    axes = tuple(range(1, len(value.shape)))
    if normalize == "groundtruth_count":
        inside = ops.sum(wanted, axis=(1, 2))
        total = ops.sum(value, axis=axes) / ops.maximum(inside, 1.0)
    elif normalize == "balanced":
        if len(value.shape) == 2:
            raise ValueError("normalize_balanced needs a loss of each pixel")
        inside = ops.sum(wanted, axis=(1, 2), keepdims=True)
        share = wanted * inside + (1.0 - wanted) * (places - inside)
        total = ops.sum(value / ops.maximum(share, 1e-6), axis=axes)
    elif len(value.shape) == 2:  # It has summed over the places already.
        total = ops.sum(value, axis=axes)
    else:
        total = ops.mean(value, axis=axes)
    return ops.reshape(total, (-1, number))


def box_consistency_loss(
    loss: ClassificationLoss,
    logits: Tensor,
    inside: Tensor,
    normalize: Normalize = "auto",
    tight: bool = False,
) -> Tensor:
    """Returns how badly masks fill the rows and columns of their boxes.

    Args:
        loss: Of the largest logit of each row and column.
        logits: `[b, n, h, w]`.
        inside: `[b, n, h, w]`: 1 within the box.
        normalize: As of `mask_loss`.
        tight: In rows of the box only what is within it counts.

    Source: Tian et al. 2020 (https://arxiv.org/abs/2012.02310), section 3.1.
    """
    total = 0.0
    for axis in (2, 3):
        most, there = ops.max(logits, axis=axis), ops.max(inside, axis=axis)
        if tight:
            within = ops.max(logits * inside, axis=axis)
            most = there * within + (1.0 - there) * most
        total = total + mask_loss(loss, most, there, normalize=normalize)
    return total


def feature_consistency_loss(
    logits: Tensor,
    features: Tensor,
    inside: Tensor,
    dilation: int = 2,
    threshold: float = 0.4,
    dot_product: bool = False,
) -> Tensor:
    """Returns how often neighbors that look alike are not in the mask alike.

    Args:
        logits: `[b, n, h, w]`.
        features: `[b, h, w, c]`: colours in L, a and b, or any features.
        inside: `[b, n, h, w]`: 1 within the box; nothing else counts.
        dilation: How far away neighbors are, in cells.
        threshold: From which likeness on neighbors count.
        dot_product: Likeness is that of normalised features.

    Source: Tian et al. 2020 (https://arxiv.org/abs/2012.02310), section 3.2.
    """
    if dot_product:
        square = ops.sum(ops.square(features), axis=-1, keepdims=True)
        features = features / ops.sqrt(ops.maximum(square, 1e-4))
        likeness = ops.sum(features[None] * neighbors(features, dilation), axis=-1)
    else:
        apart = ops.square(features[None] - neighbors(features, dilation))
        likeness = ops.exp(-ops.sqrt(ops.sum(apart, axis=-1)) / _COLOR_SPREAD)
    alike = ops.cast(likeness > threshold, "float32")  # [8, b, h, w]
    p = ops.transpose(ops.sigmoid(logits), (0, 2, 3, 1))  # [b, h, w, n]
    around = neighbors(p, dilation)
    same = p[None] * around + (1.0 - p[None]) * (1.0 - around)
    value = -ops.log(ops.clip(same, _LEAST_PROBABILITY, 1.0))
    within = ops.transpose(inside, (0, 2, 3, 1))
    value = ops.sum(value * alike[..., None] * within[None], axis=(0, 2, 3))
    return value / ops.maximum(ops.sum(inside, axis=(2, 3)), 1.0)


def self_training_loss(
    logits: Tensor,
    others: Tensor,
    inside: Tensor,
    kind: Literal["dice", "mse", "kl_div"],
) -> Tensor:
    """Returns how far masks are from those of a changed image, within boxes.

    Args:
        logits, others: `[b, n, h, w]`; `others` are what is to be learnt.
        inside: `[b, n, h, w]`: 1 within the box.
        kind: The measure.
    """
    if kind == "dice":
        there = ops.cast(others > 0, "float32")
        return mask_loss(DiceLoss(), logits, there, inside)
    p, q = ops.sigmoid(logits), ops.sigmoid(others)
    if kind == "mse":
        value = ops.square(p - q)
    else:
        value = _divergence(q, p) + _divergence(1.0 - q, 1.0 - p)
    pixels = ops.maximum(ops.sum(inside, axis=(2, 3)), 1.0)
    return ops.sum(value * inside, axis=(2, 3)) / pixels


def point_loss(
    loss: ClassificationLoss,
    logits: Tensor,
    points: Tensor | None,
    depths: Tensor | None,
) -> Tensor:
    """Returns how badly masks tell points on objects from others.

    Args:
        loss: Of logits.
        logits: `[b, n, h, w]` of the whole image.
        points: `[b, n, k, 2]` normalised (y, x); NaN: there is none.
        depths: `[b, n, k]`: above 0 a point is on the object.

    Source: the original's `deepmac_meta_arch.py`, which reads the nearest cell.
    """
    if points is None or depths is None:
        return ops.zeros_like(logits[:, :, 0, 0])
    number, height, width = logits.shape[1:]
    count = points.shape[2]
    there = ops.logical_not(ops.any(ops.isnan(points), axis=-1))
    points = ops.where(there[..., None], points, 0.0)
    y = ops.clip(ops.cast(points[..., 0] * height, "int32"), 0, height - 1)
    x = ops.clip(ops.cast(points[..., 1] * width, "int32"), 0, width - 1)
    flat = ops.reshape(logits, (-1, height * width, 1))
    read = gather_rows(flat, ops.reshape(y * width + x, (-1, count)))
    read = ops.reshape(read, (-1, number, count))
    labels = ops.cast(depths > 0, "float32")
    return mask_loss(loss, read, labels, ops.cast(there, "float32"))


def _divergence(wanted: Tensor, given: Tensor) -> Tensor:
    """One term of Kullback and Leibler's divergence, as Keras clips it."""
    wanted, given = ops.clip(wanted, 1e-7, 1.0), ops.clip(given, 1e-7, 1.0)
    return wanted * ops.log(wanted / given)


def _places(x: Tensor) -> int:
    places = 1
    for length in x.shape[2:]:
        places *= length
    return places
