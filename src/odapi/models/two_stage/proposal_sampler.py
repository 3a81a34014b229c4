"""Which proposals the second stage learns from, and what it is to say of them."""

import dataclasses
from typing import Any, NamedTuple

from keras import ops

from odapi.geometry.gather import gather_rows
from odapi.models.two_stage.proposals import Proposals
from odapi.structures import Groundtruth, Tensor
from odapi.targets.anchor_targets import AnchorAssigner, AnchorTargets
from odapi.targets.samplers import BalancedSampler


class RoiSample(NamedTuple):
    """Regions of a batch with their targets, padded."""

    boxes: Tensor  # [b, n, 4] normalized, 0 for padding
    valid: Tensor  # [b, n] bool
    targets: AnchorTargets  # of these regions

    @property
    def matched(self) -> Tensor:
        """`[b, n]` bool: regions that show an object."""
        return ops.logical_and(self.valid, self.targets.match >= 0)

    @property
    def object_index(self) -> Tensor:
        """`[b, n]` int32: which object a region shows, 0 where none."""
        return ops.maximum(self.targets.match, 0)


@dataclasses.dataclass(frozen=True)
class ProposalSampler:
    """Compares proposals with objects, and draws some of them.

    Args:
        assigner: Matches objects to proposals.
        num_classes: Classes, without the background.
        sampler: Draws; it has a size. None: all proposals are taken.
    """

    assigner: AnchorAssigner
    num_classes: int
    sampler: BalancedSampler | None = None

    @property
    def fills(self) -> bool:
        """Whether what is no proposal fills up a sample, as background."""
        return self.sampler is not None and self.sampler.fill

    def __call__(
        self, proposals: Proposals, groundtruth: Groundtruth, seed: Any = None
    ) -> RoiSample:
        """Returns the drawn proposals in their order, without gradient.

        Args:
            proposals: Of a batch of images.
            groundtruth: The objects of these images.
            seed: What `keras.random` takes; None: all proposals are taken.
        """
        boxes, valid = ops.stop_gradient(proposals.boxes), proposals.valid
        targets = self.assigner(boxes, groundtruth, self.num_classes)
        if self.sampler is None or seed is None:
            return RoiSample(boxes, valid, targets)
        # Regions of an object without weight cannot be drawn.
        candidates = ops.mean(targets.class_weights, axis=-1) > 0
        candidates = ops.logical_and(candidates, valid)
        positives = ops.argmax(targets.class_targets, axis=-1) > 0
        chosen = self.sampler(candidates, positives, seed)
        return _chosen(RoiSample(boxes, valid, targets), chosen, self.sampler.size)


def _chosen(sample: RoiSample, chosen: Tensor, size: int | None) -> RoiSample:
    """Returns the chosen regions in their order, padded to `size`."""
    width = chosen.shape[1]
    place = ops.where(chosen, ops.arange(width, dtype="int32"), width)
    place = -ops.top_k(-place, min(size or width, width))[0]
    valid = place < width
    place = ops.minimum(place, width - 1)
    boxes = ops.where(valid[..., None], gather_rows(sample.boxes, place), 0.0)
    targets = AnchorTargets(*(gather_rows(v, place) for v in sample.targets))
    return RoiSample(boxes, valid, targets)
