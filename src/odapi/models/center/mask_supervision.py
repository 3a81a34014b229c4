"""Supervision of DeepMAC: masks, boxes, color affinity, points and self-training."""

import dataclasses
from typing import Any, Literal

from keras import ops

from odapi.geometry.affine import AffineTransform
from odapi.geometry.boxes import center_size
from odapi.losses.classification import ClassificationLoss, DiceLoss
from odapi.losses.masks import Normalize
from odapi.runtime.distribution.replicas import random_rows
from odapi.structures import Tensor

JITTER_MODES = (
    "default",
    "expand",
    "shrink",
    "expand_symmetric",
    "shrink_symmetric",
    "expand_symmetric_xy",
    "shrink_symmetric_xy",
)


@dataclasses.dataclass(frozen=True)
class WarmUp:
    """Weight that increases linearly from 0 to 1.

    Args:
        start: First step of the increase.
        steps: Number of steps of the increase; 0: the weight is always 1.
    """

    start: int = 0
    steps: int = 0

    def __call__(self, step: Tensor | None) -> Tensor | float:
        """Returns the weight at a step; None: not in training, the weight is 1."""
        if not self.steps or step is None:
            return 1.0
        done = (ops.cast(step, "float32") - self.start) / self.steps
        return ops.clip(done, 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Jitter:
    """Moves the sides of boxes at random.

    Args:
        ratio: Maximum displacement, relative to half the size of the box.
        mode: One of `JITTER_MODES`: "expand" and "shrink" move sides in one direction
            only, "symmetric" moves opposite sides equally, "xy" all four sides.

    Source: the original's `core/preprocessor.py`, `random_jitter_boxes`.
    """

    ratio: float
    mode: str = "default"

    def __post_init__(self):
        if self.mode not in JITTER_MODES:
            raise ValueError(f"mode must be one of {JITTER_MODES}, got {self.mode!r}")

    def __call__(self, boxes: Tensor, rng: Any) -> Tensor:
        """Returns boxes `[b, n, 4]`, jittered and clipped to the image."""
        low = 0.0 if self.mode.startswith("expand") else -self.ratio
        high = 0.0 if self.mode.startswith("shrink") else self.ratio
        shape = ops.shape(boxes)[:2]
        center, size = center_size(boxes)
        half = 0.5 * ops.maximum(ops.abs(size), 1e-6)
        if "symmetric" not in self.mode:
            draw = random_rows((*shape, 4), rng, low, high)
            grown = ops.concatenate([half, half], axis=-1) * (1.0 + draw)
            first, last = center - grown[..., :2], center + grown[..., 2:]
        else:
            draw = random_rows((*shape, 2), rng, low, high)
            max_scale = ops.minimum(center, 1.0 - center) / half
            if self.mode.endswith("xy"):
                draw = draw[..., :1]
                max_scale = ops.min(max_scale, axis=-1, keepdims=True)
            grown = half * ops.minimum(1.0 + draw, ops.maximum(max_scale, 0.0))
            first, last = center - grown, center + grown
        return ops.clip(ops.concatenate([first, last], axis=-1), 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class BoxSupervision:
    """Box consistency loss: masks must reach all rows and columns of their boxes.

    Args:
        weight: Weight of the loss.
        normalize: Normalization; see `odapi.losses.masks.mask_loss`.
        tight: Whether projections are restricted to the box.
    """

    weight: float
    normalize: Normalize = "auto"
    tight: bool = False


@dataclasses.dataclass(frozen=True)
class ColorSupervision:
    """Feature consistency loss: similar neighbors must have the same mask value.

    Args:
        weight: Weight of the loss.
        threshold: Minimum similarity of neighbors in the loss.
        dilation: Distance of neighbors, in cells.
        features: Whether to compare features of the network instead of colors.
        dot_product: Whether the similarity is the dot product of normalized features.
        warm_up: Warm-up of the weight.
    """

    weight: float
    threshold: float = 0.4
    dilation: int = 2
    features: bool = False
    dot_product: bool = False
    warm_up: WarmUp = WarmUp()

    def __post_init__(self):
        if self.dilation < 1:
            raise ValueError(
                f"feature_consistency_dilation must be 1 or more, got {self.dilation}"
            )


@dataclasses.dataclass(frozen=True)
class SelfSupervision:
    """Self-supervised loss: masks must be equivariant to image transforms.

    Args:
        weight: Weight of the loss.
        kind: "dice", "mse" or "kl_div".
        max_translation: Maximum translation, relative to the image size.
        flip_probability: Probability of a horizontal flip.
        scale: Minimum and maximum scale factor.
        warm_up: Warm-up of the weight.
    """

    weight: float
    kind: Literal["dice", "mse", "kl_div"] = "dice"
    max_translation: float = 0.0
    flip_probability: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    warm_up: WarmUp = WarmUp()

    def __post_init__(self):
        if self.kind not in ("dice", "mse", "kl_div"):
            raise ValueError(
                "augmented_self_supervision_loss must be LOSS_DICE, LOSS_MSE or "
                f"LOSS_KL_DIV, got {self.kind!r}"
            )
        low, high = self.scale
        if not 0 < low <= high:
            raise ValueError(
                "needs 0 < augmented_self_supervision_scale_min <= "
                f"augmented_self_supervision_scale_max, got {low} and {high}"
            )

    def draw(self, batch: Tensor, rng: Any) -> AffineTransform:
        """Returns a random transform per image of a batch."""

        def uniform(low, high):
            return random_rows((batch,), rng, low, high)

        shift, (low, high) = self.max_translation, self.scale
        return AffineTransform(
            uniform(-shift, shift),
            uniform(-shift, shift),
            uniform(low, high),
            uniform(low, high),
            uniform(0.0, 1.0) < self.flip_probability,
        )


@dataclasses.dataclass(frozen=True)
class Supervision:
    """Losses of DeepMAC's masks; None: without that loss.

    Args:
        loss: Loss of logits, used for masks, boxes and points.
        masks: Weight of the loss on groundtruth masks.
        points: Weight of the loss on keypoints with a depth, which lie on the object
            if it is above 0.
        boxes: Box consistency loss.
        colors: Feature consistency loss.
        self_training: Self-supervised loss.
        classes: Indices of the classes whose masks are learned; empty: all.
        num_samples: Number of sampled objects per image; 0: all.
        exclusive: Whether pixels where boxes of one class overlap are ignored.
        jitter: Jitter of the boxes.
        last_stage: Whether only the last stage of the extractor has losses.
    """

    loss: ClassificationLoss
    masks: float = 1.0
    points: float = 0.0
    boxes: BoxSupervision | None = None
    colors: ColorSupervision | None = None
    self_training: SelfSupervision | None = None
    classes: tuple[int, ...] = ()
    num_samples: int = 0
    exclusive: bool = False
    jitter: Jitter | None = None
    last_stage: bool = False

    def __post_init__(self):
        balanced = self.boxes is not None and self.boxes.normalize == "balanced"
        if balanced and isinstance(self.loss, DiceLoss):
            raise ValueError(
                "box_consistency_loss_normalize: NORMALIZE_BALANCED needs a loss per "
                "pixel, unlike weighted_dice_classification_loss"
            )
