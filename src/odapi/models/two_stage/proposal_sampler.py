"""Sampling of the proposals that train the second stage, with their targets."""

import dataclasses
from typing import Any, NamedTuple

from keras import ops

from odapi.geometry.gather import gather_rows
from odapi.models.two_stage.proposals import Proposals
from odapi.structures import AnchorTargets, Groundtruth, Tensor
from odapi.targets.anchor_targets import AnchorAssigner
from odapi.targets.samplers import BalancedSampler


class RoiSample(NamedTuple):
    """Sampled RoIs of a batch with their targets, padded."""

    boxes: Tensor  # [b, n, 4] normalized, 0 for padding
    valid: Tensor  # [b, n] bool
    targets: AnchorTargets  # of these RoIs

    @property
    def matched(self) -> Tensor:
        """Mask `[b, n]` of the RoIs that match an object."""
        return ops.logical_and(self.valid, self.targets.match >= 0)

    @property
    def object_index(self) -> Tensor:
        """Index `[b, n]` int32 of the matched object per RoI; 0 if there is none."""
        return ops.maximum(self.targets.match, 0)


@dataclasses.dataclass(frozen=True)
class ProposalSampler:
    """Matches proposals to objects and samples some of them.

    Args:
        assigner: Matches objects to proposals.
        num_classes: Number of classes, without the background.
        sampler: Random sampler with a size; None: all proposals are taken.
    """

    assigner: AnchorAssigner
    num_classes: int
    sampler: BalancedSampler | None = None

    @property
    def fills(self) -> bool:
        """True if padding of the proposals fills up a sample, as background."""
        return self.sampler is not None and self.sampler.fill

    def __call__(
        self, proposals: Proposals, groundtruth: Groundtruth, seed: Any = None
    ) -> RoiSample:
        """Returns the sampled proposals in their order, without gradient.

        Args:
            proposals: Proposals of a batch of images.
            groundtruth: Objects of these images.
            seed: Seed for `keras.random`; None: all proposals are taken.
        """
        boxes, valid = ops.stop_gradient(proposals.boxes), proposals.valid
        targets = self.assigner(boxes, groundtruth, self.num_classes)
        if self.sampler is None or seed is None:
            return RoiSample(boxes, valid, targets)
        # RoIs that match an object without weight are never sampled.
        candidates = ops.mean(targets.class_weights, axis=-1) > 0
        candidates = ops.logical_and(candidates, valid)
        positives = ops.argmax(targets.class_targets, axis=-1) > 0
        chosen = self.sampler(candidates, positives, seed)
        return _chosen(RoiSample(boxes, valid, targets), chosen, self.sampler.size)


def _chosen(sample: RoiSample, chosen: Tensor, size: int | None) -> RoiSample:
    """Returns the chosen RoIs in their order, padded to `size`."""
    width = chosen.shape[1]
    place = ops.where(chosen, ops.arange(width, dtype="int32"), width)
    place = -ops.top_k(-place, min(size or width, width))[0]
    valid = place < width
    place = ops.minimum(place, width - 1)
    boxes = ops.where(valid[..., None], gather_rows(sample.boxes, place), 0.0)
    targets = AnchorTargets(*(gather_rows(v, place) for v in sample.targets))
    return RoiSample(boxes, valid, targets)
