"""What DeepMAC learns masks from beside masks: boxes, colors, its own opinion."""

import dataclasses
from typing import Any, Literal

import keras
from keras import ops

from odapi.geometry.affine import AffineTransform
from odapi.geometry.boxes import center_size
from odapi.losses.classification import ClassificationLoss, DiceLoss
from odapi.losses.masks import Normalize
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
    """A weight that grows from 0 to 1.

    Args:
        start: Step at which it begins to grow.
        steps: How long it grows; 0: it is 1 from the first step on.
    """

    start: int = 0
    steps: int = 0

    def __call__(self, step: Tensor | None) -> Tensor | float:
        """Returns the weight at a step; 1 outside of training (None)."""
        if not self.steps or step is None:
            return 1.0
        done = (ops.cast(step, "float32") - self.start) / self.steps
        return ops.clip(done, 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Jitter:
    """Moves the sides of boxes at random.

    Args:
        ratio: By how much at most, as a share of half the size of the box.
        mode: "expand" and "shrink" move sides in one direction only, "symmetric"
            moves opposite ones alike, "xy" all of them.

    Source: the original's `core/preprocessor.py`, `random_jitter_boxes`.
    """

    ratio: float
    mode: str = "default"

    def __post_init__(self):
        if self.mode not in JITTER_MODES:
            raise ValueError(f"mode must be one of {JITTER_MODES}, got {self.mode!r}")

    def __call__(self, boxes: Tensor, chance: Any) -> Tensor:
        """Returns boxes `[b, n, 4]`, moved and cut to the image."""
        low = 0.0 if self.mode.startswith("expand") else -self.ratio
        high = 0.0 if self.mode.startswith("shrink") else self.ratio
        shape = ops.shape(boxes)[:2]
        center, size = center_size(boxes)
        half = 0.5 * ops.maximum(ops.abs(size), 1e-6)
        if "symmetric" not in self.mode:
            draw = keras.random.uniform((*shape, 4), low, high, seed=chance)
            grown = ops.concatenate([half, half], axis=-1) * (1.0 + draw)
            first, last = center - grown[..., :2], center + grown[..., 2:]
        else:
            draw = keras.random.uniform((*shape, 2), low, high, seed=chance)
            room = ops.minimum(center, 1.0 - center) / half
            if self.mode.endswith("xy"):
                draw = draw[..., :1]
                room = ops.min(room, axis=-1, keepdims=True)
            grown = half * ops.minimum(1.0 + draw, ops.maximum(room, 0.0))
            first, last = center - grown, center + grown
        return ops.clip(ops.concatenate([first, last], axis=-1), 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class BoxSupervision:
    """Masks must fill the rows and columns of their boxes.

    Args:
        weight: Of the loss.
        normalize: As of `odapi.losses.masks.mask_loss`.
        tight: In rows of the box only what is within it counts.
    """

    weight: float
    normalize: Normalize = "auto"
    tight: bool = False


@dataclasses.dataclass(frozen=True)
class ColorSupervision:
    """Neighbors that look alike must be in the mask, or outside, alike.

    Args:
        weight: Of the loss.
        threshold: From which likeness on neighbors count.
        dilation: How far away neighbors are, in cells.
        features: Look at features of the network instead of colors.
        dot_product: Likeness is that of normalized features.
        warm_up: Of the weight.
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
    """Masks must stay the same where the image moves.

    Args:
        weight: Of the loss.
        kind: "dice", "mse" or "kl_div".
        max_translation: How far it moves, as a share of the image.
        flip_probability: How often it is mirrored.
        scale: Between which factors it is scaled.
        warm_up: Of the weight.
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

    def draw(self, batch: Tensor, chance: Any) -> AffineTransform:
        """Returns how each image of a batch moves."""

        def uniform(low, high):
            return keras.random.uniform((batch,), low, high, seed=chance)

        far, (low, high) = self.max_translation, self.scale
        return AffineTransform(
            uniform(-far, far),
            uniform(-far, far),
            uniform(low, high),
            uniform(low, high),
            uniform(0.0, 1.0) < self.flip_probability,
        )


@dataclasses.dataclass(frozen=True)
class Supervision:
    """What masks are learnt from; None: not from that.

    Args:
        loss: Of logits: of masks, of boxes and of points.
        masks: Weight of the masks in the groundtruth.
        points: Weight of keypoints with a depth: above 0 they lie on the object.
        boxes, colors, own: See their classes.
        classes: Indices of the classes whose masks count; empty: all.
        num_samples: Objects an image that are looked at; 0: all.
        alone: Where two boxes of a class overlap, no mask is learnt.
        jitter: What moves the boxes.
        last_stage: Only the last stage of the extractor learns masks.
    """

    loss: ClassificationLoss
    masks: float = 1.0
    points: float = 0.0
    boxes: BoxSupervision | None = None
    colors: ColorSupervision | None = None
    own: SelfSupervision | None = None
    classes: tuple[int, ...] = ()
    num_samples: int = 0
    alone: bool = False
    jitter: Jitter | None = None
    last_stage: bool = False

    def __post_init__(self):
        balanced = self.boxes is not None and self.boxes.normalize == "balanced"
        if balanced and isinstance(self.loss, DiceLoss):
            raise ValueError(
                "box_consistency_loss_normalize: NORMALIZE_BALANCED needs a loss of "
                "each pixel, which weighted_dice_classification_loss does not give"
            )
