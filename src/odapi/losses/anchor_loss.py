"""The loss of an anchor detector: classification and localisation, normalised."""

import dataclasses
from collections.abc import Callable
from typing import Any

from keras import ops

from odapi.losses.boxes import BoxLoss
from odapi.losses.classification import ClassificationLoss
from odapi.losses.hard_examples import HardExampleMiner
from odapi.structures import Tensor

LOCALIZATION = "Loss/localization_loss"
CLASSIFICATION = "Loss/classification_loss"


@dataclasses.dataclass(frozen=True)
class AnchorLoss:
    """Sums the losses of all anchors into the two parts of the original.

    Args:
        classification: Loss of the class predictions.
        localization: Loss of the box codes, or of the boxes they stand for.
        coder: Decodes codes, and knows how many numbers a box has.
        classification_weight, localization_weight: Factors of the two parts.
        normalize_by_matches: Divide both by the summed weight of matched anchors,
            at least 1.
        normalize_by_code_size: Divide localisation by the numbers a box has, too.
        miner: Picks the anchors of highest loss; None: all count.
        sampler: Picks anchors at random by `(candidates, positives, seed)`; None:
            all count.
        has_background: The first class is the background.
    """

    classification: ClassificationLoss
    localization: BoxLoss
    coder: Any
    classification_weight: float = 1.0
    localization_weight: float = 1.0
    normalize_by_matches: bool = True
    normalize_by_code_size: bool = False
    miner: HardExampleMiner | None = None
    sampler: Callable | None = None
    has_background: bool = True

    def __call__(
        self,
        codes: Tensor,
        logits: Tensor,
        targets: Any,
        anchors: Tensor,
        seed: Any = None,
    ) -> dict[str, Tensor]:
        """Returns the two parts by the original's names, scalars.

        Args:
            codes: `[b, anchors, code_size]`.
            logits: `[b, anchors, classes]`.
            targets: `odapi.targets.anchor_targets.AnchorTargets`.
            anchors: `[anchors, 4]`.
            seed: What `keras.random` takes; needed with a sampler.

        Raises:
            ValueError: There is a sampler and no seed.
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
        by = 1.0
        if self.normalize_by_matches:
            by = ops.maximum(ops.sum(box_weights), 1.0)
        box_scale = self.localization_weight / by
        if self.normalize_by_code_size:
            box_scale = box_scale / self.coder.code_size
        return {
            LOCALIZATION: ops.sum(box_losses) * box_scale,
            CLASSIFICATION: ops.sum(class_losses) * (self.classification_weight / by),
        }

    def _weights(self, targets: Any, seed: Any) -> tuple[Tensor, Tensor]:
        """Weights of classes and boxes, after random sampling."""
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
        self, codes: Tensor, targets: Any, anchors: Tensor, weights: Tensor
    ) -> Tensor:
        # Unlabelled keypoints are NaN and must not count, nor spoil the gradient.
        known = ops.logical_not(ops.isnan(targets.box_targets))
        wanted = ops.where(known, targets.box_targets, 0.0)
        codes = ops.where(known, codes, 0.0)
        if self.localization.on_boxes:
            # The original compares the raw codes as if they were boxes.
            codes = self.coder.decode(codes, anchors)[..., :4]
            wanted = self.coder.decode(wanted, anchors)[..., :4]
        return self.localization(codes, wanted, weights)
