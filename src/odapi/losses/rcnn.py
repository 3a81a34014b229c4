"""Losses of two-stage detectors: region proposal network and box classifier."""

import dataclasses
from typing import Any

from keras import ops

from odapi.losses.anchor_loss import AnchorSampler
from odapi.losses.boxes import BoxLoss, SmoothL1Loss
from odapi.losses.classification import ClassificationLoss, SoftmaxLoss
from odapi.losses.hard_examples import HardExampleMiner
from odapi.structures import AnchorTargets, Tensor

RPN_LOCALIZATION = "Loss/RPNLoss/localization_loss"
RPN_OBJECTNESS = "Loss/RPNLoss/objectness_loss"
BOX_LOCALIZATION = "Loss/BoxClassifierLoss/localization_loss"
BOX_CLASSIFICATION = "Loss/BoxClassifierLoss/classification_loss"


@dataclasses.dataclass(frozen=True)
class ProposalLoss:
    """Loss of the region proposal network (RPN) over sampled anchors.

    Losses are divided by the number of sampled anchors per image, so that images have
    equal weight.

    Args:
        sampler: Samples anchors by `(candidates, positives, seed)`, to a fixed size.
        localization_weight, objectness_weight: Factors of the two parts.
        localization: Loss of the codes.
        objectness: Loss of object against background.

    Source: Ren et al. 2015 (https://arxiv.org/abs/1506.01497), section 3.1.2; the
    original's `meta_architectures/faster_rcnn_meta_arch.py`.
    """

    sampler: AnchorSampler
    localization_weight: float = 1.0
    objectness_weight: float = 1.0
    localization: BoxLoss = dataclasses.field(default_factory=SmoothL1Loss)
    objectness: ClassificationLoss = dataclasses.field(default_factory=SoftmaxLoss)

    def __call__(
        self,
        codes: Tensor,
        logits: Tensor,
        targets: AnchorTargets,
        seed: Any,
        valid_anchors: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Returns the two scalar losses by the names of the original.

        Args:
            codes: `[b, anchors, code_size]`.
            logits: `[b, anchors, 2]`.
            targets: Targets of background and object.
            seed: Seed for `keras.random`.
            valid_anchors: `[anchors]` bool: anchors that may be sampled; None: all.
        """
        candidates = ops.mean(targets.class_weights, axis=-1) != 0
        if valid_anchors is not None:
            candidates = ops.logical_and(candidates, valid_anchors)
        positives = targets.class_targets[..., 1] > 0
        sampled = ops.cast(self.sampler(candidates, positives, seed), "float32")
        number = ops.maximum(ops.sum(sampled, axis=1), 1.0)
        box_losses = self.localization(
            codes, targets.box_targets, sampled * targets.box_weights
        )
        # The weight of an object applies to the codes only, as in the original.
        losses = self.objectness(logits, targets.class_targets, sampled[..., None])
        return {
            RPN_LOCALIZATION: self.localization_weight * _mean(box_losses, number),
            RPN_OBJECTNESS: self.objectness_weight * _mean(losses, number),
        }


@dataclasses.dataclass(frozen=True)
class BoxClassifierLoss:
    """Loss of the second stage over sampled regions.

    Losses are divided by the number of regions per image, so that images have equal
    weight.

    Args:
        classification: Loss of the classes.
        localization_weight, classification_weight: Factors of the two parts.
        miner: Selects the regions of highest loss; None: all regions. Deviation: the
            original mines only the first image of a batch.
        localization: Loss of the codes.

    Source: Girshick 2015 (https://arxiv.org/abs/1504.08083), section 2.3; the
    original's `meta_architectures/faster_rcnn_meta_arch.py`.
    """

    classification: ClassificationLoss = dataclasses.field(default_factory=SoftmaxLoss)
    localization_weight: float = 1.0
    classification_weight: float = 1.0
    miner: HardExampleMiner | None = None
    localization: BoxLoss = dataclasses.field(default_factory=SmoothL1Loss)

    def __call__(self, codes: Tensor, logits: Tensor, sample: Any) -> dict[str, Tensor]:
        """Returns the two scalar losses by the names of the original.

        Args:
            codes: `[b, n, classes or 1, code_size]`, per class or shared.
            logits: `[b, n, classes + 1]`, background first.
            sample: A `RoiSample` of the two-stage models: RoIs and targets.
        """
        targets = sample.targets
        valid = ops.cast(sample.valid, "float32")
        number = ops.maximum(ops.sum(valid, axis=1), 1.0)
        codes = codes_of_class(codes, targets.class_targets)
        box_losses = self.localization(codes, targets.box_targets, targets.box_weights)
        class_losses = self.classification(
            logits, targets.class_targets, targets.class_weights
        )
        if len(class_losses.shape) == 3:
            class_losses = ops.sum(class_losses, axis=-1)
        box_losses, class_losses = box_losses * valid, class_losses * valid
        if self.miner is not None:
            keep = self.miner(sample.boxes, class_losses, box_losses, targets.match)
            box_losses, class_losses = box_losses * keep, class_losses * keep
        return {
            BOX_LOCALIZATION: self.localization_weight * _mean(box_losses, number),
            BOX_CLASSIFICATION: self.classification_weight
            * _mean(class_losses, number),
        }


def codes_of_class(codes: Tensor, class_targets: Tensor) -> Tensor:
    """Returns `[b, n, code_size]`: the codes of the target class.

    Args:
        codes: `[b, n, classes or 1, code_size]`.
        class_targets: `[b, n, classes + 1]`, background first; codes of background are
            zeros.
    """
    if codes.shape[2] == 1:
        return codes[:, :, 0]
    width = class_targets.shape[-1]
    best = ops.one_hot(ops.argmax(class_targets, axis=-1), width, dtype=codes.dtype)
    return ops.sum(codes * best[..., 1:, None], axis=2)


def _mean(losses: Tensor, number: Tensor) -> Tensor:
    """Returns the mean over images of their summed losses, divided by `number`."""
    return ops.mean(ops.sum(losses, axis=1) / number)
