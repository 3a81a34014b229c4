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
        pixels: How the backbone wants its pixels.
        anchors: Makes the anchors.
        clip_anchors: In training, anchors that reach over the edge are cut instead of
            left out; elsewhere they always are cut.
        proposer: Makes proposals of what is said of anchors.
        rpn_assigner: Turns groundtruth into what anchors are to predict.
        rpn_loss: Compares that with what they predict.
        coder: Decodes boxes of regions.
        crop: Cuts boxes out of maps.
        sampler: Draws the proposals that the second stage learns from.
        box_loss: Compares what it says with what they show.
        postprocess: Turns what it says into detections.
        box_features: Detections come with their features.
        rpn_features: Detections come with their crops.
    """

    pixels: PixelScaling
    anchors: AnchorGenerator
    proposer: Proposer
    rpn_assigner: AnchorAssigner
    rpn_loss: rcnn.ProposalLoss
    coder: BoxCoder
    crop: RoiPooler
    sampler: ProposalSampler
    box_loss: rcnn.BoxClassifierLoss
    postprocess: PostProcess
    clip_anchors: bool = False
    box_features: bool = False
    rpn_features: bool = False
