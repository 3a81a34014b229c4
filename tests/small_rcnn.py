"""Faster R-CNN with a backbone of one convolution."""

import dataclasses

import keras
import numpy as np

from odapi.geometry.nms.batched import NonMaxSuppression
from odapi.heads.roi_boxes import RoiBoxes, RoiBoxOptions
from odapi.heads.rpn_head import ProposalHead
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.pixels import MINUS_MEAN_RGB
from odapi.losses.rcnn import BoxClassifierLoss, ProposalLoss
from odapi.models.postprocess import PostProcess
from odapi.models.scores import ScoreConverter
from odapi.models.single_stage.feature_extractor import FeatureExtractor
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.models.two_stage.proposal_sampler import ProposalSampler
from odapi.models.two_stage.proposals import Proposer
from odapi.models.two_stage.roi_pooler import RoiPooler
from odapi.models.two_stage.two_stage_parts import RcnnParts
from odapi.structures import Groundtruth
from odapi.targets.anchor_targets import AnchorAssigner
from odapi.targets.anchors import GridAnchors
from odapi.targets.coders import CenterSizeCoder
from odapi.targets.matchers import ArgmaxMatcher
from odapi.targets.samplers import BalancedSampler
from odapi.targets.similarities import IouSimilarity

SIZE, DETECTIONS = (32, 48), 5
MAKE = Hyperparams(seed=1)
_CODER = CenterSizeCoder()


class Flatten(keras.layers.Layer):
    """Features that have lost what is where."""

    def call(self, crops):
        """Returns `[n, 1, 1, c]`."""
        return keras.ops.mean(crops, axis=(1, 2), keepdims=True)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the output."""
        return (input_shape[0], 1, 1, input_shape[3])


def parts(**changes) -> RcnnParts:
    """Returns the parts without weights."""
    matcher = ArgmaxMatcher(0.7, 0.3, force=True)
    roi = AnchorAssigner(_CODER, IouSimilarity(), ArgmaxMatcher(0.1))
    nms = NonMaxSuppression(max_total=DETECTIONS)
    made = RcnnParts(
        pixels=MINUS_MEAN_RGB,
        anchors=GridAnchors((16, 16), (8, 8), (4, 4), (1.0, 2.0), (1.0,)),
        proposer=Proposer(_CODER, size=12),
        rpn_assigner=AnchorAssigner(_CODER, IouSimilarity(), matcher),
        rpn_loss=ProposalLoss(BalancedSampler(0.5, 64)),
        coder=_CODER,
        pooler=RoiPooler(4, 2, 2),
        sampler=ProposalSampler(roi, 2, BalancedSampler(0.5, 8)),
        box_loss=BoxClassifierLoss(),
        postprocess=PostProcess(nms, ScoreConverter("softmax"), True, True),
    )
    return dataclasses.replace(made, **changes)


def small_rcnn(tasks=(), flat=False, kind=FasterRCNN, boxes=None, **changes):
    """Returns a detector of two classes.

    Args:
        tasks: Of the third stage.
        flat: Features of regions are of one cell.
        kind: Its class.
        boxes: The head of the second stage, if it is another one.
        changes: Of its parts.
    """
    initial = keras.initializers.GlorotUniform(1)
    backbone = keras.layers.Conv2D(8, 8, 8, name="backbone", kernel_initializer=initial)
    features = Flatten if flat else keras.layers.Identity
    made = kind(
        FeatureExtractor(backbone, None, name="feature_extractor"),
        features(name="roi_features"),
        ProposalHead((2,), MAKE, depth=4, name="rpn"),
        boxes or RoiBoxes(RoiBoxOptions(2), MAKE, name="roi_boxes"),
        parts(**changes),
        tasks,
        num_classes=2,
        image_size=SIZE,
        max_detections=DETECTIONS,
        name="detector",
    )
    made.build((None, *SIZE, 3))
    return made


def some_images(true_size=None):
    """Returns two images of noise."""
    images = np.random.default_rng(0).integers(0, 255, (2, *SIZE, 3)).astype("uint8")
    inputs = {"images": images}
    if true_size is not None:
        inputs["true_size"] = np.array(true_size, "int32")
    return inputs


def large_objects(**fields) -> Groundtruth:
    """Returns an object of each class in the first image; the second has none."""
    boxes = np.zeros((2, 3, 4), "float32")
    boxes[0, :2] = [[0, 0, 0.6, 0.5], [0.25, 0.5, 1, 1]]
    valid = np.array([[True, True, False], [False] * 3])
    return Groundtruth(
        boxes=boxes,
        classes=np.array([[0, 1, 0], [0] * 3], "int32"),
        valid=valid,
        weights=valid.astype("float32"),
        **fields,
    )
