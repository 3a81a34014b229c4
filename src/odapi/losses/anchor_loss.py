"""Loss of single-stage anchor detectors: classification and localization."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

from keras import ops

from odapi.losses.boxes import BoxLoss
from odapi.losses.classification import ClassificationLoss
from odapi.losses.hard_examples import HardExampleMiner
from odapi.losses.normalizer import batch_normalizer, one_per_update
from odapi.structures import AnchorTargets, Tensor

LOCALIZATION = "Loss/localization_loss"
CLASSIFICATION = "Loss/classification_loss"


# Samples anchors by `(candidates, positives, seed)`, both `[b, anchors]` bool.
AnchorSampler = Callable[[Tensor, Tensor, Any], Tensor]


class BoxDecoder(Protocol):
    """The part of a box coder that losses need."""

    @property
    def code_size(self) -> int:
        """Number of values per box code."""

    def decode(self, codes: Tensor, anchors: Tensor) -> Tensor:
        """Returns the boxes of `codes [..., code_size]`."""


@dataclasses.dataclass(frozen=True)
class AnchorLoss:
    """Sums and normalizes the losses of all anchors, as the original does.

    Args:
        classification: Loss of the class predictions.
        localization: Loss of the box codes, or of the decoded boxes.
        coder: Box coder.
        classification_weight, localization_weight: Factors of the two parts.
        normalize_by_matches: Divide both by the summed weight of matched anchors
            of the batch, at least 1.
        normalize_by_code_size: Divide localization by the code size, too.
        miner: Selects the anchors of highest loss; None: all anchors.
        sampler: Samples anchors by `(candidates, positives, seed)`; None: all
            anchors.
        has_background: The first class is the background.
    """

    classification: ClassificationLoss
    localization: BoxLoss
    coder: BoxDecoder
    classification_weight: float = 1.0
    localization_weight: float = 1.0
    normalize_by_matches: bool = True
    normalize_by_code_size: bool = False
    miner: HardExampleMiner | None = None
    sampler: AnchorSampler | None = None
    has_background: bool = True

    def __call__(
        self,
        codes: Tensor,
        logits: Tensor,
        targets: AnchorTargets,
        anchors: Tensor,
        seed: Any = None,
    ) -> dict[str, Tensor]:
        """Returns the two scalar losses by the names of the original.

        Args:
            codes: `[b, anchors, code_size]`.
            logits: `[b, anchors, classes]`.
            targets: Targets of the anchors.
            anchors: `[anchors, 4]`.
            seed: Seed for `keras.random`; required with a sampler.

        Raises:
            ValueError: A sampler is set and `seed` is None.
        """
        class_weights, box_weights = self._weights(targets, seed)
        box_losses = self._box_losses(codes, targets, anchors, box_weights)
        class_losses = self.classification(logits, targets.class_targets, class_weights)
        if self.miner is not None:
            if len(class_losses.shape) == 3:
                class_losses = ops.sum(class_losses, axis=-1)
            boxes = self.coder.decode(codes, anchors)[..., :4]
            keep = self.miner(boxes, class_losses, box_losses, targets.match)
            class_losses, box_losses = class_losses * keep, box_losses * keep
        normalizer: Tensor = one_per_update()
        if self.normalize_by_matches:
            normalizer = batch_normalizer(ops.sum(box_weights))
        box_scale = self.localization_weight / normalizer
        if self.normalize_by_code_size:
            box_scale = box_scale / self.coder.code_size
        return {
            LOCALIZATION: ops.sum(box_losses) * box_scale,
            CLASSIFICATION: ops.sum(class_losses)
            * (self.classification_weight / normalizer),
        }

    def _weights(self, targets: AnchorTargets, seed: Any) -> tuple[Tensor, Tensor]:
        """Returns the weights of classes and boxes after random sampling."""
        if self.sampler is None:
            return targets.class_weights, targets.box_weights
        if seed is None:
            raise ValueError("random_example_sampler needs a seed")
        classes = targets.class_targets
        foreground = classes[..., 1:] if self.has_background else classes
        positives = ops.sum(foreground, axis=-1) != 0
        candidates = ops.mean(targets.class_weights, axis=-1) != 0
        chosen = ops.cast(self.sampler(candidates, positives, seed), "float32")
        return targets.class_weights * chosen[..., None], targets.box_weights * chosen

    def _box_losses(
        self, codes: Tensor, targets: AnchorTargets, anchors: Tensor, weights: Tensor
    ) -> Tensor:
        # Unlabeled keypoints are NaN: exclude them from the loss and its gradient.
        known = ops.logical_not(ops.isnan(targets.box_targets))
        box_targets = ops.where(known, targets.box_targets, 0.0)
        codes = ops.where(known, codes, 0.0)
        if self.localization.on_boxes:
            # Deviation: the original compares the raw codes as if they were boxes.
            codes = self.coder.decode(codes, anchors)[..., :4]
            box_targets = self.coder.decode(box_targets, anchors)[..., :4]
        return self.localization(codes, box_targets, weights)
