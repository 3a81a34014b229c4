"""The parts of a two-stage detector that have no weights."""

import dataclasses

from odapi.layers.pixels import PixelScaling
from odapi.losses import rcnn
from odapi.models.postprocess import PostProcess
from odapi.models.two_stage.proposal_sampler import ProposalSampler
from odapi.models.two_stage.proposals import Proposer
from odapi.models.two_stage.roi_pooler import RoiPooler
from odapi.targets.anchor_targets import AnchorAssigner
from odapi.targets.anchors import AnchorGenerator
from odapi.targets.coders import BoxCoder


@dataclasses.dataclass(frozen=True)
class RcnnParts:
    """The parts of a two-stage detector that have no weights.

    Args:
        pixels: Pixel normalization of the backbone.
        anchors: Anchor generator.
        clip_anchors: Whether anchors that cross the image border are clipped in
            training instead of ignored; in inference they are always clipped.
        proposer: Proposals from the outputs of the RPN.
        rpn_assigner: Targets of the anchors.
        rpn_loss: Loss of the RPN.
        coder: Box coder of the second stage.
        pooler: RoI pooling.
        sampler: Sampling of the proposals that train the second stage.
        box_loss: Loss of the second stage.
        postprocess: Detections from the outputs of the second stage.
        box_features: Whether detections include their RoI features.
        rpn_features: Whether detections include their crops of the feature maps.
    """

    pixels: PixelScaling
    anchors: AnchorGenerator
    proposer: Proposer
    rpn_assigner: AnchorAssigner
    rpn_loss: rcnn.ProposalLoss
    coder: BoxCoder
    pooler: RoiPooler
    sampler: ProposalSampler
    box_loss: rcnn.BoxClassifierLoss
    postprocess: PostProcess
    clip_anchors: bool = False
    box_features: bool = False
    rpn_features: bool = False
