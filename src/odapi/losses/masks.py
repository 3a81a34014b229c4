"""Mask losses: supervised by masks, or weakly by boxes, colors and points.

Masks are logits `[b, n, h, w]`; every function returns one loss per object, `[b, n]`.
"""

import math
from typing import Literal

from keras import ops

from odapi.geometry.box_maps import neighbors
from odapi.geometry.gather import gather_rows
from odapi.losses.classification import ClassificationLoss, DiceLoss
from odapi.structures import Tensor

Normalize = Literal["auto", "groundtruth_count", "balanced"]
_MIN_PROBABILITY = 1e-3  # Of two neighbors being equal, before the logarithm.
# Distance in L*a*b* at which the color similarity is 1 / e.
_COLOR_SPREAD = 2.0


def mask_loss(
    loss: ClassificationLoss,
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    normalize: Normalize = "auto",
) -> Tensor:
    """Returns the loss per object of its mask, or of other values of any shape.

    Args:
        loss: Loss of logits.
        logits: `[b, n, ...]`.
        targets: Shaped like `logits`, in [0, 1].
        weights: Shaped like `logits`; None: 1.
        normalize: "auto" takes the mean; "groundtruth_count" divides the sum by the
            sum of the targets (by 1 if it is 0; the original divides by 0); "balanced"
            weights foreground and background equally.

    Raises:
        ValueError: "balanced" with a loss that is not per pixel.
    """
    number, pixels = logits.shape[1], math.prod(logits.shape[2:])
    flat, labels = (ops.reshape(x, (-1, pixels, 1)) for x in (logits, targets))
    if weights is None:
        weights = ops.ones_like(flat)
    else:
        weights = ops.reshape(weights, (-1, pixels, 1))
    value = loss(flat, labels, weights)
    axes = tuple(range(1, len(value.shape)))
    if normalize == "groundtruth_count":
        inside = ops.sum(labels, axis=(1, 2))
        total = ops.sum(value, axis=axes) / ops.maximum(inside, 1.0)
    elif normalize == "balanced":
        if len(value.shape) == 2:
            raise ValueError("normalize_balanced requires a loss per pixel")
        inside = ops.sum(labels, axis=(1, 2), keepdims=True)
        count = labels * inside + (1.0 - labels) * (pixels - inside)
        total = ops.sum(value / ops.maximum(count, 1e-6), axis=axes)
    elif len(value.shape) == 2:  # Already summed over the pixels.
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
    """Returns the projection loss of masks against the rows and columns of their boxes.

    Args:
        loss: Loss of the largest logit of each row and column.
        logits: `[b, n, h, w]`.
        inside: `[b, n, h, w]`: 1 within the box.
        normalize: As for `mask_loss`.
        tight: In the rows and columns of the box, use only logits within the box.

    Source: Tian et al. 2020 (https://arxiv.org/abs/2012.02310), section 3.1.
    """
    total: Tensor = 0.0
    for axis in (2, 3):
        highest, covered = ops.max(logits, axis=axis), ops.max(inside, axis=axis)
        if tight:
            within = ops.max(logits * inside, axis=axis)
            highest = covered * within + (1.0 - covered) * highest
        total = total + mask_loss(loss, highest, covered, normalize=normalize)
    return total


def feature_consistency_loss(
    logits: Tensor,
    features: Tensor,
    inside: Tensor,
    dilation: int = 2,
    threshold: float = 0.4,
    dot_product: bool = False,
) -> Tensor:
    """Returns the pairwise affinity loss: similar neighbors should get equal labels.

    Args:
        logits: `[b, n, h, w]`.
        features: `[b, h, w, c]`: L*a*b* colors, or any features.
        inside: `[b, n, h, w]`: 1 within the box; other cells are excluded.
        dilation: Distance of the neighbors, in cells.
        threshold: Neighbors count if their similarity is above it.
        dot_product: Use the dot product of normalized features as similarity.

    Source: Tian et al. 2020 (https://arxiv.org/abs/2012.02310), section 3.2.
    """
    if dot_product:
        square = ops.sum(ops.square(features), axis=-1, keepdims=True)
        features = features / ops.sqrt(ops.maximum(square, 1e-4))
        similarity = ops.sum(features[None] * neighbors(features, dilation), axis=-1)
    else:
        square = ops.square(features[None] - neighbors(features, dilation))
        similarity = ops.exp(-ops.sqrt(ops.sum(square, axis=-1)) / _COLOR_SPREAD)
    similar = ops.cast(similarity > threshold, "float32")  # [8, b, h, w]
    p = ops.transpose(ops.sigmoid(logits), (0, 2, 3, 1))  # [b, h, w, n]
    around = neighbors(p, dilation)
    same = p[None] * around + (1.0 - p[None]) * (1.0 - around)
    value = -ops.log(ops.clip(same, _MIN_PROBABILITY, 1.0))
    within = ops.transpose(inside, (0, 2, 3, 1))
    value = ops.sum(value * similar[..., None] * within[None], axis=(0, 2, 3))
    return value / ops.maximum(ops.sum(inside, axis=(2, 3)), 1.0)


def self_training_loss(
    logits: Tensor,
    others: Tensor,
    inside: Tensor,
    kind: Literal["dice", "mse", "kl_div"],
) -> Tensor:
    """Returns the consistency loss with the masks of an augmented image, within boxes.

    Args:
        logits, others: `[b, n, h, w]`; `others` are the targets.
        inside: `[b, n, h, w]`: 1 within the box.
        kind: Type of the loss.
    """
    if kind == "dice":
        foreground = ops.cast(others > 0, "float32")
        return mask_loss(DiceLoss(), logits, foreground, inside)
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
    """Returns the loss of masks at annotated foreground and background points.

    Args:
        loss: Loss of logits.
        logits: `[b, n, h, w]` of the whole image.
        points: `[b, n, k, 2]` normalized (y, x); NaN: no point.
        depths: `[b, n, k]`: above 0 for points on the object.

    Source: the original's `deepmac_meta_arch.py`, which uses the nearest cell.
    """
    if points is None or depths is None:
        return ops.zeros_like(logits[:, :, 0, 0])
    number, height, width = logits.shape[1:]
    count = points.shape[2]
    known = ops.logical_not(ops.any(ops.isnan(points), axis=-1))
    points = ops.where(known[..., None], points, 0.0)
    y = ops.clip(ops.cast(points[..., 0] * height, "int32"), 0, height - 1)
    x = ops.clip(ops.cast(points[..., 1] * width, "int32"), 0, width - 1)
    flat = ops.reshape(logits, (-1, height * width, 1))
    values = gather_rows(flat, ops.reshape(y * width + x, (-1, count)))
    values = ops.reshape(values, (-1, number, count))
    labels = ops.cast(depths > 0, "float32")
    return mask_loss(loss, values, labels, ops.cast(known, "float32"))


def _divergence(target: Tensor, prediction: Tensor) -> Tensor:
    """Returns one term of the Kullback-Leibler divergence, clipped as by Keras."""
    target, prediction = (ops.clip(p, 1e-7, 1.0) for p in (target, prediction))
    return target * ops.log(target / prediction)
